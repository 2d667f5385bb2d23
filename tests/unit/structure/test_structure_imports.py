"""Who may import whom.

Run: pytest tests/unit/structure/test_structure_imports.py
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from structure_tree import (
    PYTHON_FOLDERS,
    ROOT,
    imports,
    is_within,
    package_of,
    python_files,
)

# Of the project's own, beside itself.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "p4src": (),
    "nf": (),
    "nf/southbound": (),  # the controller takes it along, and with it all that it imports
    "bmv2": (),
    "controlplane": ("nf.southbound",),
    "testbed": ("nf", "bmv2", "controlplane"),
    "experiments": ("nf", "bmv2", "controlplane", "testbed"),
    "tests": ("nf", "bmv2", "controlplane", "testbed", "experiments", "p4src"),
}


def forbidden(folder: str, module: str) -> bool:
    """Whether code in a folder imports a module of ours that it may not know."""
    if module.partition(".")[0] not in PYTHON_FOLDERS:
        return False
    allowed = (folder.replace("/", "."), *MAY_IMPORT[folder])
    return not any(is_within(module, package) for package in allowed)


def test_every_folder_with_code_has_a_rule() -> None:
    assert set(PYTHON_FOLDERS) <= set(MAY_IMPORT)
    found = {path.relative_to(ROOT).parts[0] for path in python_files(".")}
    assert found == set(PYTHON_FOLDERS)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_what_it_may(folder: str) -> None:
    sources = python_files(folder)
    assert sources
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {folder} may not import {module}"
        for path in sources
        for line, module in imports(path.read_text(), package_of(path))
        if forbidden(folder, module)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("folder", "source", "modules"),
    [
        ("nf", "import controlplane.config", ["controlplane.config"]),
        ("bmv2", "from nf import cli", ["nf.cli"]),
        ("controlplane", "from nf.southbound.flow import FiveTuple", []),
        ("controlplane", "from nf import southbound", []),
        ("controlplane", "from nf import runtime", ["nf.runtime"]),
        ("controlplane", "import nf", ["nf"]),
        ("controlplane", "import nf.southbound_other", ["nf.southbound_other"]),
        ("nf/southbound", "from nf.runtime import port", ["nf.runtime.port"]),
        ("nf/southbound", "from . import flow", []),
        ("nf/southbound", "from ..runtime import port", ["nf.runtime.port"]),
        ("testbed", "def late():\n    import experiments.demo", ["experiments.demo"]),
        ("testbed", "if True:\n    from bmv2 import targets", []),
        ("p4src", "import json, nf.cli", ["nf.cli"]),
        ("nf", "import nftables", []),
    ],
)
def test_the_rules_see_every_kind_of_import(folder: str, source: str, modules: list[str]) -> None:
    found = [module for _, module in imports(source, folder.replace("/", "."))]
    assert [module for module in found if forbidden(folder, module)] == modules


def test_the_p4_scripts_need_the_standard_library_only() -> None:
    """`make p4` runs them without the virtual environment."""
    for path in python_files("p4src"):
        for line, module in imports(path.read_text(), package_of(path)):
            assert module.partition(".")[0] in sys.stdlib_module_names, f"{path.name}:{line}"


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.mark.parametrize("folder", ["nf", "bmv2", "controlplane", "testbed", "experiments"])
def test_what_runs_without_the_tests_packages_imports_none_of_them(folder: str) -> None:
    """`make demo` installs the project's dependencies, not those of its tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {normal(name) for name in project["dependencies"]}
    distributions = packages_distributions()
    missing: list[str] = []
    for path in python_files(folder):
        for line, module in imports(path.read_text(), package_of(path)):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in PYTHON_FOLDERS:
                continue
            if not declared & {normal(name) for name in distributions.get(top, ())}:
                missing.append(f"{path.relative_to(ROOT)}:{line}: {top} is not declared")
    assert missing == []
