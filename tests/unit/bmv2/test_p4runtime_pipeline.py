"""Loading programs: pytest tests/unit/bmv2/test_p4runtime_pipeline.py"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import grpc
import pytest
from fake_backend import FakeBackend
from fake_switch import Switch
from finsy.proto import p4d, p4i, p4r
from p4rt_client import (
    DEVICE,
    IDS,
    MODIFY,
    Controller,
    action,
    controller,
    entry,
    flow_rule,
    program,
    update,
)
from p4rt_desk import FakeDesk

from bmv2.embedded.p4runtime.errors import P4RuntimeError
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.server import listen
from bmv2.listening import ListenError

_Set = p4r.SetForwardingPipelineConfigRequest
_Get = p4r.GetForwardingPipelineConfigRequest


async def stored(
    client: Controller, response_type: p4r.GetForwardingPipelineConfigRequest.ResponseType.ValueType
) -> p4r.ForwardingPipelineConfig:
    request = _Get(device_id=DEVICE, response_type=response_type)
    return (await client.stub.GetForwardingPipelineConfig(request)).config


async def test_the_config_is_read_back_in_parts(primary: Controller) -> None:
    whole = program()
    cookie = p4r.ForwardingPipelineConfig(cookie=whole.cookie)
    info = p4r.ForwardingPipelineConfig(cookie=whole.cookie, p4info=whole.p4info)
    device = p4r.ForwardingPipelineConfig(
        cookie=whole.cookie, p4_device_config=whole.p4_device_config
    )
    assert await stored(primary, _Get.ALL) == whole
    assert await stored(primary, _Get.COOKIE_ONLY) == cookie
    assert await stored(primary, _Get.P4INFO_AND_COOKIE) == info
    assert await stored(primary, _Get.DEVICE_CONFIG_AND_COOKIE) == device


async def test_a_new_program_replaces_the_data_plane(switch: Switch, primary: Controller) -> None:
    await primary.insert(flow_rule(1))
    await primary.set_program(program())
    assert await primary.read_entries(p4r.TableEntry()) == []
    assert [backend.is_running for backend in switch.loaded] == [False, True]
    switch.backend.emit(bytes(12) + b"from the new one")
    assert (await primary.receive()).packet.payload == b"from the new one"


async def test_verify_changes_nothing(switch: Switch, primary: Controller) -> None:
    await primary.insert(flow_rule(1))
    await primary.set_program(program(), _Set.VERIFY)
    assert await primary.read_entries(entry("flow_rules")) == [flow_rule(1)]
    assert [backend.is_running for backend in switch.loaded] == [True, False]


async def test_a_saved_program_gets_the_writes_and_commit_the_packets(
    switch: Switch, primary: Controller
) -> None:
    await primary.set_program(program(), _Set.VERIFY_AND_SAVE)
    await primary.insert(flow_rule(1))
    old, new = switch.loaded
    assert (old.is_running, old.tables, new.is_running) == (True, {}, False)
    assert list(new.tables) == ["UhaulIngress.flow_rules.flow_rules"]
    await primary.set_program(None, _Set.COMMIT)
    assert (old.is_running, new.is_running) == (False, True)
    assert await primary.read_entries(entry("flow_rules")) == [flow_rule(1)]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.set_program(None, _Set.COMMIT)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_reconcile_keeps_the_state(switch: Switch, primary: Controller) -> None:
    timers = entry("timers", (), action("set_timers", 5, 6), is_default_action=True)
    cell = p4r.RegisterEntry(
        register_id=IDS.register["way_0.fit_low"],
        index=p4r.Index(index=4),
        data=p4d.P4Data(bitstring=b"\7"),
    )
    drops = p4r.CounterEntry(
        counter_id=IDS.counter["drops"],
        index=p4r.Index(index=1),
        data=p4r.CounterData(packet_count=3),
    )
    counted = p4r.CounterData(packet_count=2, byte_count=3)
    await primary.insert(flow_rule(1, counter_data=counted))
    await primary.write(*(update(MODIFY, message) for message in (timers, cell, drops)))
    queries = [
        entry("flow_rules", counter_data=p4r.CounterData()),
        entry("timers", is_default_action=True),
        p4r.RegisterEntry(register_id=cell.register_id),
        p4r.CounterEntry(),
    ]
    before = await primary.read(*queries)
    await primary.set_program(program(), _Set.RECONCILE_AND_COMMIT)
    assert len(switch.loaded) == 2
    assert await primary.read(*queries) == before


async def test_reconcile_refuses_a_program_without_the_table(
    switch: Switch, primary: Controller
) -> None:
    await primary.insert(flow_rule(1))
    config = program()
    flow_rules = next(t for t in config.p4info.tables if t.preamble.alias == "flow_rules")
    config.p4info.tables.remove(flow_rules)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.set_program(config, _Set.RECONCILE_AND_COMMIT)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "flow_rules has entries" in (caught.value.details() or "")
    assert switch.loaded[0].is_running
    assert await primary.read_entries(entry("flow_rules")) == [flow_rule(1)]


@pytest.mark.parametrize(
    ("config", "kind", "code", "words"),
    [
        (None, _Set.VERIFY, 3, "the config is missing"),
        (program(), _Set.COMMIT, 3, "another one is given"),
        (program(), _Set.UNSPECIFIED, 3, "action 0"),
        (p4r.ForwardingPipelineConfig(), _Set.VERIFY, 3, "the device config is empty"),
        (
            p4r.ForwardingPipelineConfig(p4_device_config=b"no"),
            _Set.VERIFY_AND_COMMIT,
            3,
            "is no JSON",
        ),
    ],
)
async def test_bad_configs_leave_the_program_alone(
    switch: Switch,
    primary: Controller,
    config: p4r.ForwardingPipelineConfig | None,
    kind: p4r.SetForwardingPipelineConfigRequest.Action.ValueType,
    code: int,
    words: str,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await primary.set_program(config, kind)
    assert caught.value.code().value[0] == code  # pyright: ignore[reportIndexIssue]
    assert words in (caught.value.details() or "")
    assert switch.backend.is_running
    await primary.insert(flow_rule(1))


def test_a_schema_that_contradicts_itself_is_refused() -> None:
    p4info = program().p4info
    p4info.actions.pop(0)
    with pytest.raises(P4RuntimeError, match="P4Info has no action with id 28966432"):
        schema_of(p4info)


def test_translated_types_are_refused_by_name() -> None:
    p4info = p4i.P4Info()
    table = p4info.tables.add()
    table.preamble.name = "t"
    field = table.match_fields.add(id=1, name="port", match_type=p4i.MatchField.EXACT)
    field.type_name.name = "port_id_t"
    with pytest.raises(P4RuntimeError, match="table t: field port: a translated type"):
        schema_of(p4info)


# --- listening -------------------------------------------------------------------


async def test_an_address_in_use_is_refused(switch: Switch) -> None:
    with pytest.raises(ListenError, match=r"p4rt.sock: another server does"):
        await listen(switch.service, switch.address)
    async with controller(switch.address) as client:  # the first one still serves
        await client.arbitrate(1)


async def test_a_port_in_use_is_refused(switch: Switch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}"):
            await listen(switch.service, f"127.0.0.1:{port}")


async def test_a_socket_left_behind_is_taken_over(switch: Switch, tmp_path: Path) -> None:
    path = tmp_path / "old.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    server = await listen(switch.service, f"unix:{path}")
    async with controller(f"unix:{path}") as client:
        await client.arbitrate(1)
    await server.stop(None)


@pytest.mark.parametrize(
    ("name", "words"), [("no/p4rt.sock", "no directory"), ("file", "no socket")]
)
async def test_a_path_that_cannot_be_a_socket(
    switch: Switch, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ListenError, match=words):
        await listen(switch.service, f"unix:{tmp_path / name}")
    assert (tmp_path / "file").read_text() == "kept"


async def test_an_address_of_no_kind(switch: Switch) -> None:
    with pytest.raises(ListenError, match="neither host:port nor unix:/path"):
        await listen(switch.service, "9559")


async def test_who_is_no_longer_primary_when_it_is_compiled_does_not_set_it(
    switch: Switch, primary: Controller
) -> None:
    switch.may_load.clear()
    switch.is_loading.clear()
    setting = asyncio.create_task(primary.set_program(program()))
    await asyncio.to_thread(switch.is_loading.wait)
    async with controller(switch.address) as successor:
        await successor.arbitrate(11)
        await successor.insert(flow_rule(1))
        switch.may_load.set()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await setting
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
        assert len(await successor.read_entries(entry("flow_rules"))) == 1


def test_p4info_of_another_program_is_refused() -> None:
    with pytest.raises(P4RuntimeError, match=r"P4Info is not of .* program: table odd") as caught:
        FakeDesk("match", FakeBackend(odd="table odd"))
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
