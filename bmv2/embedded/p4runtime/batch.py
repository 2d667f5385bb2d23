"""The updates of one Write, as its atomicity asks (specification, section 12.2)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from finsy.proto import p4r

from bmv2.embedded.p4runtime.entities import Entities
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, unimplemented
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.undo import undo_of

_log = logging.getLogger(__name__)

Results: TypeAlias = list[P4RuntimeError | None]
"""One an update, in their order; None for what was done."""


class Batch(NamedTuple):
    """A Write, as it is and as it came."""

    request: p4r.WriteRequest
    serialised: bytes

    @classmethod
    def parse(cls, serialised: bytes) -> Batch:
        """A Write from what came. Raises DecodeError."""
        return cls(p4r.WriteRequest.FromString(serialised), serialised)


def write_batch(pipeline: Pipeline, batch: Batch) -> Results:
    """Does the updates of a batch.

    Raises P4RuntimeError (UNIMPLEMENTED) for an atomicity that is not known.
    """
    match batch.request.atomicity:
        case p4r.WriteRequest.CONTINUE_ON_ERROR:
            return _write_each(pipeline.entities, batch)
        case p4r.WriteRequest.ROLLBACK_ON_ERROR:
            return _write_all_or_none(pipeline.entities, batch.request.updates)
        case other:
            raise unimplemented(f"atomicity {other}")


def _write_each(entities: Entities, batch: Batch) -> Results:
    results: Results = []
    updates = batch.request.updates
    runs = entities.plain.runs(batch.serialised)
    while len(results) < len(updates):
        done = next(runs)
        if done:
            results += [None] * done
            continue
        try:
            entities.write(updates[len(results)])
            results.append(None)
        except P4RuntimeError as error:
            results.append(error)
    return results


def _write_all_or_none(entities: Entities, updates: Sequence[p4r.Update]) -> Results:
    done: list[p4r.Update] = []
    for index, update in enumerate(updates):
        undo = undo_of(entities, update)
        try:
            entities.write(update)
        except P4RuntimeError as error:
            _undo(entities, done)
            other = P4RuntimeError(Code.ABORTED, f"rolled back: update {index} failed")
            return [error if place == index else other for place in range(len(updates))]
        done += reversed(undo)
    return [None] * len(updates)


def _undo(entities: Entities, done: list[p4r.Update]) -> None:
    for each in reversed(done):
        try:
            entities.write(each)
        except P4RuntimeError as error:
            _log.error("an update of a batch that failed cannot be undone: %s", error)
