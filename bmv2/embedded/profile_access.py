"""The action profiles of a running program, one object each."""

from __future__ import annotations

import ctypes
import errno
import os
from collections import Counter
from collections.abc import Mapping, Sequence

from bmv2.embedded.codegen.profiles import ProfileNumbers
from bmv2.embedded.program.model import Action
from bmv2.embedded.table_keys import ArgumentFormat


class ProfileAccess:
    """One action profile. Members and groups are named by the handles that adding gives."""

    def __init__(
        self,
        call: ctypes.CDLL,
        name: str,
        numbers: ProfileNumbers,
        actions: Mapping[int, Action],
    ) -> None:
        """`actions` are those of the program, by id."""
        self._call = call
        self._name = name
        self._number = numbers.number
        self._formats = {
            action: (number, ArgumentFormat(actions[number], numbers.data_words))
            for action, number in numbers.actions.items()
        }

    def member_add(self, action: str, params: Sequence[int]) -> int:
        """Adds a member; its handle. Raises KeyError for an action that no table has."""
        number, arguments = self._formats[action]
        data = arguments.pack(params)
        return self._check("", self._call.switch_member_add(self._number, number, data))

    def member_modify(self, member: int, action: str, params: Sequence[int]) -> None:
        """Gives a member another action. Raises KeyError."""
        number, arguments = self._formats[action]
        data = arguments.pack(params)
        code = self._call.switch_member_modify(self._number, member, number, data)
        self._check(f"member {member}", code)

    def member_delete(self, member: int) -> None:
        """Removes a member, which no entry and no group names. Raises KeyError."""
        self._check(f"member {member}", self._call.switch_member_delete(self._number, member))

    def group_add(self, members: Sequence[int]) -> int:
        """Adds a group; its handle."""
        group = self._check("", self._call.switch_group_add(self._number))
        self.group_modify(group, members)
        return group

    def group_modify(self, group: int, members: Sequence[int]) -> None:
        """Gives a group other members, repeated by weight. Raises KeyError."""
        ordered = _in_hash_order(members)
        handles = (ctypes.c_uint32 * len(ordered))(*ordered)
        code = self._call.switch_group_modify(self._number, group, len(ordered), handles)
        self._check(f"group {group}", code)

    def group_delete(self, group: int) -> None:
        """Removes a group, which no entry names. Raises KeyError."""
        self._check(f"group {group}", self._call.switch_group_delete(self._number, group))

    def _check(self, what: str, code: int) -> int:
        if code == -errno.ENOENT:
            raise KeyError(f"action profile {self._name} has no {what}")
        if code < 0:
            raise OSError(-code, f"action profile {self._name}: {os.strerror(-code)}")
        return code


def _in_hash_order(members: Sequence[int]) -> list[int]:
    """Members as BMv2 counts them: by handle.

    For a weight beyond one its P4Runtime server adds copies of the member behind all others.
    """
    weights = sorted(Counter(members).items())
    once = [member for member, _ in weights]
    return once + [member for member, weight in weights for _ in range(weight - 1)]
