"""The runtime of a network function: its port, its flows, its southbound server."""
