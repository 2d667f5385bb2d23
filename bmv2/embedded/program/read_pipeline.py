"""Actions, tables and their graph from JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.document import Object, integer, objects, source
from bmv2.embedded.program.expression import (
    Expression,
    FieldRef,
)
from bmv2.embedded.program.model import (
    Action,
    ActionCall,
    ActionParameter,
    Conditional,
    ConstantEntry,
    DefaultEntry,
    Header,
    KeyField,
    KeyMatch,
    Node,
    Pipeline,
    Primitive,
    Stack,
    Table,
)
from bmv2.embedded.program.read_expression import read_expression
from bmv2.embedded.program.read_externs import read_profile
from bmv2.embedded.program.widths import field_width

_MATCH_KINDS = {"exact", "lpm", "ternary", "range", "optional"}
_TABLE_KINDS = {"simple", "indirect", "indirect_ws"}


def _action(item: Object) -> Action:
    return Action(
        item["id"],
        item["name"],
        tuple(
            ActionParameter(each["name"], each["bitwidth"])
            for each in objects(item, "runtime_data")
        ),
        read_primitives(item),
    )


def read_primitives(item: Object) -> tuple[Primitive, ...]:
    """The primitives of an action, or of the deparser."""
    return tuple(
        Primitive(
            each["op"],
            tuple(read_expression(p) for p in objects(each, "parameters")),
            source(each),
        )
        for each in objects(item, "primitives")
    )


def read_actions(document: Object) -> dict[int, Action]:
    """The actions by id."""
    return {item["id"]: _action(item) for item in objects(document, "actions")}


def _key_field(table: str, item: Object, width_of: Callable[[Expression], int]) -> KeyField:
    kind, target = item["match_type"], item["target"]
    name = item.get("name") or ".".join(target)
    if isinstance(target, dict):  # at a place in a stack that is known at run time only
        source = read_expression(target)
    elif kind == "valid":
        kind, source = "exact", FieldRef(target[0], "$valid$")
    else:
        source = FieldRef(*target)
    if kind not in _MATCH_KINDS:
        raise UnsupportedProgram(f"table {table}: match kind {kind!r} of {name}")
    mask = item.get("mask")
    return KeyField(
        name, kind, source, width_of(source), None if mask is None else integer(mask, "a key mask")
    )


def _key_match(item: Object, field: KeyField) -> KeyMatch:
    every_bit = (1 << field.width) - 1
    match item["match_type"]:
        case "exact":
            return KeyMatch("exact", integer(item["key"], "a key"), every_bit)
        case "lpm":
            return KeyMatch("lpm", integer(item["key"], "a key"), item["prefix_length"])
        case "ternary" | "optional":
            key, mask = integer(item["key"], "a key"), integer(item["mask"], "a mask")
            return KeyMatch("ternary", key, mask)
        case "range":
            low, high = integer(item["start"], "a range"), integer(item["end"], "a range")
            return KeyMatch("range", low, high)
        case other:
            raise UnsupportedProgram(f"a constant entry matches {other!r}")


def _constant_entry(item: Object, key: tuple[KeyField, ...], place: int) -> ConstantEntry:
    action = item["action_entry"]
    return ConstantEntry(
        tuple(
            _key_match(match, field)
            for match, field in zip(objects(item, "match_key"), key, strict=True)
        ),
        item.get("priority", place),
        action["action_id"],
        tuple(integer(each, "an argument") for each in action["action_data"]),
    )


def _default_entry(item: Object) -> DefaultEntry | None:
    entry = item.get("default_entry")
    if entry is None:
        return None
    return DefaultEntry(
        entry["action_id"],
        tuple(integer(each, "an argument") for each in entry["action_data"]),
        is_const=bool(entry.get("action_const")),
    )


def _table(item: Object, width_of: Callable[[Expression], int]) -> Table:
    name, kind = item["name"], item["type"]
    if kind not in _TABLE_KINDS:
        raise UnsupportedProgram(f"table {name}: type {kind!r}")
    key = tuple(_key_field(name, each, width_of) for each in objects(item, "key"))
    next_nodes: Mapping[str, str | None] = item["next_tables"]
    ids = dict(zip(item["actions"], item["action_ids"], strict=True))
    return Table(
        name=name,
        key=key,
        kind=kind,
        profile=item.get("action_profile"),
        size=item["max_size"],
        actions=tuple(item["action_ids"]),
        default=_default_entry(item),
        entries=tuple(
            _constant_entry(each, key, place + 1)
            for place, each in enumerate(objects(item, "entries"))
        ),
        has_counters=bool(item["with_counters"]),
        has_timeout=bool(item["support_timeout"]),
        direct_meter=item.get("direct_meters"),
        next_nodes={ids[name]: node for name, node in next_nodes.items() if name in ids},
        default_next=item["base_default_next"],
        next_on_hit=(next_nodes["__HIT__"],) if "__HIT__" in next_nodes else None,
        next_on_miss=(next_nodes["__MISS__"],) if "__MISS__" in next_nodes else None,
    )


def _pipeline(
    item: Object,
    headers: Mapping[str, Header],
    stacks: Mapping[str, Stack],
    width_of: Callable[[Expression], int],
) -> Pipeline:
    nodes: dict[str, Node] = {}
    for each in objects(item, "tables"):
        nodes[each["name"]] = _table(each, width_of)
    for each in objects(item, "conditionals"):
        nodes[each["name"]] = Conditional(
            each["name"],
            read_expression(each["expression"]),
            each["true_next"],
            each["false_next"],
            source(each),
        )
    for each in objects(item, "action_calls"):
        nodes[each["name"]] = ActionCall(each["name"], each["action_id"], each["next_node"])
    profiles = tuple(
        read_profile(each, headers, stacks) for each in objects(item, "action_profiles")
    )
    return Pipeline(item["name"], item["init_table"], nodes, profiles)


def read_pipelines(
    document: Object, headers: Mapping[str, Header], stacks: Mapping[str, Stack]
) -> dict[str, Pipeline]:
    """The pipelines `ingress` and `egress`."""

    def width_of(source: Expression) -> int:
        return field_width(source, headers, stacks)

    pipelines = {
        item["name"]: _pipeline(item, headers, stacks, width_of)
        for item in objects(document, "pipelines")
    }
    for name in ("ingress", "egress"):
        if name not in pipelines:
            raise UnsupportedProgram(f"the JSON is not of a v1model program: it has no {name}")
    return {name: pipelines[name] for name in ("ingress", "egress")}
