"""Roles and their primaries: pytest tests/unit/bmv2/test_p4runtime_roles.py"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import pytest
from fake_switch import Switch
from finsy.proto import p4r
from p4rt_client import (
    INSERT,
    Controller,
    controller,
    entry,
    flow_rule,
    program,
    update,
)

from bmv2.embedded.p4runtime import arbitration, packet_in

OK, NOT_FOUND, ALREADY_EXISTS = 0, 5, 6


@asynccontextmanager
async def player(switch: Switch, role: str) -> AsyncGenerator[Controller]:
    async with controller(switch.address) as client:
        client.role = role
        yield client


async def code_of(call: object) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # pyright: ignore[reportGeneralTypeIssues]
    return caught.value.code()


async def test_each_role_has_a_primary_of_its_own(switch: Switch, primary: Controller) -> None:
    async with player(switch, "acl") as first, player(switch, "acl") as second:
        answer = await first.arbitrate(10)  # the election id of the default role's primary
        assert (answer.status.code, answer.role.name) == (OK, "acl")
        assert (await second.arbitrate(4)).status.code == ALREADY_EXISTS
        await first.insert(flow_rule(1))
        await primary.insert(flow_rule(2))
        assert await code_of(second.insert(flow_rule(3))) == grpc.StatusCode.PERMISSION_DENIED
        found = await second.read(entry("flow_rules"), role="acl")
        assert len(found) == 2
        first.stream.cancel()
        assert (await second.arbitration()).status.code == NOT_FOUND
    # Nobody of the default role has heard of all this.
    assert (await primary.arbitrate(10)).status.code == OK


async def test_a_primary_of_a_named_role_can_load_a_program(switch: Switch) -> None:
    async with player(switch, "acl") as client:
        await client.arbitrate(1)
        await client.set_program(program())
        await client.insert(flow_rule(1))


async def test_the_election_id_must_be_the_roles(switch: Switch, primary: Controller) -> None:
    async with player(switch, "acl") as client:
        await client.arbitrate(3)
        client.election_id = 10
        assert await code_of(client.write()) == grpc.StatusCode.PERMISSION_DENIED


async def test_an_unknown_role_is_not_found(switch: Switch, primary: Controller) -> None:
    primary.role = "nobody"
    for call in (
        primary.write(update(INSERT, flow_rule(1))),
        primary.set_program(program()),
        primary.read(p4r.TableEntry(), role="nobody"),
    ):
        assert await code_of(call) == grpc.StatusCode.NOT_FOUND


async def test_a_stream_keeps_its_role(switch: Switch, primary: Controller) -> None:
    primary.role = "acl"
    assert await code_of(primary.arbitrate(11)) == grpc.StatusCode.FAILED_PRECONDITION


async def test_every_primary_gets_packets_and_may_send_some(
    switch: Switch, primary: Controller
) -> None:
    async with player(switch, "io") as client, player(switch, "io") as backup:
        await client.arbitrate(3)
        await backup.arbitrate(2)
        switch.backend.emit(bytes(12) + b"for all")
        for each in (primary, client):
            assert (await each.receive()).packet.payload == b"for all"
        metadata = [p4r.PacketMetadata(metadata_id=n, value=b"\0") for n in range(1, 6)]
        await client.send(packet=p4r.PacketOut(payload=b"out", metadata=metadata))
        for each in (primary, client):
            assert (await each.receive()).packet.payload == b"out"
        assert switch.backend.sent == [bytes(8) + b"out"]


async def test_a_primary_that_does_not_read_does_not_hold_up_another(
    switch: Switch,
    primary: Controller,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(packet_in, "_PATIENCE_S", 0.5)
    payload, count = bytes(4096), 8192  # more than gRPC and the outbox take in for one who waits
    async with player(switch, "io") as deaf:
        await deaf.arbitrate(3)
        for number in range(count):
            switch.backend.emit(bytes(4) + number.to_bytes(4) + bytes(4) + payload)
        for number in range(count):
            packet = (await primary.receive()).packet
            assert int.from_bytes(packet.metadata[4].value) == number
    assert "a primary does not read its packet_ins: it misses some" in caplog.messages


async def test_there_are_not_too_many_roles(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arbitration, "_MAX_ROLES", 2)
    async with player(switch, "one") as first, player(switch, "two") as second:
        await first.arbitrate(1)
        assert await code_of(second.arbitrate(1)) == grpc.StatusCode.RESOURCE_EXHAUSTED
