"""Arbitration and packets on the stream: pytest tests/unit/bmv2/test_p4runtime_stream.py"""

from __future__ import annotations

import errno
from typing import Any

import grpc
import pytest
from fake_switch import Switch
from finsy.proto import p4r
from google.protobuf import any_pb2
from p4rt_client import DEVICE, Controller, controller, program

OK, NOT_FOUND, ALREADY_EXISTS = 0, 5, 6


def seen(update: p4r.MasterArbitrationUpdate) -> tuple[int, int]:
    """Status code and highest election id."""
    return update.status.code, update.election_id.low


async def test_a_higher_election_id_takes_over_and_both_hear_of_it(switch: Switch) -> None:
    async with controller(switch.address) as first, controller(switch.address) as second:
        assert seen(await first.arbitrate(5)) == (OK, 5)
        assert seen(await second.arbitrate(3)) == (ALREADY_EXISTS, 5)
        assert seen(await second.arbitrate(8)) == (OK, 8)
        assert seen(await first.arbitration()) == (ALREADY_EXISTS, 8)


async def test_when_the_primary_leaves_nobody_is_until_one_asks(switch: Switch) -> None:
    async with controller(switch.address) as backup:
        async with controller(switch.address) as primary:
            await primary.arbitrate(5)
            assert seen(await backup.arbitrate(3)) == (ALREADY_EXISTS, 5)
        assert seen(await backup.arbitration()) == (NOT_FOUND, 5)
        assert seen(await backup.arbitrate(4)) == (NOT_FOUND, 5)
        assert seen(await backup.arbitrate(5)) == (OK, 5)


async def test_a_primary_can_step_down(switch: Switch) -> None:
    async with controller(switch.address) as first, controller(switch.address) as second:
        await first.arbitrate(5)
        await second.arbitrate(None)
        assert seen(await first.arbitrate(4)) == (NOT_FOUND, 5)
        assert seen(await second.arbitration()) == (NOT_FOUND, 5)


async def test_without_election_id_a_controller_is_never_primary(switch: Switch) -> None:
    async with controller(switch.address) as client:
        answer = await client.arbitrate(None)
        assert answer.status.code == NOT_FOUND
        assert not answer.HasField("election_id")


async def test_zero_is_an_election_id(switch: Switch) -> None:
    async with controller(switch.address) as first, controller(switch.address) as second:
        assert seen(await first.arbitrate(0)) == (OK, 0)
        await first.set_program(program())
        assert seen(await second.arbitrate(1)) == (OK, 1)
        with pytest.raises(grpc.aio.AioRpcError, match="not primary: election id 1 is"):
            await first.write()


async def test_election_ids_have_128_bits(switch: Switch) -> None:
    async with controller(switch.address) as first, controller(switch.address) as second:
        await first.arbitrate((1 << 64) + 1)
        assert (await second.arbitrate(2)).status.code == ALREADY_EXISTS


@pytest.mark.parametrize(
    ("election_id", "more", "code", "words"),
    [
        (7, {}, grpc.StatusCode.INVALID_ARGUMENT, "election id 7 is used"),
        (8, {"device_id": 2}, grpc.StatusCode.NOT_FOUND, "no device 2"),
        (
            8,
            {"role": p4r.Role(name="sdn", config=any_pb2.Any())},
            grpc.StatusCode.INVALID_ARGUMENT,
            "role 'sdn'",
        ),
    ],
)
async def test_refused_arbitration_ends_the_stream(
    switch: Switch, election_id: int, more: dict[str, Any], code: grpc.StatusCode, words: str
) -> None:
    async with controller(switch.address) as first, controller(switch.address) as second:
        await first.arbitrate(7)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await second.arbitrate(election_id, **more)
        assert caught.value.code() == code
        assert words in (caught.value.details() or "")
        # The first one is what it was.
        assert seen(await first.arbitrate(7)) == (OK, 7)


async def test_a_live_stream_cannot_change_its_device(switch: Switch) -> None:
    async with controller(switch.address) as client:
        await client.arbitrate(7)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.arbitrate(7, device_id=2)
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_only_the_primary_writes(switch: Switch) -> None:
    async with controller(switch.address) as first, controller(switch.address) as second:
        await first.arbitrate(5)
        await second.arbitrate(4)
        for client, election_id in ((second, 4), (second, None)):
            client.election_id = election_id
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.set_program(program())
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.write()
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


def metadata(*values: int) -> list[p4r.PacketMetadata]:
    return [
        p4r.PacketMetadata(
            metadata_id=number,
            value=bytes([value])
            if value < 256
            else value.to_bytes((value.bit_length() + 7) // 8, "big"),
        )
        for number, value in enumerate(values, 1)
    ]


async def test_metadata_is_packed_bit_by_bit(switch: Switch, primary: Controller) -> None:
    fields = metadata(3, 7, 510, 0, 0xDEADBEEF)
    await primary.send(packet=p4r.PacketOut(payload=b"frame", metadata=fields))
    answer = await primary.receive()
    assert switch.backend.sent == [bytes.fromhex("0307ff00deadbeef") + b"frame"]
    assert answer.packet.payload == b"frame"
    assert list(answer.packet.metadata) == metadata(3, 7, 510, 0, 0xDEADBEEF, 0)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        (metadata(1, 2, 3, 0), 3, "metadata migration is missing"),
        (metadata(1, 2, 512, 0, 0), 3, "0x200 does not fit into 9 bits"),
        (metadata(1, 2, 3, 0, 0, 6), 3, "no metadata with id 6"),
        (metadata(1, 2, 3, 0, 0) * 2, 3, "given twice"),
    ],
)
async def test_a_bad_packet_out_is_reported_and_dropped(
    switch: Switch, primary: Controller, fields: list[p4r.PacketMetadata], code: int, words: str
) -> None:
    packet = p4r.PacketOut(payload=b"frame", metadata=fields)
    await primary.send(packet=packet)
    error = (await primary.receive()).error
    assert (error.canonical_code, words in error.message) == (code, True)
    assert error.packet_out.packet_out == packet
    assert switch.backend.sent == []


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.EMSGSIZE, "it is too large"), 3, "packet_out: it is too large"),
        (OSError(errno.ENOBUFS, "too many wait"), 8, "packet_out: too many wait"),
    ],
)
async def test_a_packet_out_that_finds_no_room_is_reported(
    switch: Switch, primary: Controller, error: OSError, code: int, words: str
) -> None:
    switch.backend.refusal = error
    fields = metadata(1, 2, 3, 0, 0)
    # One that is too large for the data plane is too large for its sender as well.
    for payload, echoed in ((b"frame", b"frame"), (bytes(5 << 20), b"")):
        await primary.send(packet=p4r.PacketOut(payload=payload, metadata=fields))
        answer = (await primary.receive()).error
        assert (answer.canonical_code, answer.message) == (code, words)
        assert answer.packet_out.packet_out == p4r.PacketOut(payload=echoed, metadata=fields)


async def test_a_backup_cannot_send_packets(switch: Switch, primary: Controller) -> None:
    async with controller(switch.address) as backup:
        await backup.arbitrate(1)
        await backup.send(packet=p4r.PacketOut(payload=b"x", metadata=metadata(0, 0, 0, 0, 0)))
        assert (await backup.receive()).error.canonical_code == 7
        assert switch.backend.sent == []


async def test_no_packet_in_is_lost_or_reordered_in_a_burst(
    switch: Switch, primary: Controller
) -> None:
    count = 20_000
    for number in range(count):
        switch.backend.emit(bytes(4) + number.to_bytes(4) + bytes(4) + b"payload")
    for number in range(count):
        packet = (await primary.receive()).packet
        assert int.from_bytes(packet.metadata[4].value, "big") == number


async def test_packets_go_to_who_is_primary_now(switch: Switch, primary: Controller) -> None:
    async with controller(switch.address) as successor:
        await successor.arbitrate(11)
        await primary.arbitration()
        switch.backend.emit(bytes(12) + b"for the successor")
        assert (await successor.receive()).packet.payload == b"for the successor"


async def test_other_stream_messages_are_refused_by_name(
    switch: Switch, primary: Controller
) -> None:
    await primary.send(other=any_pb2.Any(type_url="example/what"))
    error = (await primary.receive()).error
    assert (error.canonical_code, error.message) == (12, "stream message other")
    assert error.other.other.type_url == "example/what"


async def test_capabilities_need_no_controller(switch: Switch) -> None:
    client = Controller(switch.address)
    answer = await client.stub.Capabilities(p4r.CapabilitiesRequest())
    assert answer.p4runtime_api_version == "1.4.1"
    await client.channel.close()
    assert DEVICE == 1
