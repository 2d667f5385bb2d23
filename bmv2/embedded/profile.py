"""What an entry of an indirect table points to."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Member(NamedTuple):
    """One action of an action profile."""

    handle: int


class Group(NamedTuple):
    """Members of an action selector, of which a hash chooses."""

    handle: int


ProfileTarget: TypeAlias = Member | Group
