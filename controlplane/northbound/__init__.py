"""The northbound API: REST on a unix socket."""
