"""What is generated says what its source says.

Run: pytest tests/unit/structure/test_structure_generated.py
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from finsy.proto import p4i
from google.protobuf import text_format
from structure_tree import ROOT, files

from p4src.build import P4Build

P4SRC = ROOT / "p4src"
MAKEFILE = (ROOT / "Makefile").read_text()
PROTOS = tuple(re.findall(r"\S+\.proto", MAKEFILE.partition("PROTOS := ")[2].partition("\n")[0]))


PROGRAMS = ROOT / "tests" / "programs"
OTHERS = (PROGRAMS, ROOT / "experiments" / "bench_switch" / "program")


def check(script: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), "--check", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree with the P4 sources and what is generated from them, to be spoilt."""
    shutil.copytree(P4SRC, tmp_path / "p4src")
    for name in ("nf/southbound/p4_constants.py", "controlplane/p4_constants.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


# --- the P4 program -----------------------------------------------------------------


@pytest.mark.parametrize("script", ["build.py", "generate_constants.py"])
def test_nothing_is_stale(script: str) -> None:
    done = check(P4SRC / script)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("script", "changed", "says"),
    [
        ("build.py", "p4src/control/fit.p4", "p4src/build is stale: run make p4"),
        ("build.py", "p4src/constants.p4", "p4src/build is stale: run make p4"),
        (
            "generate_constants.py",
            "nf/southbound/p4_constants.py",
            "nf/southbound/p4_constants.py is stale: run make p4",
        ),
        (
            "generate_constants.py",
            "controlplane/p4_constants.py",
            "controlplane/p4_constants.py is stale: run make p4",
        ),
    ],
)
def test_what_is_stale_is_found(copy: Path, script: str, changed: str, says: str) -> None:
    assert check(copy / "p4src" / script).returncode == 0
    with (copy / changed).open("a") as file:
        file.write("\n")
    done = check(copy / "p4src" / script)
    assert done.returncode == 1
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1


def test_a_new_constant_makes_python_s_stale(copy: Path) -> None:
    with (copy / "p4src" / "constants.p4").open("a") as file:
        file.write("const bit<8> MARKER_NEW = 1;\n")
    done = check(copy / "p4src" / "generate_constants.py")
    assert done.returncode == 1
    assert done.stderr.count("is stale") == 2


def test_the_program_and_its_p4info_belong_together() -> None:
    program: dict[str, Any] = json.loads((P4SRC / "build" / "uhaul.json").read_text())
    p4info = text_format.Parse((P4SRC / "build" / "uhaul.p4info.txtpb").read_text(), p4i.P4Info())
    tables = {t["name"]: t for pipe in program["pipelines"] for t in pipe["tables"]}
    described = {table.preamble.name: table for table in p4info.tables}
    # p4c makes tables and actions of its own for statements outside of them.
    assert set(described) == {name for name in tables if not name.startswith("tbl_")}
    for name, table in described.items():
        keys = [key["match_type"] for key in tables[name]["key"]]
        kinds = [
            p4i.MatchField.MatchType.Name(field.match_type).lower() for field in table.match_fields
        ]
        assert kinds == keys, name
        assert table.size == tables[name]["max_size"], name
    sizes = {register["name"]: register["size"] for register in program["register_arrays"]}
    assert {each.preamble.name: each.size for each in p4info.registers} == sizes


def test_the_other_programs_are_not_stale(copy: Path) -> None:
    for directory in OTHERS:
        done = check(P4SRC / "build.py", directory)
        assert (done.returncode, done.stderr) == (0, "")
    spoilt = copy / "tests" / "programs"
    shutil.copytree(PROGRAMS, spoilt)
    with (spoilt / "include" / "end.p4").open("a") as file:
        file.write("\n")
    done = check(copy / "p4src" / "build.py", spoilt)
    assert done.returncode == 1
    assert done.stderr.startswith("tests/programs/build is stale: run make other-programs")


@pytest.mark.parametrize("directory", [P4SRC, *OTHERS], ids=lambda path: path.name)
def test_what_is_built_is_of_a_program_that_is_there(directory: Path) -> None:
    built = {path.name for path in (directory / "build").iterdir()}
    programs = {path.stem for path in P4Build(directory).programs()}
    of_programs = {f"{name}{end}" for name in programs for end in (".json", ".p4info.txtpb")}
    assert built == {*of_programs, "sources.sha256"}


@pytest.mark.skipif(shutil.which("p4c-bm2-ss") is None, reason="p4c is not on PATH")
def test_p4c_makes_the_p4info_that_is_committed(copy: Path) -> None:
    made = copy / "p4src" / "build" / "uhaul.p4info.txtpb"
    made.unlink()
    subprocess.run([sys.executable, str(copy / "p4src" / "build.py")], check=True)
    assert made.read_text() == (P4SRC / "build" / made.name).read_text()


# --- protobuf -----------------------------------------------------------------------


def test_every_proto_is_known_to_make() -> None:
    found = {str(path.relative_to(ROOT)) for path in files() if path.suffix == ".proto"}
    assert found == set(PROTOS)


def test_code_made_of_protos_is_not_committed() -> None:
    assert [path for path in files() if "_pb2" in path.name] == []


@pytest.mark.parametrize("proto", PROTOS)
def test_code_made_of_a_proto_is_up_to_date(proto: str, tmp_path: Path) -> None:
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, proto], cwd=ROOT, check=True
    )
    made = [path.relative_to(tmp_path) for path in tmp_path.rglob("*_pb2*")]
    assert len(made) == 3
    for name in made:
        assert (ROOT / name).read_text() == (tmp_path / name).read_text(), f"{name}: run make setup"
