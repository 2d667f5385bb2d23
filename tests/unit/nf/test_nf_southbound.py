"""The southbound protocol, client against server, over a unix socket.

Run: pytest tests/unit/nf/test_nf_southbound.py
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from nf_frames import ACK, FLOW, RST, SYN, SilentPort, tcp

from nf.asset_monitor.connection import Connection
from nf.asset_monitor.monitor import AssetMonitor
from nf.runtime.flow_table import FlowTableOptions
from nf.runtime.instance import Instance
from nf.runtime.listen import ListenError, listen
from nf.southbound import southbound_pb2 as pb
from nf.southbound import southbound_pb2_grpc as rpc
from nf.southbound.client import InstanceClient, SouthboundError
from nf.southbound.flow import ALL_BUCKETS, FiveTuple
from nf.southbound.inband import BOUNCE_MAC, build_marker, detoured, is_bounce

FLOWS = [FLOW._replace(low_port=port) for port in range(1, 6)]


@dataclass
class End:
    """An instance that listens, and a client of it."""

    instance: Instance[Connection]
    client: InstanceClient

    def handle(self, *frames: bytes | bytearray) -> None:
        for frame in frames:
            self.instance.handle(memoryview(bytearray(frame)), self.instance.clock.now_us())


@contextlib.asynccontextmanager
async def opened(name: str, directory: Path) -> AsyncGenerator[End]:
    address = f"unix:{directory}/{name}"
    instance = Instance(name, AssetMonitor(), SilentPort(), FlowTableOptions(max_flows=5000))
    server = await listen(instance, address)
    try:
        async with InstanceClient(name, address) as client:
            await client.wait_until_ready(10)
            yield End(instance, client)
    finally:
        await server.stop(0)


@pytest.fixture
async def nf1(tmp_path: Path) -> AsyncIterator[End]:
    async with opened("nf1", tmp_path) as end:
        yield end


@pytest.fixture
async def nf2(tmp_path: Path) -> AsyncIterator[End]:
    async with opened("nf2", tmp_path) as end:
        yield end


async def until(is_true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.001)


async def get(end: End, *flows: FiveTuple, marker: int = 0) -> list[pb.StateChunk]:
    return [chunk async for chunk in end.client.get_perflow(flows, marker=marker)]


async def test_who_an_instance_is(nf1: End) -> None:
    info = await nf1.client.get_info()
    assert (info.name, info.function, info.state_version) == ("nf1", "asset-monitor", 1)
    assert not info.closed_buckets


async def test_flows_are_listed(nf1: End) -> None:
    assert await nf1.client.list_flows() == []
    nf1.handle(tcp(SYN, flow=FLOWS[0]), tcp(ACK, b"xyz", flow=FLOWS[0]))
    nf1.handle(tcp(RST, flow=FLOWS[1]))
    one, other = await nf1.client.list_flows()
    assert one[:3] == (FLOWS[0], 2, 54 + 57)
    assert (one.ended, other.ended) == (False, True)
    assert 0 <= one.idle_s < 10
    listing = await nf1.client.count_flows()
    assert [flow.flow for flow in listing.flows] == [FLOWS[0], FLOWS[1]]
    assert 0 < listing.cpu_s < 1


async def test_many_flows_are_listed_in_pieces(nf1: End) -> None:
    flows = [FLOW._replace(low_port=port) for port in range(2500)]
    nf1.handle(*(tcp(SYN, flow=flow) for flow in flows))
    assert [summary.flow for summary in await nf1.client.list_flows()] == flows
    async with grpc.aio.insecure_channel(nf1.client.address) as channel:
        stub = rpc.NetworkFunctionStub(channel)
        sizes = [len(part.flows) async for part in stub.ListFlows(pb.ListFlowsRequest())]
    assert sizes == [1000, 1000, 500]


async def test_state_moves(nf1: End, nf2: End) -> None:
    nf1.handle(*(tcp(SYN, flow=flow) for flow in FLOWS[:4]))
    chunks = await get(nf1, FLOWS[3], FLOWS[4], FLOWS[0])
    assert [chunk.absent for chunk in chunks] == [False, True, False]
    async with nf2.client.open_put() as puts:
        await puts.put(chunks[0])
        await puts.put(chunks[2])
    assert {summary.flow for summary in await nf2.client.list_flows()} == {FLOWS[3], FLOWS[0]}
    assert await nf1.client.delete_perflow([FLOWS[3], FLOWS[4], FLOWS[0]]) == 2
    assert {summary.flow for summary in await nf1.client.list_flows()} == set(FLOWS[1:3])
    load = await nf2.client.get_load()
    assert (load.flows, load.flows_imported, load.flows_created) == (2, 2, 0)


async def test_puts_are_pipelined_and_a_refused_one_stops_no_other(nf1: End, nf2: End) -> None:
    flows = [FLOW._replace(low_port=port) for port in range(2000)]
    nf1.handle(*(tcp(SYN, flow=flow) for flow in flows))
    chunks = await get(nf1, *flows)
    chunks[7].crc32 ^= 1
    async with nf2.client.open_put() as puts:
        results = await asyncio.gather(
            *(puts.put(chunk) for chunk in chunks), return_exceptions=True
        )
    refused = [result for result in results if result is not None]
    assert len(refused) == 1
    error = results[7]
    assert isinstance(error, SouthboundError)
    assert str(error).startswith(f"nf2: refused the state of {flows[7]}: the checksum")
    assert not error.down
    assert len(nf2.instance.table) == 1999


async def test_a_function_that_fails_on_one_flow_does_not_on_the_next(
    nf1: End, nf2: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_first(_: AssetMonitor, state: Connection) -> None:
        if state.flow == FLOWS[0]:
            raise RuntimeError("a fault")

    nf1.handle(*(tcp(SYN, flow=flow) for flow in FLOWS[:2]))
    one, other = await get(nf1, *FLOWS[:2])
    monkeypatch.setattr(AssetMonitor, "on_import", fail_on_first)
    async with nf2.client.open_put() as puts:
        with pytest.raises(SouthboundError, match="the function failed on it"):
            await puts.put(one)
        await puts.put(other)


async def test_a_put_that_is_cancelled_disturbs_no_other(nf1: End, nf2: End) -> None:
    nf1.handle(*(tcp(SYN, flow=flow) for flow in FLOWS))
    chunks = await get(nf1, *FLOWS)
    async with nf2.client.open_put() as puts:
        tasks = [asyncio.create_task(puts.put(chunk)) for chunk in chunks]
        await asyncio.sleep(0)
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results if result is not None] == [
            asyncio.CancelledError
        ]
        await puts.put(chunks[1])


async def test_nothing_is_exported_before_the_marker_has_been_read(nf1: End) -> None:
    waiting = asyncio.create_task(get(nf1, FLOW, marker=9))
    await until(lambda: nf1.instance.markers.waiting == 1)
    nf1.handle(tcp(SYN), build_marker(8), tcp(ACK))
    await nf1.client.get_info()
    assert not waiting.done()
    nf1.handle(build_marker(9))
    (chunk,) = await asyncio.wait_for(waiting, 5)
    assert not chunk.absent
    assert (await nf1.client.get_load()).markers == 2


async def test_a_marker_that_came_first_is_remembered(nf1: End) -> None:
    nf1.handle(tcp(SYN), build_marker(9))
    (chunk,) = await asyncio.wait_for(get(nf1, FLOW, marker=9), 5)
    assert not chunk.absent


@pytest.mark.parametrize("how", ["cancelled", "timed out", "hung up"])
async def test_who_goes_away_is_not_waited_for(how: str, nf1: End) -> None:
    client = InstanceClient("nf1", nf1.client.address)
    timeout_s = 0.2 if how == "timed out" else 60
    chunks = client.get_perflow([FLOW], marker=9, timeout_s=timeout_s)
    waiting = asyncio.create_task(anext(chunks))
    await until(lambda: nf1.instance.markers.waiting == 1)
    if how == "cancelled":
        waiting.cancel()
    elif how == "hung up":
        await client.close()
    (result,) = await asyncio.gather(waiting, return_exceptions=True)
    if how == "timed out":
        assert isinstance(result, SouthboundError)
        assert (result.reason, result.down) == ("did not answer in time", True)
    await until(lambda: nf1.instance.markers.waiting == 0)
    await client.close()


async def test_only_flows_of_closed_buckets_are_bounced(nf1: End) -> None:
    closed, other = FLOWS[0], next(flow for flow in FLOWS if flow.bucket != FLOWS[0].bucket)
    await nf1.client.set_no_new_state(True, {closed.bucket, 0, 63})
    await nf1.client.set_no_new_state(False, {0, 63} - {closed.bucket})
    assert {*(await nf1.client.get_info()).closed_buckets} == {closed.bucket}
    assert nf1.instance.handle(memoryview(bytearray(tcp(SYN, flow=closed))), 0)
    nf1.handle(tcp(SYN, flow=other))
    assert [each.flow for each in await nf1.client.list_flows()] == [other]
    assert (await nf1.client.get_load()).bounced == 1


async def test_what_was_bounced_is_not_new_when_new_flows_are_taken_again(nf1: End) -> None:
    await nf1.client.set_no_new_state(True, ALL_BUCKETS)
    frame = tcp(ACK, flow=FLOWS[0])
    assert nf1.instance.handle(memoryview(bytearray(frame)), 0)
    await nf1.client.set_no_new_state(False, ALL_BUCKETS)
    nf1.handle(tcp(SYN, flow=FLOWS[1]))
    again = memoryview(bytearray(frame))
    assert nf1.instance.handle(again, 50_000_000)
    assert is_bounce(again)
    assert [each.flow for each in await nf1.client.list_flows()] == [FLOWS[1]]
    late = memoryview(bytearray(frame))
    assert nf1.instance.handle(late, 50_000_000 + 60_000_001)
    assert not is_bounce(late), "nobody has had state for it for a minute"
    assert not len(nf1.instance.table.turned_away)


async def test_what_was_bounced_is_taken_if_it_comes_back(nf1: End) -> None:
    await nf1.client.set_no_new_state(True, ALL_BUCKETS)
    frame = tcp(ACK, flow=FLOWS[0])
    nf1.instance.handle(memoryview(bytearray(frame)), 0)
    bounced_again = memoryview(bytearray(detoured(bytes(frame))))
    nf1.instance.handle(bounced_again, 0)
    assert is_bounce(bounced_again), "it takes none at all"
    await nf1.client.set_no_new_state(False, ALL_BUCKETS)
    taken = memoryview(bytearray(detoured(bytes(frame))))
    assert nf1.instance.handle(taken, 0)
    assert not is_bounce(taken)
    straight = memoryview(bytearray(frame))
    nf1.instance.handle(straight, 0)
    assert not is_bounce(straight)


async def test_without_new_state_unknown_flows_are_bounced(nf1: End) -> None:
    nf1.handle(tcp(SYN, flow=FLOWS[0]))
    await nf1.client.set_no_new_state(True, ALL_BUCKETS)
    assert {*(await nf1.client.get_info()).closed_buckets} == ALL_BUCKETS
    known, unknown = tcp(ACK, flow=FLOWS[0]), tcp(SYN, flow=FLOWS[1])
    frames = [memoryview(bytearray(frame)) for frame in (known, unknown)]
    assert all(nf1.instance.handle(frame, 0) for frame in frames)
    assert bytes(frames[0]) == known
    assert bytes(frames[1]) == BOUNCE_MAC + unknown[6:]
    load = await nf1.client.get_load()
    assert (load.bounced, load.flows_created, load.flows) == (1, 1, 1)
    await nf1.client.set_no_new_state(False, ALL_BUCKETS)
    nf1.handle(unknown)
    assert len(await nf1.client.list_flows()) == 2


async def test_the_mode_changes_behind_a_marker(nf1: End) -> None:
    closing = asyncio.create_task(nf1.client.set_no_new_state(True, ALL_BUCKETS, marker=3))
    await until(lambda: nf1.instance.markers.waiting == 1)
    nf1.handle(tcp(SYN, flow=FLOWS[0]))
    assert not closing.done()
    nf1.handle(build_marker(3))
    await closing
    nf1.handle(tcp(SYN, flow=FLOWS[1]))
    assert [summary.flow for summary in await nf1.client.list_flows()] == [FLOWS[0]]


async def test_load_and_losses(nf1: End) -> None:
    load = await nf1.client.get_load()
    assert (load.dropped, load.unsent) == (3, 4)
    assert load.cpu_seconds > 0


async def test_requests_that_make_no_sense(nf1: End) -> None:
    nf1.handle(tcp(SYN))
    odd = FLOW._replace(low_address=FLOW.high_address, high_address=FLOW.low_address)
    for call in (nf1.client.delete_perflow([FLOW, odd]), get(nf1, FLOW, odd)):
        with pytest.raises(SouthboundError, match="nf1: not a canonical flow: tcp") as caught:
            await call
        assert not caught.value.down
    assert len(await nf1.client.list_flows()) == 1


async def test_an_instance_that_is_down(tmp_path: Path) -> None:
    async with opened("nf1", tmp_path) as end:
        end.handle(tcp(SYN))
        (chunk,) = await get(end, FLOW)
        address = end.client.address
    async with InstanceClient("nf1", address) as client:
        with pytest.raises(SouthboundError, match="nf1: does not answer") as caught:
            await client.get_info()
        assert caught.value.down
        with pytest.raises(SouthboundError, match="nf1: does not answer"):
            await client.wait_until_ready(0.1)
        async with client.open_put() as puts:
            for _ in range(2):
                with pytest.raises(SouthboundError, match="nf1: does not answer") as caught:
                    await puts.put(chunk)
                assert caught.value.down


async def test_puts_that_are_under_way_fail_when_the_instance_ends(
    nf1: End, tmp_path: Path
) -> None:
    nf1.handle(tcp(SYN))
    (chunk,) = await get(nf1, FLOW)
    stack = contextlib.AsyncExitStack()
    async with stack, asyncio.timeout(10):
        end = await stack.enter_async_context(opened("nf9", tmp_path))
        async with InstanceClient("nf9", end.client.address) as client, client.open_put() as puts:
            await puts.put(chunk)
            await stack.aclose()
            with pytest.raises(SouthboundError) as caught:
                for _ in range(1000):
                    await puts.put(chunk)
            assert caught.value.instance == "nf9"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("unix:{}/none/x", "no such directory"),
        ("unix:{}/file", "no socket is in the way"),
        ("unix:{}/nf1", "another process does"),
        ("unix:{}/" + "x" * 100, "longer than 107 bytes"),
        ("nowhere", "neither unix:/path nor host:port"),
        ("127.0.0.1:99999", "neither unix:/path nor host:port"),
    ],
)
async def test_addresses_that_cannot_be_listened_on(
    address: str, reason: str, nf1: End, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ListenError, match=reason):
        await listen(nf1.instance, address.format(tmp_path))
    await nf1.client.get_info()


async def test_a_port_in_use(nf1: End) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError, match=f"cannot listen on {address}: in use"):
            await listen(nf1.instance, address)


async def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "nf1"))
    async with opened("nf1", tmp_path) as end:
        await end.client.get_info()
