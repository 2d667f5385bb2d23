"""The updates of one Write, as its atomicity asks (specification, section 12.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from finsy.proto import p4r

from bmv2.embedded.p4runtime.entities import Entities
from bmv2.embedded.p4runtime.errors import Code, P4RuntimeError, unimplemented
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.embedded.p4runtime.undo import undo_of

Results: TypeAlias = list[P4RuntimeError | None]
"""One an update, in their order; None for what was done."""


def write_batch(
    pipeline: Pipeline,
    updates: Sequence[p4r.Update],
    atomicity: p4r.WriteRequest.Atomicity.ValueType,
) -> Results:
    """Does the updates of a batch.

    Raises P4RuntimeError (UNIMPLEMENTED) for an atomicity that is not known.
    """
    match atomicity:
        case p4r.WriteRequest.CONTINUE_ON_ERROR:
            return _write_each(pipeline.entities, updates)
        case p4r.WriteRequest.ROLLBACK_ON_ERROR:
            return _write_all_or_none(pipeline.entities, updates)
        case _:
            raise unimplemented(f"atomicity {atomicity}")


def _write_each(entities: Entities, updates: Sequence[p4r.Update]) -> Results:
    results: Results = []
    for update in updates:
        try:
            entities.write(update)
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
            for each in reversed(done):
                entities.write(each)
            other = P4RuntimeError(Code.ABORTED, f"rolled back: update {index} failed")
            return [error if place == index else other for place in range(len(updates))]
        done += reversed(undo)
    return [None] * len(updates)
