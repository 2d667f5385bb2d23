"""Nothing in the tree belongs to one machine only, and nothing is half-done.

Run: pytest tests/unit/structure/test_structure_hygiene.py
"""

from __future__ import annotations

import os
import re

import pytest
from structure_tree import ROOT, files

# Written so that no pattern matches itself.
UNWANTED = {
    "a registry's host": re.compile(
        r"py[p]i\.(org|python)|python[h]osted|(artifactor[y]|nexu[s])\.|npm[j]s|"
        r"extra-index-ur[l]|prox[y]\.golang"
    ),
    "the path of a home directory": re.compile(r"/(hom[e]|User[s])/[a-z]|/roo[t]/"),
    "something to be done": re.compile(r"\b(TO[D]O|FI[X]ME|X[X]X)\b|NotImplemente[d]Error"),
}


@pytest.mark.parametrize("what", UNWANTED)
def test_no_file_has(what: str) -> None:
    found: list[str] = []
    for path in files():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if UNWANTED[what].search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a registry's host", "https://" + "pypi" + ".org/simple"),
        ("a registry's host", "http://artifactory" + ".example.com/api"),
        ("the path of a home directory", "/" + "home/me/uhaul"),
        ("the path of a home directory", "/" + "root/uhaul"),
        ("something to be done", "# TO" + "DO: later"),
    ],
)
def test_it_would_be_found(what: str, line: str) -> None:
    assert UNWANTED[what].search(line)


def test_scripts_can_be_run() -> None:
    for path in files():
        if path.read_bytes()[:2] == b"#!":
            assert os.access(path, os.X_OK), path
