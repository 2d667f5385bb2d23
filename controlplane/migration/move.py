"""One call of `move`, of any kind, from the beginning until the source is drained.

The order of its parts, and why:

1. Both instances are asked who they are: nothing has been touched when one is down.
2. Meanwhile, and during what follows, elephants are chosen. A flow that begins after
   that is no elephant yet.
3. The buckets are turned: new flows go to the destination, flows that the source has
   seen stay there (the switch knows them).
4. The source is told to take no new flows, behind a marker: all that was steered to it
   before the turn has been read by then. Earlier it would bounce first packets that the
   switch still sends it, and only to it.
5. Unless elephants are chosen, the source is asked for its flows now, when it cannot get
   more. The strategy says which of them move.
6. The flows are moved, each by the machine.
7. The source is watched until its mice have died out; then the buckets belong to the
   destination alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from controlplane.detection.registry import Rule
from controlplane.migration.chooser import Chooser
from controlplane.migration.drain import Drain
from controlplane.migration.errors import MoveError
from controlplane.migration.journal import OpenMove
from controlplane.migration.loop_watch import LoopWatch
from controlplane.migration.mover import Mover
from controlplane.migration.options import Guarantee, KeepAt, MoveOptions
from controlplane.migration.peers import (
    Detector,
    Member,
    RuledPackets,
)
from controlplane.migration.port_watch import PortWatch
from controlplane.migration.preconditions import check, delete_copies
from controlplane.migration.record import Outcome
from controlplane.migration.report import (
    CANCELLABLE,
    UNDER_WAY,
    MoveReport,
    MoveState,
    OperationPhases,
    PortsReport,
    TakenOver,
)
from controlplane.migration.services import Services
from controlplane.migration.state import Rules
from controlplane.migration.strategy import STRATEGIES, Takes
from controlplane.migration.summary import (
    FlowsSummary,
    buffer_report,
    control_report,
    flow_counts,
    flow_phases,
    flow_report,
    taken_over_report,
)
from controlplane.migration.turning import Turning
from controlplane.migration.watches import Watches
from nf.southbound.client import SouthboundError
from nf.southbound.flow import FiveTuple

_First = TypeVar("_First")
_Second = TypeVar("_Second")

logger = logging.getLogger(__name__)


class Move:
    """A move under way or over."""

    def __init__(
        self,
        number: int,
        options: MoveOptions,
        source: Member,
        destination: Member,
        *,
        rule: Rule | None,
        detector: Detector,
        services: Services,
        wall_clock: Callable[[], float],
    ) -> None:
        """`number` is the move's in the journal."""
        self.id = f"m{number}"
        self.options = options
        self.source = source
        self.destination = destination
        self._state = MoveState.PREPARING
        self.reason = ""
        self.moved = asyncio.Event()
        """Set when all that was to be moved has been, or the move has come to nothing."""
        self._number = number
        self._strategy = STRATEGIES[options.kind]
        self._rule = rule
        self._services = services
        self._started_at = wall_clock()
        self._begin_s = services.clock()
        limits = services.limits
        waits = options.guarantee is not Guarantee.NONE
        diverts = waits and options.keep_at is KeepAt.DESTINATION
        rules = Rules(
            holds=waits and not diverts,
            diverts=diverts,
            aside=diverts or options.guarantee is Guarantee.ORDER_PRESERVING,
            parallelize=options.parallelize,
            early_release=options.early_release,
            export_timeout_s=limits.export_timeout_s,
            import_timeout_s=limits.import_timeout_s,
        )
        self._mover = Mover(number, source, destination, rules, services)
        self._chooser = Chooser(
            source, destination, options.buckets, detector, services, self._mover.control
        )
        self._ports = PortWatch((source, destination), self._mover.control)
        self._watches = Watches(self.id, self._begin_s, services)
        self._turning = Turning(
            number,
            source,
            destination,
            options.buckets,
            services,
            self._mover.control,
            self._watches.tell_left,
        )
        self._phases_ms: dict[str, float] = {}
        self._selected = 0
        self._cancelled = False
        self._detection: asyncio.Task[Sequence[FiveTuple]] | None = None
        self._taken_over: TakenOver | None = None
        self._begun: OpenMove | None = None
        """What an earlier controller had begun."""
        self._holds = rules.holds
        self.stragglers: Move | None = None
        """The move of what was left of those after a while."""
        self.ended = asyncio.Event()
        """Set when nothing is waited for any more."""
        self._summary: FlowsSummary | None = None
        """When no flow is under way any more."""
        self._loop_watch = LoopWatch()

    # --- what may be asked of it --------------------------------------------------

    @property
    def state(self) -> MoveState:
        """Where it is."""
        return self._state

    @property
    def drain(self) -> Drain | None:
        """The watch over the flows that are left, once there is one."""
        return self._watches.drain

    @property
    def gives_back(self) -> bool:
        """Whether new flows begin at the source again."""
        return self._state in (MoveState.UNDOING, MoveState.FAILED, MoveState.CANCELLED)

    @property
    def turned_before(self) -> frozenset[int]:
        """The buckets that an earlier controller has turned for it, or was about to."""
        return self._begun.turned if self._begun else frozenset()

    def _enter(self, state: MoveState) -> None:
        self._state = state
        self._services.events.state(self.id, state.value, self.reason)

    def cancel(self, reason: str) -> None:
        """Rolls back what is not committed, and gives the buckets back. Raises MoveError."""
        if self._cancelled and self.state in UNDER_WAY:
            return
        if self.state not in CANCELLABLE:
            hint = ""
            if self.state is MoveState.DRAINING:
                back = f"{self.destination.name} {self.source.name} --strategy drain"
                hint = f"; `controlplane move {back}` turns its buckets back"
            raise MoveError(
                f"{self.id} cannot be cancelled: it is {self.state}{hint}", conflict=True
            )
        self._cancelled = True
        self.reason = f"{self.reason}; {reason}" if self.reason else reason
        self._mover.cancel(reason)

    def lose(self, packets: int) -> None:
        """Packets that the switch sent while flows were held have not arrived."""
        self._mover.buffered.lost_packets += packets

    def outcomes(self) -> Counter[Outcome]:
        """Its flows by what has become of them."""
        if self._summary is not None:
            return self._summary.outcomes
        return Counter(record.outcome for record in self._mover.records)

    @property
    def flows_remembered(self) -> int:
        """How many flows it could still tell of one by one."""
        return len(self._mover.records)

    def forget_flows(self) -> None:
        """Keeps only what holds for all flows together. For a move that has ended."""
        self._mover.records.clear()

    @property
    def downtime_ms(self) -> float | None:
        """From the beginning of the call to the end of the last delete (paper §4.3).

        None while flows are under way, and where none was moved.
        """
        if self._summary is None or self._summary.last_delete_s is None:
            return None
        return round((self._summary.last_delete_s - self._begin_s) * 1e3, 4)

    def report(self, *, timeline: bool = False) -> MoveReport:
        """What has happened so far.

        The timeline of many flows takes a while: not for the event loop.
        """
        options = self.options
        records, summary = self._mover.records, self._summary
        counts = (
            summary.counts
            if summary
            else flow_counts(records, self._selected, self._chooser.active)
        )
        return MoveReport(
            id=self.id,
            kind=options.kind,
            source=options.source,
            destination=options.destination,
            scope=options.scope,
            guarantee=options.guarantee,
            keep_at=options.keep_at,
            elephants=self._rule.choice if self._rule else None,
            parallelize=options.parallelize,
            early_release=options.early_release,
            buckets=len(options.buckets),
            state=self.state,
            reason=self.reason,
            started_at=self._started_at,
            downtime_ms=self.downtime_ms,
            flows=counts,
            phases_ms=OperationPhases(**self._phases_ms),
            flow_phases_ms=summary.phases if summary else flow_phases(()),
            loop_blocked_ms=round(self._loop_watch.longest_busy_s * 1e3, 4),
            loop_late_ms=round(self._loop_watch.longest_late_s * 1e3, 4),
            buffer=buffer_report(self._mover.buffered),
            control=control_report(self._mover.control),
            ports=PortsReport(
                source_lost=self._ports.lost(self.source),
                destination_lost=self._ports.lost(self.destination),
            ),
            drain=self._watches.report(),
            stragglers=self.stragglers.id if self.stragglers else None,
            taken_over=self._taken_over,
            timeline=(
                tuple(flow_report(record, self._begin_s) for record in records)
                if timeline and (records or not counts.selected)
                else None
            ),
        )

    # --- its parts ------------------------------------------------------------------

    async def prepare(self) -> None:
        """Asks both instances; nothing is touched. Raises MoveError.

        Elephants are looked for meanwhile. `run` or `abandon` is to follow.
        """
        if self._rule is not None:
            self._detection = asyncio.create_task(
                self._detect(self._rule), name=f"{self.id}: detection"
            )
        control, both = self._mover.control, (self.source, self.destination)
        with self._timed("prepare"):
            try:
                self._ports.begin(await check(*both, self.options, self._services, control))
            except SouthboundError as error:
                raise MoveError(str(error), conflict=True) from None
            for member in both:
                await delete_copies(member, self._services, control)

    async def abandon(self) -> None:
        """Ends what `prepare` has begun; there will be no move."""
        await self._end_detection()
        self.moved.set()
        self.ended.set()

    async def run(self) -> None:
        """Moves, and drains the source. Failures end up in the report."""
        await self._run(self._move())

    def take_over(self, begun: OpenMove, ruled: Mapping[FiveTuple, RuledPackets] | None) -> None:
        """Takes over what an earlier controller had begun. `finish` is to follow.

        `ruled` tells the packets that the switch may have sent to that one, if it knows.
        """
        flows = begun.flows
        self._begun = begun
        self._selected = len(flows)
        kept = sum(self._services.buffer.waiting(flow.migration)[0] for flow in flows)
        self._taken_over = taken_over_report(begun, ruled, kept, holds=self._holds)
        self._enter(MoveState.MOVING)
        self._mover.take_over(flows)
        self._turning.take_over()

    async def finish(self) -> None:
        """Finishes or undoes each flow that was taken over, and drains the source."""
        await self._run(self._finish())

    async def _run(self, work: Coroutine[None, None, None]) -> None:
        try:
            with self._services.garbage.paused():
                async with self._loop_watch.watching():
                    await work
        except (MoveError, SouthboundError) as error:
            self.reason = self.reason or str(error)
            await self._undo(MoveState.FAILED)
        finally:
            await self._end_detection()
        self._services.journal.end(self._number)
        self.moved.set()
        logger.info("%s: %s %s", self.id, self.state, self.reason)
        await self._watches.run()
        if self.state is MoveState.DRAINING:
            self._enter(MoveState.DONE)
        self.ended.set()

    async def _move(self) -> None:
        if await self._ends_cancelled():
            return
        if self._detection is not None:
            flows, _ = await _all_of(self._detection, self._turn())
        else:
            await self._turn()
            flows = [] if self._strategy.takes is Takes.NONE else await self._list()
        self._selected = len(flows)
        if await self._ends_cancelled():
            return
        self._enter(MoveState.MOVING)
        with self._timed("move"):
            await self._mover.run(flows)
        await self._conclude()

    async def _finish(self) -> None:
        with self._timed("move"):
            await self._mover.finish()
        await self._turning.finish(self.turned_before)
        self.reason = self.reason or "an earlier controller ended while it was under way"
        await self._conclude()

    async def _conclude(self) -> None:
        """Watches the flows that are left, or gives the buckets back.

        They are given back if it was cancelled; or if flows were not moved, or it was taken over,
        and no flow has been moved or the destination is down.
        """
        if await self._ends_cancelled():
            return
        counts = flow_counts(self._mover.records, self._selected, self._chooser.active)
        failed = counts.rolled_back + counts.stranded
        if failed:
            bad = (Outcome.ROLLED_BACK, Outcome.STRANDED)
            reasons = (r.state.reason for r in self._mover.records if r.outcome in bad)
            first = next(filter(None, reasons), "")
            self.reason = f"{failed} of {counts.selected} flows were not moved: {first}"
        moves_none = self._strategy.takes is Takes.NONE
        moved = counts.moved + counts.absent + (self._begun.moved if self._begun else 0)
        is_in_vain = not self._turning.turned if moves_none else moved == 0
        if failed or self._taken_over:
            if is_in_vain:
                await self._undo(MoveState.FAILED)
                return
            if not await self._alive(self.destination):
                await self._undo(MoveState.FAILED, f"{self.destination.name} does not answer")
                return
        if not self._selected and not moves_none and not moved:
            self.reason = "no flow was chosen: new ones go to the destination all the same"
        await self._sum_up()
        if await self._ends_cancelled():
            return
        self._watches.add(self._turning.watch_source())
        self._enter(MoveState.DRAINING)

    async def _sum_up(self) -> None:
        """No flow is under way any more: what has become of them all."""
        await self._ports.end()
        self._summary = await asyncio.to_thread(
            FlowsSummary.of, self._mover.records, self._selected, self._chooser.active
        )

    async def _detect(self, rule: Rule) -> Sequence[FiveTuple]:
        with self._timed("detect"):
            return await self._chooser.elephants(rule)

    async def _end_detection(self) -> None:
        if self._detection is not None:
            self._detection.cancel()
            await asyncio.gather(self._detection, return_exceptions=True)

    async def _list(self) -> Sequence[FiveTuple]:
        with self._timed("detect"):
            return await self._chooser.listed(self._strategy)

    async def _ends_cancelled(self) -> bool:
        """Ends the move if it has been cancelled."""
        if self._cancelled:
            await self._undo(MoveState.CANCELLED)
        return self._cancelled

    async def _alive(self, member: Member) -> bool:
        self._mover.control.southbound_calls += 1
        try:
            await member.southbound.get_info()
        except SouthboundError:
            return False
        return True

    async def _turn(self) -> None:
        with self._timed("turn"):
            await self._turning.turn()

    async def _undo(self, end: MoveState, why: str = "") -> None:
        """Gives the buckets back, unless the source is down: then nobody is left to.

        New flows may have begun at the destination: they stay there. Buckets that are not
        given back are watched until the source has no flow of them, as in any other move.
        `why` adds to the reason.
        """
        self._enter(MoveState.UNDOING)
        turned = self._turning.turned
        self._turning.let_go()
        is_back = False
        if turned and await self._alive(self.source):
            with self._timed("undo"):
                try:
                    await self._turning.give_back()
                    is_back = True
                except (MoveError, SouthboundError) as error:
                    self.reason = f"{self.reason}; the buckets are not given back: {error}"
        if why:
            self.reason += f"; {why}" + (", so its buckets are given back" if is_back else "")
        if turned:
            self._watches.add(self._turning.watch_destination())
        if turned and not is_back:
            self._watches.add(self._turning.watch_source_anew())
        await self._sum_up()
        self._enter(end)

    @contextmanager
    def _timed(self, part: str) -> Generator[None]:
        begin_s = self._services.clock()
        try:
            yield
        finally:
            self._phases_ms[part] = round((self._services.clock() - begin_s) * 1e3, 4)


async def _all_of(first: Awaitable[_First], second: Awaitable[_Second]) -> tuple[_First, _Second]:
    """Both results, or the first error, once both have ended: neither is left half done."""
    results = await asyncio.gather(first, second, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("tuple[_First, _Second]", tuple(results))
