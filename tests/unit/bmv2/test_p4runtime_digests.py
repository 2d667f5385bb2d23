"""Digests on the stream: pytest tests/unit/bmv2/test_p4runtime_digests.py"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from fake_switch import Switch
from finsy.proto import p4d, p4i, p4r, p4t
from p4rt_client import (
    DELETE,
    INSERT,
    MODIFY,
    Controller,
    Ids,
    controller,
    encoded,
    entity,
    small_program,
    update,
)
from p4rt_desk import EXISTS, INVALID, NOT_FOUND, UNIMPLEMENTED, FakeDesk

from bmv2.embedded.p4runtime.data_type import data_type
from bmv2.embedded.p4runtime.errors import P4RuntimeError, code_number

IDS = Ids(small_program("digest").p4info)
LONG_NS = 10**12


def digest(name: str = "learned_t", **config: int) -> p4r.DigestEntry:
    return p4r.DigestEntry(
        digest_id=IDS.digest[name],
        config=p4r.DigestEntry.Config(**config),
    )


def learned(*values: int) -> p4d.P4Data:
    members = [p4d.P4Data(bitstring=encoded(value)) for value in values]
    return p4d.P4Data(struct=p4d.P4StructLike(members=members))


@pytest_asyncio.fixture
async def learner(switch: Switch) -> AsyncGenerator[Controller]:
    """The primary, with a program that has digests."""
    async with controller(switch.address) as client:
        await client.arbitrate(10)
        await client.set_program(small_program("digest"))
        yield client


async def received(client: Controller) -> p4r.DigestList:
    message = await client.receive()
    assert message.WhichOneof("update") == "digest"
    return message.digest


async def test_a_digest_reaches_the_controller(switch: Switch, learner: Controller) -> None:
    await learner.write(update(INSERT, digest()))
    switch.backend.digest("odd_t", 1, 2, 3)  # which nobody wants
    switch.backend.digest("learned_t", 0xA0B0, 7)
    message = await received(learner)
    assert (message.digest_id, message.list_id) == (IDS.digest["learned_t"], 1)
    assert list(message.data) == [learned(0xA0B0, 7)]
    assert message.timestamp > 10**18


async def test_digests_are_collected_until_the_list_is_full(
    switch: Switch, learner: Controller
) -> None:
    await learner.write(update(INSERT, digest(max_timeout_ns=LONG_NS, max_list_size=3)))
    for number in (1, 2, 1, 2, 3):
        switch.backend.digest("learned_t", number, 0)
    assert list((await received(learner)).data) == [learned(number, 0) for number in (1, 2, 3)]


async def test_digests_are_collected_for_a_time(switch: Switch, learner: Controller) -> None:
    await learner.write(update(INSERT, digest(max_timeout_ns=1_000_000)))
    switch.backend.digest("learned_t", 1, 0)
    switch.backend.digest("learned_t", 2, 0)
    assert list((await received(learner)).data) == [learned(1, 0), learned(2, 0)]


async def test_a_shorter_time_is_for_what_waits_as_well(
    switch: Switch, learner: Controller
) -> None:
    await learner.write(update(INSERT, digest(max_timeout_ns=LONG_NS)))
    switch.backend.digest("learned_t", 1, 0)
    while switch.backend.digests:
        await learner.arbitrate(10)
    await learner.write(update(MODIFY, digest(max_timeout_ns=1_000_000)))
    assert list((await received(learner)).data) == [learned(1, 0)]


async def test_an_acknowledged_digest_comes_again(switch: Switch, learner: Controller) -> None:
    await learner.write(update(INSERT, digest(ack_timeout_ns=LONG_NS)))
    switch.backend.digest("learned_t", 1, 0)
    first = await received(learner)
    switch.backend.digest("learned_t", 1, 0)  # not sent: it is not acknowledged
    switch.backend.digest("learned_t", 2, 0)
    second = await received(learner)
    assert list(second.data) == [learned(2, 0)]
    ack = p4r.DigestListAck(digest_id=first.digest_id, list_id=first.list_id)
    await learner.send(digest_ack=ack)
    await learner.arbitrate(10)  # the stream is in order: the acknowledgement has been taken
    switch.backend.digest("learned_t", 2, 0)
    switch.backend.digest("learned_t", 1, 0)
    third = await received(learner)
    assert (third.list_id, list(third.data)) == (3, [learned(1, 0)])


async def test_a_new_primary_is_told_what_the_old_one_knew(
    switch: Switch, learner: Controller
) -> None:
    await learner.write(update(INSERT, digest(ack_timeout_ns=LONG_NS)))
    switch.backend.digest("learned_t", 1, 0)
    await received(learner)
    async with controller(switch.address) as successor:
        await successor.arbitrate(11)
        switch.backend.digest("learned_t", 1, 0)
        assert list((await received(successor)).data) == [learned(1, 0)]


async def test_bad_acknowledgements_are_reported(switch: Switch, learner: Controller) -> None:
    ack = p4r.DigestListAck(digest_id=5, list_id=1)
    await learner.send(digest_ack=ack)
    error = (await learner.receive()).error
    assert (error.canonical_code, "no digest with id 5" in error.message) == (INVALID, True)
    assert error.digest_list_ack.digest_list_ack == ack
    async with controller(switch.address) as backup:
        await backup.arbitrate(1)
        await backup.send(digest_ack=p4r.DigestListAck(digest_id=IDS.digest["odd_t"]))
        error = (await backup.receive()).error
        assert (error.canonical_code, error.message) == (7, "digest_ack: not primary")


async def test_reconcile_keeps_what_is_wanted(switch: Switch, learner: Controller) -> None:
    wanted = digest(max_list_size=2, max_timeout_ns=3, ack_timeout_ns=4)
    await learner.write(update(INSERT, wanted))
    kind = p4r.SetForwardingPipelineConfigRequest.RECONCILE_AND_COMMIT
    await learner.set_program(small_program("digest"), kind)
    assert await learner.read(p4r.DigestEntry()) == [entity(wanted)]
    switch.backend.digest("learned_t", 1, 0)
    assert list((await received(learner)).data) == [learned(1, 0)]


def test_the_configuration_is_written_and_read() -> None:
    desk = FakeDesk("digest")
    first, second = digest(max_list_size=2, ack_timeout_ns=4), digest("odd_t", max_timeout_ns=5)
    desk.insert(first, second)
    assert desk.read(p4r.DigestEntry()) == [entity(first), entity(second)]
    changed = digest(max_timeout_ns=9)
    desk.modify(changed)
    assert desk.read(digest()) == [entity(changed)]
    desk.write(DELETE, digest())
    assert desk.read(p4r.DigestEntry()) == [entity(second)]
    assert desk.read_refusal(digest())[0] == NOT_FOUND


@pytest.mark.parametrize(
    ("kind", "message", "code", "words"),
    [
        (INSERT, digest("odd_t"), EXISTS, "it is configured"),
        (MODIFY, digest(), NOT_FOUND, "it is not configured"),
        (DELETE, digest(), NOT_FOUND, "it is not configured"),
        (INSERT, digest(max_list_size=-1), INVALID, "negative"),
        (MODIFY, digest("odd_t", ack_timeout_ns=-1), INVALID, "negative"),
        (INSERT, p4r.DigestEntry(), INVALID, "the digest id is missing"),
        (INSERT, p4r.DigestEntry(digest_id=5), NOT_FOUND, "no digest with id 5"),
    ],
)
def test_a_bad_update_says_what_and_why(
    kind: p4r.Update.Type.ValueType, message: p4r.DigestEntry, code: int, words: str
) -> None:
    desk = FakeDesk("digest")
    desk.insert(digest("odd_t"))
    found = desk.refusal(kind, message)
    assert (found[0], words in found[1]) == (code, True), found
    assert desk.read(p4r.DigestEntry()) == [entity(digest("odd_t"))]


# --- types -----------------------------------------------------------------------


def bits(width: int) -> p4t.P4DataTypeSpec:
    spec = p4t.P4DataTypeSpec()
    spec.bitstring.bit.bitwidth = width
    return spec


def signed(width: int) -> p4t.P4DataTypeSpec:
    spec = p4t.P4DataTypeSpec()
    spec.bitstring.int.bitwidth = width
    return spec


def named(kind: str, name: str) -> p4t.P4DataTypeSpec:
    spec = p4t.P4DataTypeSpec()
    getattr(spec, kind).name = name
    return spec


def types() -> p4t.P4TypeInfo:
    info = p4i.P4Info().type_info
    info.structs["pair"].members.add(
        name="flag", type_spec=p4t.P4DataTypeSpec(bool=p4t.P4BoolType())
    )
    info.structs["pair"].members.add(name="id", type_spec=named("new_type", "id_t"))
    info.serializable_enums["e"].underlying_type.bitwidth = 8
    info.new_types["id_t"].original_type.CopyFrom(bits(8))
    info.new_types["port_t"].translated_type.sdn_bitwidth = 32
    info.new_types["name_t"].translated_type.sdn_string.SetInParent()
    return info


@pytest.mark.parametrize(
    ("spec", "values", "expected"),
    [
        (bits(16), [0x63], p4d.P4Data(bitstring=b"\x63")),
        (signed(8), [0x63], p4d.P4Data(bitstring=b"\x63")),
        (signed(8), [0x9D], p4d.P4Data(bitstring=b"\x9d")),
        (signed(12), [0xD1D], p4d.P4Data(bitstring=b"\xfd\x1d")),
        (signed(16), [0], p4d.P4Data(bitstring=b"\0")),
        (signed(16), [200], p4d.P4Data(bitstring=b"\0\xc8")),
        (signed(16), [0xFF80], p4d.P4Data(bitstring=b"\x80")),
        (named("serializable_enum", "e"), [3], p4d.P4Data(enum_value=b"\3")),
        (named("new_type", "port_t"), [9], p4d.P4Data(bitstring=b"\x09")),
        (
            named("struct", "pair"),
            [1, 7],
            p4d.P4Data(
                struct=p4d.P4StructLike(
                    members=[p4d.P4Data(bool=True), p4d.P4Data(bitstring=b"\7")]
                )
            ),
        ),
        (
            p4t.P4DataTypeSpec(tuple=p4t.P4TupleTypeSpec(members=[bits(8)])),
            [5],
            p4d.P4Data(tuple=p4d.P4StructLike(members=[p4d.P4Data(bitstring=b"\5")])),
        ),
    ],
)
def test_values_by_type(spec: p4t.P4DataTypeSpec, values: list[int], expected: Any) -> None:
    assert data_type(spec, types()).encode(iter(values)) == expected


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        (named("struct", "no"), INVALID, "no type no"),
        (named("new_type", "no"), INVALID, "no type no"),
        (named("new_type", "name_t"), UNIMPLEMENTED, "translated to a string"),
        (named("header", "h"), UNIMPLEMENTED, "data of type header"),
    ],
)
def test_types_that_cannot_be(spec: p4t.P4DataTypeSpec, code: int, words: str) -> None:
    with pytest.raises(P4RuntimeError, match=words) as caught:
        data_type(spec, types())
    assert code_number(caught.value.code) == code
