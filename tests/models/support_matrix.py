"""What the embedded switch runs, as docs/embedded-switch.md says: of the small programs.

    python tests/models/support_matrix.py

prints both tables; a test fails when the document has others.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "programs"
sys.path.append(str(TESTS / "differential"))

from diff_known import DIFFERENCES  # noqa: E402


def _purpose(source: Path) -> str:
    """The comment that a program begins with."""
    lines: list[str] = []
    for line in source.read_text().splitlines():
        if not line.startswith("//"):
            break
        lines.append(line.removeprefix("//").strip())
    return " ".join(lines).rstrip(".")


def _packets(script: Path) -> int:
    return len(re.findall(r"^packet\b", script.read_text(), re.MULTILINE)) if script.exists() else 0


def support() -> str:
    """A row for each program: what it is about, and how many packets show it."""
    lines = ["| program | what is shown | packets |", "| --- | --- | --- |"]
    for source in sorted(PROGRAMS.glob("*.p4")):
        packets = _packets(source.with_suffix(".stf")) or "in its test"
        lines.append(
            f"| [{source.stem}](../tests/programs/{source.name}) | {_purpose(source)} | {packets} |"
        )
    return "\n".join(lines)


def differences() -> str:
    """A row for each difference from BMv2 that is meant."""
    lines = ["| the embedded switch | `simple_switch_grpc` |", "| --- | --- |"]
    lines += [f"| {each.name} | {each.why} |" for each in DIFFERENCES]
    return "\n".join(lines)


if __name__ == "__main__":
    print(support(), differences(), sep="\n\n")
