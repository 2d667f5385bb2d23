"""C from a program: one module for each part of it, `generate.py` puts them together."""
