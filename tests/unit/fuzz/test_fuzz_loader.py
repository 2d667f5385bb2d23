"""Whatever the JSON is, it is refused in one line or C comes of it.

Run: pytest tests/unit/fuzz/test_fuzz_loader.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmv2.embedded.codegen.generate import generate
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.load import load_program

ROOT = Path(__file__).parents[3]
NAMES = ("match", "stack", "union", "varbit", "checksum", "clone", "meter", "profile", "value_set")

# What nobody reads: changes there would say nothing.
UNREAD = ("source_info", "__meta__", "program")


@cache
def program_text(name: str) -> str:
    return (ROOT / "tests" / "programs" / "build" / f"{name}.json").read_text()


@cache
def strings(name: str) -> list[str]:
    """All strings of a program: a reference to another thing is what confuses most."""
    found: set[str] = set()

    def collect(value: Any) -> None:
        match value:
            case str():
                found.add(value)
            case list():
                for each in value:
                    collect(each)
            case dict():
                for key, each in value.items():
                    if key not in UNREAD:
                        found.add(key)
                        collect(each)
            case _:
                pass

    collect(json.loads(program_text(name)))
    return sorted(found)


def containers(value: Any) -> list[Any]:
    """The objects and lists of a document that something can be changed in."""
    children: list[Any] = []
    if isinstance(value, dict):
        children = [each for key, each in value.items() if key not in UNREAD]
    elif isinstance(value, list):
        children = value
    here = [value] if children else []
    return here + [each for child in children for each in containers(child)]


def change(draw: st.DrawFn, document: Any, texts: list[str]) -> None:
    """Changes, removes, doubles or moves one thing somewhere in a document."""
    inside = containers(document)
    container = draw(st.sampled_from(inside))
    keys = list(container) if isinstance(container, dict) else range(len(container))
    key = draw(st.sampled_from([key for key in keys if key not in UNREAD]))
    match draw(st.sampled_from(["replace", "replace", "remove", "copy", "double"])):
        case "replace":
            container[key] = draw(
                st.one_of(
                    st.sampled_from(texts),
                    st.integers(-3, 300),
                    st.sampled_from([-(1 << 40), 1 << 31, 1 << 64, 1 << 200, 1.5]),
                    st.sampled_from([None, True, False, [], {}, "", "0x1g", "-0x1"]),
                )
            )
        case "remove":
            del container[key]
        case "copy":
            container[key] = json.loads(json.dumps(draw(st.sampled_from(inside))))
        case _:
            if isinstance(container, list):
                container.append(container[key])


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from(NAMES))
    document = json.loads(program_text(name))
    for _ in range(draw(st.integers(1, 3))):
        change(draw, document, strings(name))
    return json.dumps(document).encode()


@settings(
    max_examples=200,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(mutants())
def test_a_mutant_is_refused_or_becomes_c(text: bytes) -> None:
    try:
        source = generate(load_program(text))
    except UnsupportedProgram as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert source


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
def test_any_other_text_is_refused(text: bytes) -> None:
    try:
        load_program(text)
    except UnsupportedProgram as error:
        assert "\n" not in str(error)
    else:
        raise AssertionError("this is a program")


def refused(change_it: Callable[[Any], None], name: str) -> str:
    document = json.loads(program_text(name))
    change_it(document)
    with pytest.raises(UnsupportedProgram) as caught:
        load_program(json.dumps(document).encode())
    return str(caught.value)


def first_entry(document: Any) -> Any:
    tables = [each for pipeline in document["pipelines"] for each in pipeline["tables"]]
    return next(table["entries"][0] for table in tables if table.get("entries"))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("register_arrays", 0, "size"), -1, "size is -1, not 0 to"),
        (("register_arrays", 0, "bitwidth"), 1 << 40, f"width is {1 << 40}, not 0 to"),
        (("actions", 0, "name"), None, "name is None"),
        (("actions", 0, "id"), "0", "is '0'"),
        (("parsers", 0, "init_state"), 5, "initial_state is 5"),
    ],
)
def test_the_place_of_an_error_is_named(
    path: tuple[str | int, ...], value: object, message: str
) -> None:
    def put(document: Any) -> None:
        *above, last = path
        reduce(getitem, above, document)[last] = value

    assert message in refused(put, "registers")


def test_a_constant_entry_beyond_its_key_is_refused() -> None:
    def exceed(document: Any) -> None:
        first_entry(document)["match_key"][0]["key"] = "0x" + "ff" * 20

    assert "an entry exceeds" in refused(exceed, "const_entries")


def test_a_stack_has_one_type_of_headers() -> None:
    def mix(document: Any) -> None:
        others = [each["id"] for each in document["headers"] if not each["name"].startswith("a")]
        document["header_stacks"][0]["header_ids"][-1] = others[0]

    assert "headers of different types" in refused(mix, "stack")
