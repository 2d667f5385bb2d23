"""Names for C from the names of a program."""

from __future__ import annotations

import re


class Names:
    """Gives each name of a program a C name of its own."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def __getitem__(self, name: str) -> str:
        given = self._given.get(name)
        if given is None:
            given = self._prefix + re.sub(r"\W", "_", name, flags=re.ASCII)
            while given in self._taken:
                given += "_"
            self._given[name] = given
            self._taken.add(given)
        return given


def comment(text: str) -> str:
    """A name of the program as a C comment, whatever it contains."""
    return f"/* {re.sub(r'[^ -~]|[*]/', '?', text)} */"
