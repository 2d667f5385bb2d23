"""Writes flow rules: updates that are ready at the same time go into one Write."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.migration.counts import ControlCounts
from controlplane.migration.options import Limits
from controlplane.migration.peers import (
    FlowRule,
    RuleUpdate,
    Switch,
    UpdateOutcome,
    WriteResult,
)
from controlplane.switch.entries import Operation
from nf.southbound.flow import FiveTuple


@dataclass(slots=True)
class _Job:
    flow: FiveTuple
    rule: FlowRule | None
    counts: ControlCounts
    done: Callable[[UpdateOutcome], None]
    attempts: int = 0
    update: RuleUpdate | None = None


class RuleWriter:
    """The only writer of the table `flow_rules`, so that it knows what is in it.

    One Write is under way at a time: two updates of a flow take effect in the order
    they were asked for. A rule that turns out to exist is modified instead of inserted,
    one that turns out to be missing the other way round, and a Write that the switch
    does not answer is repeated.
    """

    def __init__(
        self, switch: Switch, limits: Limits, before_writing: Callable[[], None] = lambda: None
    ) -> None:
        """`before_writing` is called before anything is written."""
        self._switch = switch
        self._before_writing = before_writing
        self._limits = limits
        self._jobs: deque[_Job] = deque()
        self._ready = asyncio.Event()
        self.rules: dict[FiveTuple, FlowRule] = {}
        """The rules in force, as far as is known."""
        self.may_be: dict[FiveTuple, set[FlowRule]] = {}
        """Rules that may still be in force, as the switch has not answered since."""

    def put(
        self,
        flow: FiveTuple,
        rule: FlowRule | None,
        counts: ControlCounts,
        done: Callable[[UpdateOutcome], None],
    ) -> None:
        """Sets the rule of a flow, or deletes it; `done` is called with the outcome.

        The outcome is WRITTEN, REFUSED or UNANSWERED.
        """
        self._jobs.append(_Job(flow, rule, counts, done))
        self._ready.set()

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await self._ready.wait()
            await asyncio.sleep(0)  # what is ready in this turn of the loop comes along
            batch = self._next_batch()
            again = await self._write(batch)
            if again:
                backoff_s = self._limits.write_backoff_s
                pauses = [backoff_s * 2 ** (job.attempts - 1) for job in again if job.attempts]
                if pauses:
                    await asyncio.sleep(max(pauses))
                self._jobs.extendleft(reversed(again))
            if not self._jobs:
                self._ready.clear()

    def _next_batch(self) -> list[_Job]:
        """The next jobs, no two of them of the same flow."""
        batch: list[_Job] = []
        flows: set[FiveTuple] = set()
        while self._jobs and len(batch) < self._limits.write_batch:
            if self._jobs[0].flow in flows:
                break
            job = self._jobs.popleft()
            flows.add(job.flow)
            batch.append(job)
        return batch

    async def _write(self, batch: Sequence[_Job]) -> list[_Job]:
        """Writes a batch; the jobs to be done again."""
        updates: list[RuleUpdate] = []
        for job in batch:
            job.update = self._update(job)
            updates.append(job.update)
            job.counts.updates += 1
        for counts in {id(job.counts): job.counts for job in batch}.values():
            counts.writes += 1
        self._before_writing()
        outcomes = await self._switch.write_rules(updates)
        again: list[_Job] = []
        for job, update, outcome in zip(batch, updates, outcomes, strict=True):
            if self._settle(job, update, outcome):
                again.append(job)
        return again

    def _update(self, job: _Job) -> RuleUpdate:
        if job.rule is None:
            return RuleUpdate(Operation.DELETE, job.flow, None)
        known = job.flow in self.rules
        return RuleUpdate(Operation.MODIFY if known else Operation.INSERT, job.flow, job.rule)

    def _settle(self, job: _Job, update: RuleUpdate, outcome: UpdateOutcome) -> bool:
        """Takes note of an outcome; whether the job must be done again."""
        match outcome.result:
            case WriteResult.WRITTEN:
                self._note(job)
                job.done(outcome)
            case WriteResult.MISSING if update.operation is Operation.DELETE:
                self._note(job)
                job.done(UpdateOutcome(WriteResult.WRITTEN))
            case WriteResult.MISSING if update.operation is Operation.MODIFY:
                self.rules.pop(job.flow, None)
                return True
            case WriteResult.EXISTS if update.operation is Operation.INSERT and job.rule:
                self.rules[job.flow] = job.rule
                return True
            case WriteResult.UNANSWERED:
                job.attempts += 1
                if job.attempts < self._limits.write_attempts:
                    return True
                self._give_up(job, outcome.reason)
            case _ if job.attempts:  # the try that was not answered may have been done
                self._give_up(job, outcome.reason)
            case _:
                job.done(UpdateOutcome(WriteResult.REFUSED, outcome.reason))
        return False

    def _give_up(self, job: _Job, reason: str) -> None:
        before = self.rules.get(job.flow)
        if before is not None:
            self.may_be.setdefault(job.flow, set()).add(before)
        if job.rule is not None:  # it may be there: if not, the next update tells
            self.rules[job.flow] = job.rule
        job.done(UpdateOutcome(WriteResult.UNANSWERED, reason))

    def _note(self, job: _Job) -> None:
        self.may_be.pop(job.flow, None)
        if job.rule is None:
            self.rules.pop(job.flow, None)
        else:
            self.rules[job.flow] = job.rule
