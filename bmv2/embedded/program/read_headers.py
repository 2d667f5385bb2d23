"""Headers, stacks and unions from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.document import Object, objects
from bmv2.embedded.program.model import Field, Header, HeaderType, Stack, Union, UnionStack

MAX_FIELD_WIDTH = 2048


def _header_type(item: Object) -> HeaderType:
    name = item["name"]
    fixed = sum(entry[1] for entry in item["fields"] if isinstance(entry[1], int))
    fields: list[Field] = []
    for entry in item["fields"]:
        field, width = entry[0], entry[1]
        if width == "*":
            width = item["max_length"] * 8 - fixed
            fields.append(Field(field, width, is_varbit=True))
            continue
        if not 0 <= width <= MAX_FIELD_WIDTH:
            raise UnsupportedProgram(f"field {name}.{field}: {width} bits")
        fields.append(Field(field, width, is_signed=len(entry) > 2 and bool(entry[2])))
    if sum(field.is_varbit for field in fields) > 1:
        raise UnsupportedProgram(f"header type {name}: more than one varbit")
    return HeaderType(name, tuple(fields))


def read_headers(document: Object) -> dict[str, Header]:
    """All headers and metadata by name."""
    types = {item["name"]: _header_type(item) for item in objects(document, "header_types")}
    headers: dict[str, Header] = {}
    for item in objects(document, "headers"):
        name, kind = item["name"], types.get(item["header_type"])
        if kind is None:
            raise UnsupportedProgram(f"header {name}: no header type {item['header_type']!r}")
        headers[name] = Header(name, kind, bool(item["metadata"]))
    return headers


def _names_by_id(document: Object, key: str) -> dict[Any, str]:
    return {item["id"]: item["name"] for item in objects(document, key)}


def read_stacks(document: Object, headers: Mapping[str, Header]) -> dict[str, Stack]:
    """The header stacks by name."""
    names = _names_by_id(document, "headers")
    stacks: dict[str, Stack] = {}
    for item in objects(document, "header_stacks"):
        members = tuple(names[number] for number in item["header_ids"])
        stacks[item["name"]] = Stack(item["name"], headers[members[0]].type, members)
    return stacks


def read_unions(document: Object) -> dict[str, Union]:
    """The header unions by name."""
    names = _names_by_id(document, "headers")
    types = {item["name"]: item for item in objects(document, "header_union_types")}
    return {
        item["name"]: Union(
            item["name"],
            {
                member[0]: names[number]
                for member, number in zip(
                    types[item["union_type"]]["headers"], item["header_ids"], strict=True
                )
            },
        )
        for item in objects(document, "header_unions")
    }


def read_union_stacks(document: Object) -> dict[str, UnionStack]:
    """The stacks of header unions by name."""
    names = _names_by_id(document, "header_unions")
    return {
        item["name"]: UnionStack(
            item["name"], tuple(names[number] for number in item["header_union_ids"])
        )
        for item in objects(document, "header_union_stacks")
    }
