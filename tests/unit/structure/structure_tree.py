"""The tree as the structural tests see it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]

FOLDERS = ("bmv2", "controlplane", "docs", "experiments", "nf", "p4src", "testbed", "tests")
PYTHON_FOLDERS = tuple(name for name in FOLDERS if name != "docs")


@cache
def files() -> tuple[Path, ...]:
    """All files that are part of the project or about to be: not those that git ignores."""
    listed = subprocess.run(
        # The clone may belong to somebody else than who runs the tests.
        [
            *("git", "-c", "safe.directory=*"),
            *("ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = set(listed.stdout.split("\0")) - {""}
    return tuple(path for path in sorted(ROOT / name for name in names) if path.is_file())


def documents() -> list[Path]:
    """What people read."""
    return [path for path in files() if path.suffix == ".md"]


def python_files(folder: str) -> list[Path]:
    """The Python files below a folder of the tree."""
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(ROOT / folder)]


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that Python text imports, wherever it does.

    `package` is the package that the text belongs to; relative imports start there. What
    follows `from x import` may be a module of its own, so it is part of the name.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield node.lineno, alias.name
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    above = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*above, base] if base else above)
                for alias in node.names:
                    yield node.lineno, f"{base}.{alias.name}"
            case _:
                pass


def package_of(path: Path) -> str:
    """The package that a Python file belongs to."""
    return ".".join(path.relative_to(ROOT).parent.parts)


def is_within(module: str, package: str) -> bool:
    """Whether a module is a package or below it."""
    return module == package or module.startswith(f"{package}.")
