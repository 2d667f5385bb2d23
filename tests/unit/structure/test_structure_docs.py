"""The README and the docs say what there is.

Run: pytest tests/unit/structure/test_structure_docs.py
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from finsy.proto import p4i
from google.protobuf import text_format
from structure_tree import FOLDERS, ROOT, documents, files
from test_structure_imports import MAY_IMPORT

from bmv2 import targets
from controlplane import config, p4_constants
from controlplane.cli.app import app
from controlplane.topology import Topology
from nf.cli import app as nf_app
from nf.southbound.inband import BOUNCE_MAC
from testbed.bed import P4INFO

README = (ROOT / "README.md").read_text()
PIPELINE = (ROOT / "docs" / "pipeline.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    return [match[2] for match in FENCED.finditer(text) if match[1] == language]


def rows(text: str, first_column: str) -> Iterator[list[str]]:
    """The cells of all tables whose header begins with a column of this name."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {first_column} |"):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                yield [cell.strip() for cell in row.strip("|").split(" | ")]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


# --- the map ------------------------------------------------------------------------


def test_the_map_is_the_tree() -> None:
    tops = {path.relative_to(ROOT).parts[0] for path in files() if path.parent != ROOT}
    assert {top for top in tops if not top.startswith(".")} == set(FOLDERS)
    assert sorted(code(row[0])[0] for row in rows(README, "folder")) == [f"{f}/" for f in FOLDERS]


def test_the_map_says_who_may_import_whom() -> None:
    said = {
        code(row[0])[0].rstrip("/"): row[2].rstrip("|").strip() for row in rows(README, "folder")
    }
    del said["docs"]
    assert said.pop("tests") == "all"
    assert {folder: tuple(code(cell)) for folder, cell in said.items()} == {
        folder: MAY_IMPORT[folder] for folder in said
    }


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]*)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        linked = document.parent / path if path else document
        assert linked.exists(), target
        titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
        assert not anchor or anchor in anchors, target


def test_files_that_the_documents_name_are_there() -> None:
    names = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")
    for document in documents():
        for name in names.findall(document.read_text()):
            assert (ROOT / name).exists(), f"{document.name}: {name}"


# --- commands -----------------------------------------------------------------------

TARGETS: dict[str, str] = dict(re.findall(r"^([a-z0-9-]+):.*?## (.*)$", MAKEFILE, re.MULTILINE))
COMMANDS = [
    shlex.split(line, comments=True)
    for document in documents()
    for block in blocks(document.read_text(), "sh")
    for line in block.splitlines()
    if shlex.split(line, comments=True)
]


def typed(application: typer.Typer) -> dict[str, click.Command]:
    group = typer.main.get_command(application)
    return dict(group.commands)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType] - a group, as it has several


def check_options(commands: dict[str, click.Command], words: list[str]) -> None:
    """The command exists, and it parses these words."""
    name, *rest = words
    commands[name].make_context(name, rest)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_can_be_given(words: list[str]) -> None:
    match words:
        case ["make", *rest]:
            for word in rest:
                variable, equals, value = word.partition("=")
                if not equals:
                    assert word in TARGETS
                else:
                    assert re.search(rf"\$\({variable}\)", MAKEFILE)
                    assert variable in TARGETS[rest[0]]
                    assert variable != "TARGET" or value in targets.NAMES
        case ["controlplane", *rest]:
            check_options(typed(app), rest)
        case ["python", "-m", "nf", *rest]:
            check_options(typed(nf_app), rest)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(f"{module}.__main__")
        case [".", script]:
            assert script == ".venv/bin/activate"
        case _:
            pytest.fail("nothing is known about this command")


def test_make_s_targets_are_phony_and_explained() -> None:
    phony = {
        name
        for line in re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
        for name in line.split()
    }
    assert phony == set(TARGETS)


def test_commands_in_running_text_exist() -> None:
    commands = typed(app)
    for document in documents():
        for span in re.findall(r"`([^`\n]+)`", FENCED.sub("", document.read_text())):
            first, *rest = span.split()
            if first == "make" and rest:
                assert rest[0] in TARGETS, span
            if first == "controlplane" and rest:
                assert rest[0] in commands, span


def test_the_topology_file_of_the_readme_is_good(tmp_path: Path) -> None:
    (text,) = blocks(README, "yaml")
    file = tmp_path / "topology.yaml"
    file.write_text(text)
    (tmp_path / "p4src").symlink_to(ROOT / "p4src")
    topology = config.load(file)
    assert {instance.name for instance in topology.instances} == {"nf1", "nf2"}
    Topology(topology)


# --- the pipeline -------------------------------------------------------------------


@pytest.fixture(scope="module")
def p4info() -> p4i.P4Info:
    return text_format.Parse(P4INFO.read_text(), p4i.P4Info())


def test_the_tables_are_those_of_the_program(p4info: p4i.P4Info) -> None:
    actions = {action.preamble.id: action for action in p4info.actions}
    expected: dict[str, tuple[list[str], set[str], str]] = {}
    for table in p4info.tables:
        fields = list(table.match_fields)
        kinds = {p4i.MatchField.MatchType.Name(field.match_type).lower() for field in fields}
        calls: set[str] = set()
        for reference in table.action_refs:
            action = actions[reference.id]
            params = ", ".join(param.name for param in action.params)
            name = action.preamble.name.rpartition(".")[2]
            calls.add(f"{name}({params})" if params else name)
        size = str(table.size) if fields else "–"
        key = [*(field.name for field in fields), *sorted(kinds)]
        expected[table.preamble.alias] = (key, calls, size)
    found = {
        code(name)[0]: (
            [*code(key), *re.findall(r" (exact|ternary|lpm)$", key)],
            set(code(calls)),
            size.rstrip("|").strip(),
        )
        for name, key, calls, size in rows(PIPELINE, "table")
    }
    assert found == expected


def test_the_registers_are_those_of_the_program(p4info: p4i.P4Info) -> None:
    in_text = set(re.findall(r"`((?:fit_(?!overflow)|affinity_|packet_ins\b)\w*)`", PIPELINE))
    assert in_text == {each.preamble.name.rpartition(".")[2] for each in p4info.registers}
    sizes = {each.size for each in p4info.registers}
    assert sizes == {p4_constants.FIT_SLOTS, p4_constants.AFFINITY_CELLS, 1}
    assert all(f" {size} " in PIPELINE for size in sizes - {1})
    widths = {code(name)[0]: bits for name, bits, _ in rows(PIPELINE, "register")}
    for each in p4info.registers:
        name = each.preamble.name.rpartition(".")[2]
        if name in widths:
            bits = sum(int(part) for part in widths[name].split(","))
            assert each.type_spec.bitstring.bit.bitwidth == bits


@pytest.mark.parametrize(
    ("column", "prefix"), [("reason", "PACKET_IN_"), ("kind", "PACKET_OUT_"), ("reason", "DROP_")]
)
def test_no_constant_is_left_out(column: str, prefix: str) -> None:
    said = {code(row[0])[0] for row in rows(PIPELINE, column)}
    names = {name for name in vars(p4_constants) if name.startswith(prefix)} - {"DROP_REASONS"}
    assert {name for name in said if name.startswith(prefix)} == names


def test_the_headers_are_those_of_the_program(p4info: p4i.P4Info) -> None:
    lines = list(rows(PIPELINE, "`packet_in`"))
    for header, name_at in (("packet_in", 0), ("packet_out", 2)):
        (described,) = (
            each for each in p4info.controller_packet_metadata if each.preamble.name == header
        )
        said = [
            (code(row[name_at])[0], int(row[name_at + 1].rstrip("|")))
            for row in lines
            if row[name_at] != "–"
        ]
        assert said == [(field.name, field.bitwidth) for field in described.metadata]


def test_the_numbers_are_right() -> None:
    assert BOUNCE_MAC.hex(":") in PIPELINE
    assert f"{p4_constants.BUCKETS} hash buckets" in PIPELINE
