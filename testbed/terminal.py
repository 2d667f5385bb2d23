"""Where results are printed."""

from __future__ import annotations

import sys

from rich.console import Console

_PLAIN_WIDTH = 110


def console() -> Console:
    """The terminal; a file or a pipe is as wide as the tables need."""
    return Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
