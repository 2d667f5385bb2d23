"""A controller on raw gRPC stubs, and the messages that the tests write."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from finsy.proto import U128, p4i, p4r, p4r_grpc, rpc_status
from google.protobuf import text_format

_ROOT = Path(__file__).parents[3]
BUILD = _ROOT / "p4src" / "build"
SMALL_BUILD = _ROOT / "tests" / "programs" / "build"
DEVICE = 1
_WAIT_S = 10.0
_numbers = itertools.count(1)

INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE


def program() -> p4r.ForwardingPipelineConfig:
    """Our program as a pipeline config."""
    return _config(BUILD, "uhaul")


def small_program(name: str) -> p4r.ForwardingPipelineConfig:
    """One of tests/programs as a pipeline config."""
    return _config(SMALL_BUILD, name)


def _config(directory: Path, name: str) -> p4r.ForwardingPipelineConfig:
    p4info = text_format.Parse((directory / f"{name}.p4info.txtpb").read_text(), p4i.P4Info())
    return p4r.ForwardingPipelineConfig(
        p4info=p4info,
        p4_device_config=(directory / f"{name}.json").read_bytes(),
        cookie=p4r.ForwardingPipelineConfig.Cookie(cookie=4711),
    )


class Ids:
    """Ids of P4Info by alias."""

    def __init__(self, p4info: p4i.P4Info) -> None:
        self.table = {x.preamble.alias: x.preamble.id for x in p4info.tables}
        self.action = {x.preamble.alias: x.preamble.id for x in p4info.actions}
        self.counter = {x.preamble.alias: x.preamble.id for x in p4info.counters}
        self.register = {x.preamble.alias: x.preamble.id for x in p4info.registers}
        self.meter = {x.preamble.alias: x.preamble.id for x in p4info.meters}
        self.profile = {x.preamble.alias: x.preamble.id for x in p4info.action_profiles}
        self.digest = {x.preamble.alias: x.preamble.id for x in p4info.digests}
        self.value_set = {x.preamble.alias: x.preamble.id for x in p4info.value_sets}


IDS = Ids(program().p4info)


def exact(*values: int) -> list[p4r.FieldMatch]:
    return [
        p4r.FieldMatch(field_id=number, exact=p4r.FieldMatch.Exact(value=encoded(value)))
        for number, value in enumerate(values, 1)
    ]


def action(name: str, *arguments: int) -> p4r.TableAction:
    return p4r.TableAction(
        action=p4r.Action(
            action_id=IDS.action[name],
            params=[
                p4r.Action.Param(param_id=number, value=encoded(value))
                for number, value in enumerate(arguments, 1)
            ],
        )
    )


def encoded(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def entry(
    table: str, match: Sequence[p4r.FieldMatch] = (), do: p4r.TableAction | None = None, **more: Any
) -> p4r.TableEntry:
    return p4r.TableEntry(table_id=IDS.table[table], match=match, action=do, **more)


def flow_rule(number: int, instance: int = 1, **more: Any) -> p4r.TableEntry:
    """A rule of the flow with this number."""
    return entry("flow_rules", exact(number, 9, 1, 2, 6), action("to_instance", instance), **more)


def entity(message: Any) -> p4r.Entity:
    match message:
        case p4r.TableEntry():
            return p4r.Entity(table_entry=message)
        case p4r.DirectCounterEntry():
            return p4r.Entity(direct_counter_entry=message)
        case p4r.CounterEntry():
            return p4r.Entity(counter_entry=message)
        case p4r.RegisterEntry():
            return p4r.Entity(register_entry=message)
        case p4r.DirectMeterEntry():
            return p4r.Entity(direct_meter_entry=message)
        case p4r.MeterEntry():
            return p4r.Entity(meter_entry=message)
        case p4r.ActionProfileMember():
            return p4r.Entity(action_profile_member=message)
        case p4r.ActionProfileGroup():
            return p4r.Entity(action_profile_group=message)
        case p4r.ValueSetEntry():
            return p4r.Entity(value_set_entry=message)
        case p4r.DigestEntry():
            return p4r.Entity(digest_entry=message)
        case p4r.Entity():
            return message
        case _:
            raise TypeError(type(message))


def update(kind: p4r.Update.Type.ValueType, message: Any) -> p4r.Update:
    return p4r.Update(type=kind, entity=entity(message))


class Controller:
    """One client of the server: a stream, and unary calls with its election id."""

    def __init__(self, address: str) -> None:
        # A connection of its own, as controllers have in real life.
        options = [("grpc.use_local_subchannel_pool", 1), ("test.number", next(_numbers))]
        self.channel = grpc.aio.insecure_channel(address, options=options)
        self.stub: Any = p4r_grpc.P4RuntimeStub(self.channel)
        self.stream: Any = self.stub.StreamChannel()
        self.election_id: int | None = None
        self.role = ""

    async def send(self, **message: Any) -> None:
        await self.stream.write(p4r.StreamMessageRequest(**message))

    async def receive(self) -> p4r.StreamMessageResponse:
        return await asyncio.wait_for(self.stream.read(), _WAIT_S)

    async def arbitrate(self, election_id: int | None, **more: Any) -> p4r.MasterArbitrationUpdate:
        """Asks for an election id and waits for the answer."""
        self.election_id = election_id
        encoded = None if election_id is None else U128.encode(election_id)
        arguments: dict[str, Any] = {"device_id": DEVICE, "election_id": encoded, **more}
        if self.role:
            arguments["role"] = p4r.Role(name=self.role)
        await self.send(arbitration=p4r.MasterArbitrationUpdate(**arguments))
        return await self.arbitration()

    async def arbitration(self) -> p4r.MasterArbitrationUpdate:
        message = await self.receive()
        assert message.WhichOneof("update") == "arbitration"
        return message.arbitration

    def _encoded_id(self) -> p4r.Uint128 | None:
        return None if self.election_id is None else U128.encode(self.election_id)

    async def set_program(
        self,
        config: p4r.ForwardingPipelineConfig | None,
        kind: p4r.SetForwardingPipelineConfigRequest.Action.ValueType = (
            p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT
        ),
    ) -> None:
        await self.stub.SetForwardingPipelineConfig(
            p4r.SetForwardingPipelineConfigRequest(
                device_id=DEVICE,
                role=self.role,
                election_id=self._encoded_id(),
                action=kind,
                config=config,
            )
        )

    async def write(self, *updates: p4r.Update, **more: Any) -> None:
        await self.stub.Write(
            p4r.WriteRequest(
                device_id=DEVICE,
                role=self.role,
                election_id=self._encoded_id(),
                updates=updates,
                **more,
            )
        )

    async def insert(self, *entries: p4r.TableEntry) -> None:
        await self.write(*(update(INSERT, message) for message in entries))

    async def read(
        self, *queries: Any, found: list[p4r.Entity] | None = None, **more: Any
    ) -> list[p4r.Entity]:
        """What is found, which is in `found` also when a query fails."""
        every = [] if found is None else found
        request = p4r.ReadRequest(
            device_id=DEVICE, entities=[entity(query) for query in queries], **more
        )
        async for response in self.stub.Read(request):
            every += response.entities
        return every

    async def read_entries(self, query: p4r.TableEntry) -> list[p4r.TableEntry]:
        return [found.table_entry for found in await self.read(query)]


def errors_of(error: grpc.aio.AioRpcError) -> list[p4r.Error]:
    """The details of a failed batch, one an update."""
    trailing: Any = error.trailing_metadata()
    status = rpc_status.Status.FromString(dict(trailing)["grpc-status-details-bin"])
    errors: list[p4r.Error] = []
    for detail in status.details:
        message = p4r.Error()
        assert detail.Unpack(message)
        errors.append(message)
    return errors


@asynccontextmanager
async def controller(address: str) -> AsyncGenerator[Controller]:
    client = Controller(address)
    try:
        yield client
    finally:
        client.stream.cancel()
        await client.channel.close()
