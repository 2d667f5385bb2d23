"""Namespaces, hosts and live traffic around a switch and two instances."""
