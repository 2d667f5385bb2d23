"""Live load: real TCP connections between two hosts, every byte of them verified."""
