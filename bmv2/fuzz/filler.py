"""Fills a data plane with seeded state: entries, members, groups, rates, sets and cells."""

from __future__ import annotations

from random import Random

from bmv2.embedded.codegen.arrays import indirect_meters
from bmv2.embedded.codegen.profiles import number_profiles
from bmv2.embedded.codegen.tables import is_fixed
from bmv2.embedded.codegen.value_sets import number_value_sets
from bmv2.embedded.dataplane import Dataplane
from bmv2.embedded.errors import DuplicateEntry, TableFull
from bmv2.embedded.meter import MeterRates
from bmv2.embedded.profile import Group, Member, ProfileTarget
from bmv2.embedded.program.model import Action, Table
from bmv2.fuzz.values import match_of, match_of_kind, value

_ENTRIES = 12  # tried for each table
_MEMBERS = 5
_GROUPS = 3
_REPLICATIONS = (1, 2, 3)
_CELLS = 8
_LARGEST_PRIORITY = 20
_KINDS = ("exact", "lpm", "range", "ternary")


class Filler:
    """Fills one data plane; the same random numbers give the same state."""

    def __init__(self, dataplane: Dataplane, ports: tuple[int, ...], random: Random) -> None:
        """`ports` are those that copies of packets may go to."""
        self._dataplane = dataplane
        self._program = dataplane.program
        self._ports = ports
        self._random = random
        self._targets: dict[str, list[ProfileTarget]] = {}

    def fill(self) -> None:
        """Writes everything that a controller can write."""
        self._replications()
        self._value_sets()
        self._arrays()
        unused = self._profiles()
        for table in self._program.tables():
            if table.actions and not is_fixed(table):
                self._table(table)
        for profile, member in unused.items():
            self._dataplane.member_delete(profile, member)

    # --- tables -----------------------------------------------------------------------------

    def _table(self, table: Table) -> None:
        name = table.name
        action = self._action(table)
        self._dataplane.table_set_default(name, action.name, self._arguments(action))
        handles = self._entries(table) if table.key else []
        for handle in handles:
            match self._random.randrange(6):
                case 0:
                    self._dataplane.table_delete(name, handle)
                    continue
                case 1:
                    self._modify(table, handle)
                case _:
                    pass
            if table.direct_meter is not None:
                self._dataplane.set_entry_meter(name, handle, self._rates())

    def _entries(self, table: Table) -> list[int]:
        """Adds entries; the handles of those that found room and are no duplicates."""
        handles: list[int] = []
        for _ in range(self._random.randrange(_ENTRIES + 1)):
            key = [match_of(self._random, field) for field in table.key]
            priority = self._random.randint(1, _LARGEST_PRIORITY)
            target, action = self._target(table), self._action(table)
            try:
                if target is None:
                    handle = self._dataplane.table_add(
                        table.name, key, priority, action.name, self._arguments(action)
                    )
                else:
                    handle = self._dataplane.table_add_indirect(table.name, key, priority, target)
            except (DuplicateEntry, TableFull):
                continue
            handles.append(handle)
        return handles

    def _modify(self, table: Table, handle: int) -> None:
        target, action = self._target(table), self._action(table)
        if target is None:
            self._dataplane.table_modify(table.name, handle, action.name, self._arguments(action))
        else:
            self._dataplane.table_modify_indirect(table.name, handle, target)

    def _target(self, table: Table) -> ProfileTarget | None:
        return self._random.choice(self._targets[table.profile]) if table.profile else None

    def _action(self, table: Table) -> Action:
        return self._program.actions[self._random.choice(table.actions)]

    def _arguments(self, action: Action) -> list[int]:
        return [value(self._random, parameter.width) for parameter in action.parameters]

    def _profiles(self) -> dict[str, int]:
        """Members and groups of each profile; a member by profile that nothing names."""
        unused: dict[str, int] = {}
        numbers = number_profiles(self._program)
        for profile in self._program.profiles():
            actions = [
                self._program.actions[each] for each in numbers[profile.name].actions.values()
            ]
            members: list[int] = []
            for _ in range(_MEMBERS + 1):
                action = self._random.choice(actions)
                arguments = self._arguments(action)
                members.append(self._dataplane.member_add(profile.name, action.name, arguments))
            unused[profile.name] = members.pop()
            targets: list[ProfileTarget] = [Member(each) for each in members]
            for _ in range(_GROUPS if profile.selector else 0):
                chosen = self._random.choices(members, k=self._random.randrange(5))
                targets.append(Group(self._dataplane.group_add(profile.name, chosen)))
            self._targets[profile.name] = targets
        return unused

    # --- everything else ------------------------------------------------------------------------

    def _arrays(self) -> None:
        random = self._random
        for name, register in self._program.registers.items():
            for _ in range(_CELLS if register.size else 0):
                cell = value(random, register.width)
                self._dataplane.register_write(name, random.randrange(register.size), cell)
        for name, meter in indirect_meters(self._program).items():
            for _ in range(_CELLS if meter.size else 0):
                self._dataplane.meter_write(name, random.randrange(meter.size), self._rates())

    def _rates(self) -> MeterRates:
        cir, cburst, more, burst = (self._random.choice((0, 1, 10, 1000, 10**9)) for _ in range(4))
        return MeterRates(cir, cburst, cir + more, burst)

    def _value_sets(self) -> None:
        for name, numbers in number_value_sets(self._program).items():
            most = min(self._program.value_sets[name].size, _ENTRIES)
            members = [
                [
                    match_of_kind(self._random, self._random.choice(_KINDS), width)
                    for width in numbers.widths
                ]
                for _ in range(self._random.randint(0, most))
            ]
            self._dataplane.value_set_write(name, members)

    def _replications(self) -> None:
        lengths = (0, 0, 1, 20, 64)
        for number in _REPLICATIONS:
            self._dataplane.multicast_group_set(number, self._replicas())
            self._dataplane.clone_session_set(
                number, self._replicas(), self._random.choice(lengths)
            )
        self._dataplane.multicast_group_delete(self._random.choice(_REPLICATIONS))

    def _replicas(self) -> list[tuple[int, int]]:
        count = self._random.randrange(4)
        return [(self._random.choice(self._ports), self._random.randrange(3)) for _ in range(count)]
