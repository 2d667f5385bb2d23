"""The embedded switch's document has the tables that the tests make.

Run: pytest tests/unit/structure/test_structure_support.py
"""

from __future__ import annotations

import pytest
from structure_tree import ROOT
from support_matrix import differences, support

DOCUMENT = ROOT / "docs" / "embedded-switch.md"


@pytest.mark.parametrize("table", [support(), differences()], ids=["support", "differences"])
def test_the_document_has_the_table(table: str) -> None:
    assert f"\n{table}\n" in DOCUMENT.read_text(), (
        "python tests/models/support_matrix.py prints what belongs there"
    )
