"""The entities of a small program over a data plane, without gRPC in between."""

from __future__ import annotations

from typing import Any

import pytest
from fake_backend import FakeBackend
from finsy.proto import p4r
from p4rt_client import INSERT, MODIFY, Ids, encoded, entity, small_program, update

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import P4RuntimeError, code_number
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.pipeline import Pipeline

INVALID, NOT_FOUND, EXISTS, DENIED, EXHAUSTED, PRECONDITION = 3, 5, 6, 7, 8, 9
ABORTED, OUT_OF_RANGE, UNIMPLEMENTED = 10, 11, 12


class Desk:
    """Reads and writes as a controller does, with all rights."""

    def __init__(self, name: str, backend: Backend) -> None:
        config = small_program(name)
        self.ids = Ids(config.p4info)
        self.pipeline = Pipeline(config, schema_of(config.p4info), backend)

    def write(self, kind: p4r.Update.Type.ValueType, *messages: Any) -> None:
        for message in messages:
            self.pipeline.entities.write(update(kind, message))

    def insert(self, *messages: Any) -> None:
        self.write(INSERT, *messages)

    def modify(self, *messages: Any) -> None:
        self.write(MODIFY, *messages)

    def refusal(self, kind: p4r.Update.Type.ValueType, message: Any) -> tuple[int, str]:
        """Code and message of the error that a write gets."""
        with pytest.raises(P4RuntimeError) as caught:
            self.write(kind, message)
        return code_number(caught.value.code), caught.value.message

    def read(self, query: Any) -> list[p4r.Entity]:
        return list(self.pipeline.entities.select(entity(query)))

    def read_refusal(self, query: Any) -> tuple[int, str]:
        """Code and message of the error that a read gets."""
        with pytest.raises(P4RuntimeError) as caught:
            self.read(query)
        return code_number(caught.value.code), caught.value.message

    def call(self, name: str, *arguments: int) -> p4r.Action:
        params = [
            p4r.Action.Param(param_id=number, value=encoded(value))
            for number, value in enumerate(arguments, 1)
        ]
        return p4r.Action(action_id=self.ids.action[name], params=params)


class FakeDesk(Desk):
    """A desk before a fake data plane."""

    backend: FakeBackend

    def __init__(self, name: str, backend: FakeBackend | None = None) -> None:
        self.backend = backend or FakeBackend()
        super().__init__(name, self.backend)
