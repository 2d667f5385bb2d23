"""Action profiles as C, and which actions their members can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bmv2.embedded.codegen.names import comment
from bmv2.embedded.codegen.storage import data_words
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.externs import ActionProfile
from bmv2.embedded.program.model import Program, Table


@dataclass(frozen=True, slots=True)
class ProfileNumbers:
    """What a profile is called in C, and the actions of its members by name.

    p4c gives each table its own copy of an action: members have one copy for all tables.
    """

    number: int
    actions: Mapping[str, int]
    data_words: int


def number_profiles(program: Program) -> dict[str, ProfileNumbers]:
    """The action profiles by name."""
    numbers: dict[str, ProfileNumbers] = {}
    for place, profile in enumerate(program.profiles()):
        actions: dict[str, int] = {}
        for table in program.tables():
            if table.profile == profile.name:
                for each in table.actions:
                    actions.setdefault(program.actions[each].name, each)
        words = max((data_words(program.actions[each]) for each in actions.values()), default=0)
        numbers[profile.name] = ProfileNumbers(place, actions, words)
    return numbers


class Profiles:
    """Writes the action profiles of a program, and how tables use them."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._profiles = {profile.name: profile for profile in program.profiles()}
        self._numbers = number_profiles(program)

    def definitions(self) -> str:
        """`profiles[]`."""
        entries = [
            f"  {{.data_words = {numbers.data_words}}}, {comment(name)}"
            for name, numbers in self._numbers.items()
        ]
        return "\n".join(
            [
                f"#define PROFILE_COUNT {len(entries)}",
                "static struct profile profiles[PROFILE_COUNT + 1] = {",
                *entries,
                "  {0}};",
            ]
        )

    def of(self, table: Table) -> ActionProfile:
        """The profile of an indirect table. Raises UnsupportedProgram."""
        profile = None if table.profile is None else self._profiles.get(table.profile)
        if profile is None:
            raise UnsupportedProgram(f"table {table.name}: no action profile {table.profile!r}")
        return profile

    def choose(self, table: Table, hash_text: str | None) -> list[str]:
        """C that sets `action` and `data` from what the entry `e` names.

        `hash_text` is C of the selector's hash, where there is one.
        """
        place = f"&profiles[{self._numbers[self.of(table).name].number}]"
        member = f"profile_member({place}, target)"
        if hash_text is not None:
            group = f"profile_choose({place}, target, {hash_text})"
            member = f"e->action == TARGET_GROUP ? {group} : {member}"
        return [
            "const uint64_t target = *entry_data(t, e);",
            f"const struct member *const m = {member};",
            "action = m ? m->action : UINT32_MAX; data = m ? m->data : NULL;",
        ]

    def actions(self, table: Table) -> dict[int, int]:
        """The actions that members can have, each with the table's own copy of it."""
        own = {self._program.actions[each].name: each for each in table.actions}
        members = self._numbers[self.of(table).name].actions
        return {number: own[name] for name, number in members.items() if name in own}
