"""The server driven by an independent client: pytest tests/unit/bmv2/test_p4runtime_finsy.py"""

from __future__ import annotations

import asyncio
from typing import Any

import finsy as fy
import pytest
from fake_switch import Switch
from p4rt_client import BUILD, DEVICE, controller

_WAIT_S = 10.0


def finsy_client(switch: Switch, election_id: int = 10) -> fy.Switch:
    options = fy.SwitchOptions(
        p4info=BUILD / "uhaul.p4info.txtpb",
        p4blob=BUILD / "uhaul.json",
        device_id=DEVICE,
        initial_election_id=election_id,
    )
    return fy.Switch("s1", switch.address, options)


def rule(number: int) -> fy.P4TableEntry:
    match = fy.P4TableMatch(low_address=number, high_address=9, low_port=1, high_port=2, protocol=6)
    action = fy.P4TableAction("to_instance", instance=1)
    return fy.P4TableEntry("flow_rules", match=match, action=action)


async def read(client: fy.Switch, query: Any) -> list[Any]:
    found: Any = client.read(query)
    return [each async for each in found]


async def test_entries(switch: Switch) -> None:
    async with finsy_client(switch) as client:
        assert client.is_primary
        await client.write([+rule(number) for number in range(1, 10)])
        await client.write([-rule(1), ~rule(2)], strict=True)
        found = await read(client, fy.P4TableEntry("flow_rules"))
        assert [each.match["low_address"] for each in found] == list(range(2, 10))


async def test_counters_and_registers(switch: Switch) -> None:
    async with finsy_client(switch) as client:
        counter = fy.P4CounterEntry("drops", index=3, data=fy.P4CounterData(packet_count=4))
        cell = fy.P4RegisterEntry("way_0.fit_low", index=5, data=77)
        await client.write([counter, cell])
        (found,) = await read(client, fy.P4CounterEntry("drops", index=3))
        assert found.packet_count == 4
        cells = await read(client, fy.P4RegisterEntry("way_0.fit_low"))
        assert [each.data for each in cells] == [0, 0, 0, 0, 0, 77] + [0] * 8186


async def test_packets(switch: Switch) -> None:
    async with finsy_client(switch) as client, asyncio.timeout(_WAIT_S):
        packets = client.read_packets()
        arrival = asyncio.ensure_future(anext(packets))
        await asyncio.sleep(0)  # the client listens from its first step on
        fields = {"kind": 3, "instance": 0, "egress_port": 0, "pad": 0, "migration": 9}
        await client.write([fy.P4PacketOut(b"payload", **fields)])
        packet = await arrival
        assert (packet.payload, packet["reason"], packet["migration"]) == (b"payload", 3, 9)


async def test_a_failed_batch_names_its_updates(switch: Switch) -> None:
    async with finsy_client(switch) as client:
        await client.write([+rule(2)])
        with pytest.raises(fy.P4ClientError) as caught:
            await client.write([+rule(1), +rule(2), +rule(3)])
        assert list(caught.value.details) == [1]
        assert caught.value.details[1].canonical_code == fy.GRPCStatusCode.ALREADY_EXISTS


async def test_the_program_stays_when_a_controller_comes_back(switch: Switch) -> None:
    async with finsy_client(switch) as client:
        await client.write([+rule(1)])
    async with finsy_client(switch) as client:
        assert len(await read(client, fy.P4TableEntry("flow_rules"))) == 1
    assert len(switch.loaded) == 1


async def test_a_backup_takes_over(switch: Switch) -> None:
    async with finsy_client(switch, 10) as backup:
        await backup.write([+rule(1)])
        became_backup, became_primary = asyncio.Event(), asyncio.Event()

        def on_backup(_: fy.Switch) -> None:
            became_backup.set()

        def on_primary(_: fy.Switch) -> None:
            became_primary.set()

        backup.ee.add_listener(fy.SwitchEvent.BECOME_BACKUP, on_backup)
        backup.ee.add_listener(fy.SwitchEvent.BECOME_PRIMARY, on_primary)
        async with asyncio.timeout(_WAIT_S):
            async with controller(switch.address) as primary:
                await primary.arbitrate(20)
                await became_backup.wait()
                with pytest.raises(fy.P4ClientError, match="not primary"):
                    await backup.write([+rule(2)])
            await became_primary.wait()
        await backup.write([+rule(2)])
