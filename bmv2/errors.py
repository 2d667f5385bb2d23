"""What keeps a command of `python -m bmv2` from being carried out."""

from __future__ import annotations


class CommandError(Exception):
    """The message is one line: what, where."""


class SwitchError(CommandError):
    """The switch cannot run."""
