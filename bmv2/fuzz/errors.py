"""What can keep a program from being fuzzed."""

from __future__ import annotations

from bmv2.errors import CommandError


class FuzzError(CommandError):
    """A program cannot be fuzzed. The message is one line."""
