"""Types that the controller sees wider than the program has them, and enums.

Run: pytest tests/unit/bmv2/test_p4runtime_translated.py
"""

from __future__ import annotations

import pytest
from finsy.proto import p4d, p4r
from p4rt_bench import Bench, Start
from p4rt_client import DELETE, INSERT, MODIFY, encoded, exact
from p4rt_desk import INVALID, OUT_OF_RANGE

from bmv2.embedded.p4runtime.batch import Batch, write_batch
from bmv2.embedded.p4runtime.errors import P4RuntimeError


@pytest.fixture
def bench(start: Start) -> Bench:
    return start("translated")


def rule(bench: Bench, one: int, two: int, answer: int, action: str = "answer") -> p4r.TableEntry:
    return p4r.TableEntry(
        table_id=bench.ids.table["exactly"],
        match=exact(one, two),
        action=p4r.TableAction(action=bench.call(action, answer)),
    )


def perhaps(bench: Bench, one: int, answer: int) -> p4r.TableEntry:
    optional = p4r.FieldMatch.Optional(value=encoded(one))
    return p4r.TableEntry(
        table_id=bench.ids.table["perhaps"],
        match=[p4r.FieldMatch(field_id=1, optional=optional)],
        priority=1,
        action=p4r.TableAction(action=bench.call("answer", answer)),
    )


def answer_to(bench: Bench, one: int, two: int) -> int:
    came = bench.process(0, one.to_bytes(2, "big") + two.to_bytes(2, "big") + bytes(3))
    assert came is not None
    assert came[0] == 1
    return int.from_bytes(came[1][4:6], "big")


def write_at_once(bench: Bench, *entries: p4r.TableEntry) -> None:
    """A Write as it comes by gRPC: what is plain of it goes another way."""
    updates = [p4r.Update(type=INSERT, entity=p4r.Entity(table_entry=each)) for each in entries]
    request = p4r.WriteRequest(updates=updates)
    assert write_batch(bench.pipeline, Batch.parse(request.SerializeToString())) == [None] * len(
        entries
    )


def test_entries_hit_however_they_came(bench: Bench) -> None:
    bench.insert(rule(bench, 300, 511, 21))
    write_at_once(bench, rule(bench, 300, 510, 22), perhaps(bench, 7, 23))
    bench.insert(perhaps(bench, 8, 24))
    keys = [(300, 511), (300, 510), (7, 0), (8, 0), (9, 0)]
    assert [answer_to(bench, *key) for key in keys] == [21, 22, 23, 24, 0]
    assert len(bench.read(p4r.TableEntry(table_id=bench.ids.table["exactly"]))) == 2
    bench.write(DELETE, rule(bench, 300, 510, 22))
    assert answer_to(bench, 300, 510) == 0


def test_what_the_program_has_no_room_for_is_refused(bench: Bench) -> None:
    for entry in (rule(bench, 512, 0, 1), rule(bench, 0, 0, 600), perhaps(bench, 1 << 20, 1)):
        code, message = bench.refusal(INSERT, entry)
        assert code == INVALID
        assert "does not fit into 9 bits" in message


def register(bench: Bench, name: str, data: p4d.P4Data, index: int = 1) -> p4r.RegisterEntry:
    return p4r.RegisterEntry(
        register_id=bench.ids.register[name], index=p4r.Index(index=index), data=data
    )


def test_a_register_of_an_enum_has_its_values(bench: Bench) -> None:
    blue = register(bench, "colours", p4d.P4Data(enum_value=b"\xc8"))
    bench.modify(blue)
    assert [each.register_entry for each in bench.read(blue)] == [blue]
    came = bench.process(0, bytes(7))
    assert came is not None
    assert came[1][6] == 200
    bits = register(bench, "colours", p4d.P4Data(bitstring=b"\1"))
    code, message = bench.refusal(MODIFY, bits)
    assert code == INVALID
    assert message.endswith("bitstring is given, it has a enum_value")
    assert bench.refusal(MODIFY, register(bench, "colours", p4d.P4Data(enum_value=b"\1\0")))[0] == (
        OUT_OF_RANGE
    )


def test_a_register_of_a_translated_type_has_the_bits_of_the_program(bench: Bench) -> None:
    answer_to(bench, 511, 0)
    (read,) = bench.read(register(bench, "last", p4d.P4Data(), index=2))
    assert read.register_entry.data.bitstring == encoded(511)
    beyond = register(bench, "last", p4d.P4Data(bitstring=encoded(512)))
    assert bench.refusal(MODIFY, beyond)[0] == OUT_OF_RANGE


def test_a_packet_out_bears_the_program_s_header(bench: Bench) -> None:
    metadata = [
        p4r.PacketMetadata(metadata_id=1, value=b"\0"),
        p4r.PacketMetadata(metadata_id=2, value=b"\2"),
    ]
    frame = bytes(14) + bytes(7)
    bench.pipeline.send_packet_out(p4r.PacketOut(payload=frame, metadata=metadata))
    bench.dataplane.process()
    assert bench.dataplane.receive() == [(2, frame)]
    metadata[1].value = encoded(512)
    with pytest.raises(P4RuntimeError, match="does not fit into 9 bits"):
        bench.pipeline.send_packet_out(p4r.PacketOut(payload=frame, metadata=metadata))


def test_a_packet_in_tells_its_fields(bench: Bench) -> None:
    bench.insert(rule(bench, 5, 6, 300, "to_controller"))
    bench.dataplane.send(0, bytes(14) + bytes([0, 5, 0, 6, 0, 0, 0]))
    bench.dataplane.process()
    (packet,) = bench.dataplane.receive_packet_ins()
    message = bench.pipeline.packet_in.unpack(packet)
    assert [each.value for each in message.metadata] == [encoded(300), b"\0"]
