"""What p4c writes and BMv2 does not load, or is seldom seen.

Run: pytest tests/unit/embedded/test_embedded_odd_programs.py
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from small_program import BUILD, P

from bmv2.embedded.codegen.calculations import Calculations
from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.tables import is_fixed
from bmv2.embedded.dataplane import Dataplane
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.load import load_program
from bmv2.embedded.program.model import Program


def changed(name: str, change: Any) -> Program:
    """A program whose JSON was changed."""
    document = json.loads((BUILD / f"{name}.json").read_text())
    change(document)
    return load_program(json.dumps(document).encode())


def test_a_selector_can_hash_a_field_at_a_place_in_a_stack() -> None:
    def add_stack(document: dict[str, Any]) -> None:
        stack = json.loads((BUILD / "stack.json").read_text())
        first = 1 + max(each["id"] for each in document["headers"])
        kinds = {each["name"] for each in document["header_types"]}
        document["header_types"] += [
            each for each in stack["header_types"] if each["name"] not in kinds
        ]
        items = [each for each in stack["headers"] if each["name"].startswith("items[")]
        for place, header in enumerate(items):
            document["headers"].append({**header, "id": first + place})
        numbers = list(range(first, first + len(items)))
        (template,) = (each for each in stack["header_stacks"] if each["name"] == "items")
        document["header_stacks"].append({**template, "header_ids": numbers})
        selector = document["pipelines"][0]["action_profiles"][-1]["selector"]
        place = {
            "op": "dereference_header_stack",
            "left": {"type": "header_stack", "value": "items"},
            "right": copy.deepcopy(selector["input"][0]),
        }
        field = {
            "op": "access_field",
            "left": {"type": "expression", "value": place},
            "right": 0,
        }
        expression = {"type": "expression", "value": field}
        selector["input"].append({"type": "expression", "value": expression})

    program = changed("profile", add_stack)
    (selector,) = (each.selector for each in program.profiles() if each.selector)
    assert selector.inputs[-1].width == 8
    layout = Layout(program)
    text = Calculations(program, layout, Expressions(layout)).functions()
    assert ".at[stack_place(" in text


def test_a_table_that_is_named_as_the_compilers_own_is_the_controllers() -> None:
    def rename(document: dict[str, Any]) -> None:
        ingress = document["pipelines"][0]
        (table,) = (each for each in ingress["tables"] if each["name"] == f"{P}hosts")
        table.update(name="tbl_hosts", key=[])
        text = json.dumps(ingress).replace(f'"{P}hosts"', '"tbl_hosts"')
        document["pipelines"][0] = json.loads(text)

    tables = {table.name: table for table in changed("controller", rename).tables()}
    assert not is_fixed(tables.pop("tbl_hosts"))
    assert all(map(is_fixed, tables.values()))


def test_constant_entries_with_one_key_are_refused_by_name() -> None:
    document = json.loads((BUILD / "const_entries.json").read_text())
    tables = [each for pipeline in document["pipelines"] for each in pipeline["tables"]]
    table = next(each for each in tables if each.get("entries"))
    table["entries"].append(copy.deepcopy(table["entries"][0]))
    number = len(table["entries"])
    with pytest.raises(UnsupportedProgram, match=f"its constant entry {number} there is another"):
        Dataplane.load(json.dumps(document).encode(), ports={}, cpu_port=510)
