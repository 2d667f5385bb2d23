"""Calculations, checksums, counters, meters, registers and field lists from JSON."""

from __future__ import annotations

from collections.abc import Mapping

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.document import Object, objects
from bmv2.embedded.program.expression import Boolean, FieldRef, HeaderRef, Operation
from bmv2.embedded.program.externs import (
    ActionProfile,
    Calculation,
    Checksum,
    Counter,
    FieldList,
    HashInput,
    Meter,
    Register,
)
from bmv2.embedded.program.model import Header, Stack
from bmv2.embedded.program.read_expression import read_expression
from bmv2.embedded.program.widths import field_width


def _hash_input(
    item: Object, headers: Mapping[str, Header], stacks: Mapping[str, Stack]
) -> HashInput:
    if item["type"] == "payload":
        return HashInput(None, 0)
    source = read_expression(item)
    if isinstance(source, FieldRef):
        if source.field == "$valid$":
            return HashInput(source, 1)
        field = headers[source.header].type.field(source.field)
        if field is None:
            raise UnsupportedProgram(f"no field {source.header}.{source.field}")
        return HashInput(source, field.width)
    if isinstance(source, Operation):  # a field at a place in a stack that is not constant
        return HashInput(source, field_width(source, headers, stacks))
    if isinstance(source, HeaderRef):
        return HashInput(source, 0)
    return HashInput(source, item["bitwidth"])


def read_calculations(
    document: Object, headers: Mapping[str, Header], stacks: Mapping[str, Stack]
) -> dict[str, Calculation]:
    """The calculations by name."""
    return {
        item["name"]: Calculation(
            item["name"],
            item["algo"],
            tuple(_hash_input(each, headers, stacks) for each in objects(item, "input")),
        )
        for item in objects(document, "calculations")
    }


def read_profile(
    item: Object, headers: Mapping[str, Header], stacks: Mapping[str, Stack]
) -> ActionProfile:
    """An action profile; a selector is a calculation of its own."""
    name, selector = item["name"], item.get("selector")
    calculation = None
    if selector is not None:
        inputs = tuple(_hash_input(each, headers, stacks) for each in objects(selector, "input"))
        calculation = Calculation(f"selector of {name}", selector["algo"], inputs)
    return ActionProfile(name, item["max_size"], calculation)


def read_checksums(document: Object) -> tuple[Checksum, ...]:
    """The checksums in their order."""
    checksums: list[Checksum] = []
    for item in objects(document, "checksums"):
        if item["type"] != "generic":
            raise UnsupportedProgram(f"checksum type {item['type']!r}")
        header, field = item["target"]
        condition = item.get("if_cond")
        checksums.append(
            Checksum(
                header,
                field,
                item["calculation"],
                read_expression(condition) if condition else Boolean(True),
                item.get("verify", True),
                item.get("update", True),
            )
        )
    return tuple(checksums)


def read_registers(document: Object) -> dict[str, Register]:
    """The registers by name."""
    return {
        item["name"]: Register(item["name"], item["size"], item["bitwidth"])
        for item in objects(document, "register_arrays")
    }


def read_counters(document: Object) -> dict[str, Counter]:
    """The indirect counters by name; direct ones belong to their tables."""
    return {
        item["name"]: Counter(item["name"], item["size"])
        for item in objects(document, "counter_arrays")
        if not item["is_direct"]
    }


def read_meters(document: Object) -> dict[str, Meter]:
    """The meters by name."""
    meters: dict[str, Meter] = {}
    for item in objects(document, "meter_arrays"):
        target = item.get("result_target")
        meters[item["name"]] = Meter(
            item["name"],
            item.get("size") or 0,
            item["type"] == "bytes",
            item["binding"] if item["is_direct"] else None,
            FieldRef(*target) if target else None,
        )
    return meters


def read_field_lists(document: Object, key: str) -> dict[int, FieldList]:
    """The lists of fields that copies (`field_lists`) or digests (`learn_lists`) carry."""
    return {
        item["id"]: FieldList(
            item["id"],
            item["name"],
            tuple(read_expression(each) for each in objects(item, "elements")),
        )
        for item in objects(document, key)
    }
