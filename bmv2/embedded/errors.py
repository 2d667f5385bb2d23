"""What can go wrong with a program or its tables. Each message is one line."""

from __future__ import annotations


class UnsupportedProgram(Exception):  # noqa: N818
    """The JSON is not a program that the switch can run; the message names the construct."""


MALFORMED = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)
"""What a JSON leads to that is not as p4c writes it: parts are missing, or are others."""


class CompileError(Exception):
    """The C compiler is missing, or refuses what was generated for it."""


class TableFull(Exception):  # noqa: N818
    """No more entries fit into the table."""


class DuplicateEntry(Exception):  # noqa: N818
    """The table has an entry with the same key and priority."""
