"""The engine's switch, by way of the session with the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from controlplane.migration.errors import MoveError
from controlplane.migration.peers import (
    Bucket,
    FlowRule,
    HoldRule,
    InstanceRule,
    RuledPackets,
    RuleUpdate,
    UpdateOutcome,
    WriteResult,
)
from controlplane.switch import entries
from controlplane.switch.entries import Entry, KeyValue, Operation, Table, Update
from controlplane.switch.errors import SwitchError, UpdateFailure
from controlplane.switch.packets import PacketIn, PacketOut
from controlplane.switch.session import CounterValue
from nf.southbound.flow import FiveTuple


class Session(Protocol):
    """What is used of `controlplane.switch.session.SwitchSession`; all raise SwitchError."""

    @property
    def refused_packet_outs(self) -> int:
        """Packets that it was sent and could not take."""
        ...

    async def write(self, updates: Sequence[Update]) -> None:
        """Applies updates; a refused one does not stop the others."""
        ...

    async def read_entries(self, table: Table) -> list[Entry]:
        """The entries of a table."""
        ...

    async def read_direct_counters(
        self, table: Table
    ) -> Mapping[tuple[KeyValue, ...], CounterValue]:
        """The counters of a table's entries, by key."""
        ...

    async def send(self, packets: Sequence[PacketOut]) -> None:
        """Sends packets in this order."""
        ...

    def packet_ins(self) -> AsyncIterator[PacketIn]:
        """Packets as they come."""
        ...

    def idle_entries(self) -> AsyncIterator[Entry]:
        """Entries that have been idle for their timeout."""
        ...


class SessionSwitch:
    """Flow rules and buckets as entries of the switch's tables."""

    def __init__(self, session: Session, rule_timeout_s: float) -> None:
        self._session = session
        self._timeout_ns = round(rule_timeout_s * 1e9)

    @property
    def refused_packet_outs(self) -> int:
        """Packets that the switch was sent and could not take."""
        return self._session.refused_packet_outs

    async def write_rules(self, updates: Sequence[RuleUpdate]) -> Sequence[UpdateOutcome]:
        """Applies updates of different flows in one Write; one outcome each, in order."""
        try:
            await self._session.write([self._update(update) for update in updates])
        except SwitchError as error:
            if not error.failures:
                unanswered = error.is_unanswered
                result = WriteResult.UNANSWERED if unanswered else WriteResult.REFUSED
                return [UpdateOutcome(result, str(error))] * len(updates)
            return [_outcome(error.failures.get(index)) for index in range(len(updates))]
        return [UpdateOutcome(WriteResult.WRITTEN)] * len(updates)

    def _update(self, update: RuleUpdate) -> Update:
        match update.rule:
            case HoldRule(migration):
                entry = entries.flow_hold(update.flow, migration, self._timeout_ns)
            case InstanceRule(instance):
                entry = entries.flow_to_instance(update.flow, instance, self._timeout_ns)
            case None:
                entry = entries.flow_to_instance(update.flow, 0)  # a delete looks at the key
        return Update(update.operation, entry)

    async def read_rules(self) -> Mapping[FiveTuple, FlowRule]:
        """The flow rules that are in force. Raises SwitchError."""
        return {
            entries.flow_of(entry): _rule(entry)
            for entry in await self._session.read_entries(entries.FLOW_RULES)
        }

    async def count_ruled(self) -> Mapping[FiveTuple, RuledPackets]:
        """The packets that have met the rule of each flow so far.

        A rule that was replaced counts on. Raises SwitchError.
        """
        counters = await self._session.read_direct_counters(entries.FLOW_RULES)
        return {
            entries.flow_of(entry): RuledPackets(
                counters[entry.key].packets, is_held=entry.action == "hold"
            )
            for entry in await self._session.read_entries(entries.FLOW_RULES)
            if entry.key in counters
        }

    async def write_buckets(self, group: int, buckets: Mapping[int, Bucket]) -> None:
        """Gives buckets of a group to owners. Raises MoveError."""
        updates = [
            Update(Operation.MODIFY, entries.bucket(group, number, *bucket))
            for number, bucket in buckets.items()
        ]
        try:
            await self._session.write(updates)
        except SwitchError as error:
            raise MoveError(f"the buckets cannot be turned: {error}", conflict=True) from None

    async def read_buckets(self, group: int) -> Mapping[int, Bucket]:
        """Who the buckets of a group belong to. Raises MoveError."""
        try:
            found = await self._session.read_entries(entries.BUCKETS)
        except SwitchError as error:
            raise MoveError(f"the buckets cannot be read: {error}", conflict=True) from None
        buckets: dict[int, Bucket] = {}
        for entry in found:
            owner_group, number = entry.key
            if owner_group == group and isinstance(number, int) and entry.params:
                buckets[number] = Bucket(*entry.params)
        return buckets

    async def send(self, packets: Sequence[PacketOut]) -> None:
        """Sends packets in this order. Raises SwitchError."""
        await self._session.send(packets)

    def packet_ins(self) -> AsyncIterator[PacketIn]:
        """Packets as they come. Raises SwitchError."""
        return self._session.packet_ins()

    async def idle_rules(self) -> AsyncIterator[FiveTuple]:
        """Flows whose rule has been idle for its timeout. Raises SwitchError."""
        async for entry in self._session.idle_entries():
            if entry.table is entries.FLOW_RULES:
                yield entries.flow_of(entry)


def _outcome(failure: UpdateFailure | None) -> UpdateOutcome:
    if failure is None:
        return UpdateOutcome(WriteResult.WRITTEN)
    reason = f"{failure.code.name} {failure.message}".strip()
    if failure.is_duplicate:
        return UpdateOutcome(WriteResult.EXISTS, reason)
    if failure.is_missing:
        return UpdateOutcome(WriteResult.MISSING, reason)
    return UpdateOutcome(WriteResult.REFUSED, reason)


def _rule(entry: Entry) -> FlowRule:
    (argument,) = entry.params
    return HoldRule(argument) if entry.action == "hold" else InstanceRule(argument)
