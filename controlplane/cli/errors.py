"""Errors of commands: one line on stderr, exit code 1."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot do what it was asked. The message is one line."""
