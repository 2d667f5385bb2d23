"""Writes the constants of `constants.p4` out for Python.

Run it with no arguments after a change of `constants.p4`; with `--check` it only
says whether what it wrote is stale (exit code 1).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "p4src" / "constants.p4"

_CONSTANT = re.compile(
    r"^const bit<\d+> (?P<name>[A-Z0-9_]+) = (?P<value>0x[0-9a-fA-F]+|\d+);"
    r"(?:[ ]+// (?P<comment>.*))?$",
    re.MULTILINE,
)
_HEADER = '''"""Constants shared with the P4 program.

Generated from `p4src/constants.p4` by `p4src/generate_constants.py`: change them there.
"""

'''

# Which constants each side needs, by prefix.
_OUTPUTS: dict[Path, tuple[str, ...]] = {
    ROOT / "nf" / "southbound" / "p4_constants.py": ("MARKER_", "BOUNCE_", "DETOUR_", "BUCKETS"),
    ROOT / "controlplane" / "p4_constants.py": ("",),
}


def _literal(value: str) -> str:
    """A P4 number as the formatter likes it in Python."""
    return f"0x{value[2:].upper()}" if value.startswith("0x") else value


def render(source: str, prefixes: tuple[str, ...]) -> str:
    """The Python module with the constants of a P4 text that begin with a prefix."""
    lines: list[str] = []
    for match in _CONSTANT.finditer(source):
        if match["name"].startswith(prefixes):
            comment = f"  # {match['comment']}" if match["comment"] else ""
            lines.append(f"{match['name']} = {_literal(match['value'])}{comment}\n")
    return _HEADER + "".join(lines)


def stale() -> list[Path]:
    """The generated files that do not say what `constants.p4` says."""
    source = SOURCE.read_text()
    return [
        path
        for path, prefixes in _OUTPUTS.items()
        if not path.exists() or path.read_text() != render(source, prefixes)
    ]


def main() -> int:
    """Writes the files, or checks them."""
    behind = stale()
    if "--check" in sys.argv[1:]:
        for path in behind:
            print(f"{path.relative_to(ROOT)} is stale: run make p4", file=sys.stderr)
        return 1 if behind else 0
    source = SOURCE.read_text()
    for path in behind:
        path.write_text(render(source, _OUTPUTS[path]))
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
