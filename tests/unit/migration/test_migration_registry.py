"""Whom a packet belongs to: pytest tests/unit/migration/test_migration_registry.py"""

from __future__ import annotations

import pytest
from instance_model import flow_of

from controlplane.migration import flow_registry
from controlplane.migration.flow_registry import FlowRegistry
from controlplane.migration.record import FlowRecord
from controlplane.migration.state import State


class Nobody:
    def held(self, record: FlowRecord, frame: bytes) -> None: ...

    def led_to(self, record: FlowRecord) -> int:
        return 0


def ended(registry: FlowRegistry, flow: int, migration: int, **how: bool) -> None:
    record = FlowRecord(flow_of(flow), migration, State())
    registry.add(record, Nobody())
    assert registry.find(migration) is not None
    registry.end(record, **{"stray": False, **how})
    assert len(registry) == 0
    assert record.flow not in registry


def test_what_went_well_is_forgotten_at_once() -> None:
    ended(registry := FlowRegistry(), 1, 7)
    assert registry.find(7) is None


def test_of_those_that_did_not_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_registry, "_MAX_STRAYS", 3)
    registry = FlowRegistry()
    for number in range(5):
        ended(registry, number, number, stray=True)
    assert [registry.find(number) is not None for number in range(5)] == [False] * 2 + [True] * 3


def test_a_stranded_flow_is_remembered_until_its_rule_goes() -> None:
    registry = FlowRegistry()
    ended(registry, 1, 7, stray=True, stranded=True)
    ended(registry, 2, 8, stray=True, stranded=True)
    registry.forget(flow_of(1))
    registry.forget(flow_of(3))
    assert registry.find(7) is None
    assert registry.find(8) is not None


def test_a_stranded_flow_is_known_by_all_numbers_that_its_rule_may_have() -> None:
    registry = FlowRegistry()
    ended(registry, 1, 7, stray=True, stranded=True)
    ended(registry, 1, 9, stray=True)
    ended(registry, 1, 11, stray=True, stranded=True)
    assert registry.find(7) is not None
    assert registry.find(11) is not None
    registry.forget(flow_of(1))
    assert registry.find(7) is None
    assert registry.find(11) is None


def test_packets_of_a_stranded_flow_may_come_when_its_rule_has_gone() -> None:
    registry = FlowRegistry()
    ended(registry, 1, 7, stray=True, stranded=True)
    registry.forget(flow_of(1), stray=True)
    assert registry.find(7) is not None
    assert not registry.is_stranded(flow_of(1))
