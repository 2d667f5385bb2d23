"""Meters, of arrays and of entries: pytest tests/unit/bmv2/test_p4runtime_meters.py"""

from __future__ import annotations

from typing import Any

import pytest
from finsy.proto import p4i, p4r
from p4rt_client import DELETE, INSERT, MODIFY, entity, exact
from p4rt_desk import INVALID, NOT_FOUND, OUT_OF_RANGE, UNIMPLEMENTED, FakeDesk

from bmv2.embedded.meter import MeterRates
from bmv2.embedded.p4runtime.errors import P4RuntimeError, code_number
from bmv2.embedded.p4runtime.meter_config import decode_config
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.schema import MeterType

ENTRIES = "FencedIngress.process.entries_"
CONFIG = p4r.MeterConfig(cir=1, cburst=2, pir=3, pburst=4)
RATES = MeterRates(1, 2, 3, 4)


IDS = FakeDesk("meter")
"""What names the objects of the program where there is no fixture yet."""


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk("meter")


def meter(desk: FakeDesk, index: int | None, config: p4r.MeterConfig | None = None) -> Any:
    return p4r.MeterEntry(
        meter_id=desk.ids.meter["by_packets"],
        index=None if index is None else p4r.Index(index=index),
        config=config,
    )


def row(desk: FakeDesk, key: int, **more: Any) -> p4r.TableEntry:
    action = p4r.TableAction(action=desk.call("metered"))
    table = desk.ids.table["entries_"]
    return p4r.TableEntry(table_id=table, match=exact(key), action=action, **more)


def key(desk: FakeDesk, number: int) -> p4r.TableEntry:
    return p4r.TableEntry(table_id=desk.ids.table["entries_"], match=exact(number))


def test_a_meter_is_set_and_reset(desk: FakeDesk) -> None:
    desk.modify(meter(desk, 1, CONFIG))
    assert desk.backend.meters == {("FencedIngress.process.by_packets", 1): RATES}
    assert desk.read(meter(desk, 1)) == [entity(meter(desk, 1, CONFIG))]
    every = [meter(desk, index, CONFIG if index == 1 else None) for index in range(4)]
    assert desk.read(meter(desk, None)) == [entity(each) for each in every]
    assert len(desk.read(p4r.MeterEntry())) == 8
    desk.modify(meter(desk, 1))
    assert desk.backend.meters == {}


def test_all_meters_are_set_at_once(desk: FakeDesk) -> None:
    desk.modify(meter(desk, None, CONFIG))
    assert sorted(index for _, index in desk.backend.meters) == [0, 1, 2, 3]
    desk.modify(meter(desk, None))
    assert desk.backend.meters == {}


def test_the_meter_of_an_entry_comes_and_goes_with_it(desk: FakeDesk) -> None:
    desk.insert(row(desk, 1, meter_config=CONFIG), row(desk, 2))
    assert [entry.meter for entry in desk.backend.tables[ENTRIES].values()] == [RATES, None]
    asked = p4r.TableEntry(table_id=desk.ids.table["entries_"], meter_config=p4r.MeterConfig())
    assert desk.read(asked) == [
        entity(row(desk, 1, meter_config=CONFIG)),
        entity(row(desk, 2)),
    ]
    asked.ClearField("meter_config")
    assert desk.read(asked) == [entity(row(desk, 1)), entity(row(desk, 2))]
    desk.modify(row(desk, 1))  # what is left out is reset
    assert [entry.meter for entry in desk.backend.tables[ENTRIES].values()] == [None, None]


def test_the_meter_of_an_entry_by_itself(desk: FakeDesk) -> None:
    desk.insert(row(desk, 1), row(desk, 2))
    written = p4r.DirectMeterEntry(table_entry=key(desk, 2), config=CONFIG)
    desk.modify(written)
    assert [entry.meter for entry in desk.backend.tables[ENTRIES].values()] == [None, RATES]
    assert desk.read(p4r.DirectMeterEntry(table_entry=key(desk, 2))) == [entity(written)]
    everything = desk.read(p4r.DirectMeterEntry(table_entry=p4r.TableEntry()))
    assert [each.direct_meter_entry.HasField("config") for each in everything] == [False, True]
    missing = p4r.DirectMeterEntry(table_entry=key(desk, 3))
    assert desk.read_refusal(missing)[0] == NOT_FOUND
    desk.modify(p4r.DirectMeterEntry(table_entry=key(desk, 2)))
    assert [entry.meter for entry in desk.backend.tables[ENTRIES].values()] == [None, None]


def test_the_meter_of_the_misses_is_reset_with_the_default_action(desk: FakeDesk) -> None:
    default = row(desk, 0, meter_config=CONFIG)
    default.ClearField("match")
    default.is_default_action = True
    desk.modify(default)
    assert desk.backend.default_meters == {ENTRIES: RATES}
    default.ClearField("action")
    desk.modify(default)
    assert desk.backend.default_meters == {ENTRIES: None}


@pytest.mark.parametrize(
    ("kind", "message", "code", "words"),
    [
        (INSERT, meter(IDS, 1, CONFIG), INVALID, "can only be modified"),
        (DELETE, meter(IDS, 1, CONFIG), INVALID, "can only be modified"),
        (MODIFY, meter(IDS, 4, CONFIG), OUT_OF_RANGE, "index 4"),
        (MODIFY, meter(IDS, -1, CONFIG), INVALID, "index -1"),
        (MODIFY, p4r.MeterEntry(), INVALID, "the meter id is missing"),
        (MODIFY, p4r.MeterEntry(meter_id=5), NOT_FOUND, "no meter with id 5"),
        (MODIFY, meter(IDS, 1, p4r.MeterConfig(cir=-1)), INVALID, "negative"),
        (MODIFY, meter(IDS, 1, p4r.MeterConfig(cir=2, pir=1)), INVALID, "above pir 1"),
        (MODIFY, meter(IDS, 1, p4r.MeterConfig(eburst=1)), INVALID, "no eburst"),
        (INSERT, row(IDS, 1, meter_config=p4r.MeterConfig(cir=2, pir=1)), INVALID, "pir"),
        (
            INSERT,
            row(IDS, 1, meter_counter_data=p4r.MeterCounterData()),
            UNIMPLEMENTED,
            "colour",
        ),
        (INSERT, row(IDS, 1, counter_data=p4r.CounterData()), INVALID, "no direct counter"),
        (
            MODIFY,
            p4r.DirectMeterEntry(table_entry=key(IDS, 1), config=CONFIG),
            NOT_FOUND,
            "no such entry",
        ),
    ],
)
def test_a_bad_update_says_what_and_why(
    desk: FakeDesk, kind: p4r.Update.Type.ValueType, message: Any, code: int, words: str
) -> None:
    before = repr(desk.backend)
    found = desk.refusal(kind, message)
    assert (found[0], words in found[1]) == (code, True), found
    assert repr(desk.backend) == before


TWO_RATES = MeterType.TWO_RATE_THREE_COLOR
THREE_COLOURS = MeterType.SINGLE_RATE_THREE_COLOR
TWO_COLOURS = MeterType.SINGLE_RATE_TWO_COLOR
SINGLE = {"cir": 5, "cburst": 6, "pir": 5, "pburst": 6}


@pytest.mark.parametrize(
    ("meter_type", "fields", "code"),
    [
        (TWO_RATES, SINGLE, None),
        (THREE_COLOURS, SINGLE, None),
        (TWO_COLOURS, SINGLE, None),
        (THREE_COLOURS, {**SINGLE, "eburst": 1}, UNIMPLEMENTED),
        (TWO_COLOURS, {**SINGLE, "eburst": 1}, INVALID),
        (TWO_COLOURS, {**SINGLE, "pir": 6}, INVALID),
        (THREE_COLOURS, {**SINGLE, "pburst": 7}, INVALID),
    ],
)
def test_single_rates(meter_type: MeterType, fields: dict[str, int], code: int | None) -> None:
    config = p4r.MeterConfig(**fields)
    if code is None:
        assert decode_config(meter_type, config) == MeterRates(5, 6, 5, 6)
        return
    with pytest.raises(P4RuntimeError) as caught:
        decode_config(meter_type, config)
    assert code_number(caught.value.code) == code


def test_p4info_says_which_type_a_meter_has() -> None:
    p4info = p4i.P4Info()
    message = p4info.meters.add(size=1)
    message.preamble.id = 1
    message.spec.type = p4i.MeterSpec.SINGLE_RATE_TWO_COLOR
    assert schema_of(p4info).meter(1).type is TWO_COLOURS
