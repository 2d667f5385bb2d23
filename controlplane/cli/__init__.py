"""The command line: `controlplane`."""
