"""What can be wrong with an STF file."""

from __future__ import annotations


class StfError(Exception):
    """A line cannot be understood, or cannot be done. The message is one line."""
