"""The docs show the machine as it is."""

from __future__ import annotations

from pathlib import Path

from controlplane.migration.describe import markdown

DOCS = Path(__file__).parents[3] / "docs" / "moving-flows.md"


def test_docs_contain_the_table_of_the_machine() -> None:
    _, _, made = DOCS.read_text().partition("<!-- made by: python -m ")
    assert made.partition("-->\n")[2] == markdown()
