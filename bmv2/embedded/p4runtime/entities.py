"""The entities of one program: every kind that P4Runtime reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Generator

from finsy.proto import p4r

from bmv2.embedded.p4runtime.action_profiles import ActionProfiles
from bmv2.embedded.p4runtime.arrays import Arrays
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.digests import Digests
from bmv2.embedded.p4runtime.direct_resources import DirectResources
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid, unimplemented
from bmv2.embedded.p4runtime.initial_state import initial_tables
from bmv2.embedded.p4runtime.plain_writer import PlainWriter
from bmv2.embedded.p4runtime.replication import Replication
from bmv2.embedded.p4runtime.schema import Schema
from bmv2.embedded.p4runtime.table_reader import TableReader
from bmv2.embedded.p4runtime.table_state import Entry, TableState
from bmv2.embedded.p4runtime.table_writer import TableWriter
from bmv2.embedded.p4runtime.value_sets import ValueSets

_ENTITIES_A_MESSAGE = 512
_UPDATE_TYPES = (p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE)


class Entities:
    """What a controller can read and write of one program."""

    def __init__(
        self,
        schema: Schema,
        device_config: bytes,
        backend: Backend,
        on_timeout_set: Callable[[TableState, Entry], None],
    ) -> None:
        """As the program has them.

        `on_timeout_set` hears of each entry that can expire, or no more.

        Raises P4RuntimeError when P4Info and device config do not fit together.
        """
        self.schema = schema
        self.states = initial_tables(schema, device_config, backend)
        self.profiles = ActionProfiles(schema, backend)
        self.direct = DirectResources(self.states, backend)
        self.tables = TableReader(self.states, self.direct, backend)
        self._writer = TableWriter(
            self.states, self.profiles.by_id, self.direct, backend, on_timeout_set
        )
        self.plain = PlainWriter(schema, self.states, backend, on_timeout_set)
        self._arrays = Arrays(schema, backend)
        self._replication = Replication(backend)
        self._value_sets = ValueSets(schema, backend)
        self.digests = Digests(schema)

    def write(self, update: p4r.Update) -> None:
        """Does one update of a batch. Raises P4RuntimeError, with nothing changed."""
        kind = update.type
        entity = update.entity
        if kind not in _UPDATE_TYPES:
            raise invalid(f"the update has no type ({kind})")
        match entity.WhichOneof("entity"):
            case "table_entry":
                self._writer.write(kind, entity.table_entry)
            case "direct_counter_entry":
                self.direct.write_counter(kind, entity.direct_counter_entry)
            case "direct_meter_entry":
                self.direct.write_meter(kind, entity.direct_meter_entry)
            case "action_profile_member":
                self.profiles.write_member(kind, entity.action_profile_member)
            case "action_profile_group":
                self.profiles.write_group(kind, entity.action_profile_group)
            case "counter_entry":
                self._arrays.write_counter(kind, entity.counter_entry)
            case "meter_entry":
                self._arrays.write_meter(kind, entity.meter_entry)
            case "register_entry":
                self._arrays.write_register(kind, entity.register_entry)
            case "packet_replication_engine_entry":
                self._replication.write(kind, entity.packet_replication_engine_entry)
            case "value_set_entry":
                self._value_sets.write(kind, entity.value_set_entry)
            case "digest_entry":
                self.digests.write(kind, entity.digest_entry)
            case other:
                raise _unknown(other)

    def read(self, query: p4r.Entity) -> Generator[p4r.ReadResponse | bytes]:
        """The responses to one query of a Read. Raises P4RuntimeError."""
        if query.WhichOneof("entity") == "register_entry":
            yield from self._arrays.read_registers(query.register_entry)
            return
        response = p4r.ReadResponse()
        for entity in self.select(query):
            response.entities.append(entity)
            if len(response.entities) == _ENTITIES_A_MESSAGE:
                yield response
                response = p4r.ReadResponse()
        if response.entities:
            yield response

    def select(self, query: p4r.Entity) -> Generator[p4r.Entity]:
        """The entities that a query selects. Raises P4RuntimeError."""
        match query.WhichOneof("entity"):
            case "table_entry":
                return self.tables.read(query.table_entry)
            case "direct_counter_entry":
                return self.direct.read_counters(query.direct_counter_entry)
            case "direct_meter_entry":
                return self.direct.read_meters(query.direct_meter_entry)
            case "action_profile_member":
                return self.profiles.read_members(query.action_profile_member)
            case "action_profile_group":
                return self.profiles.read_groups(query.action_profile_group)
            case "counter_entry":
                return self._arrays.read_counters(query.counter_entry)
            case "meter_entry":
                return self._arrays.read_meters(query.meter_entry)
            case "register_entry":
                return _parsed(self._arrays.read_registers(query.register_entry))
            case "packet_replication_engine_entry":
                return self._replication.read(query.packet_replication_engine_entry)
            case "value_set_entry":
                return self._value_sets.read(query.value_set_entry)
            case "digest_entry":
                return self.digests.read(query.digest_entry)
            case "extern_entry" if query.extern_entry.extern_type_id == 0:
                return (each for each in ())  # v1model has no other externs
            case other:
                raise _unknown(other)


def _parsed(responses: Generator[p4r.ReadResponse | bytes]) -> Generator[p4r.Entity]:
    for response in responses:
        if isinstance(response, bytes):
            response = p4r.ReadResponse.FromString(response)
        yield from response.entities


def _unknown(kind: str | None) -> P4RuntimeError:
    if kind is None:
        return invalid("an entity without kind")
    return unimplemented(f"{kind} is not supported")
