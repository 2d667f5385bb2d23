"""What can be wrong with an STF file."""

from __future__ import annotations

from bmv2.errors import CommandError


class StfError(CommandError):
    """A command cannot be understood, or cannot be done. The message is one line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        """`line` is where in the file, once that is known."""
        super().__init__(message)
        self.line = line
