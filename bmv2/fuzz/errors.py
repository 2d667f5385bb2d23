"""What can keep a program from being fuzzed."""

from __future__ import annotations


class FuzzError(Exception):
    """A program cannot be fuzzed. The message is one line."""
