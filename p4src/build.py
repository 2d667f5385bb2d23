"""Compiles `uhaul.p4` for BMv2 and notes which sources it was made of.

Writes `build/uhaul.json`, `build/uhaul.p4info.txtpb` and `build/sources.sha256`.
With `--check` it only says whether they are stale (exit code 1); that needs no p4c.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

P4SRC = Path(__file__).resolve().parent
BUILD = P4SRC / "build"
CHECKSUM = BUILD / "sources.sha256"


def checksum() -> str:
    """SHA-256 over the names and texts of all P4 sources."""
    digest = hashlib.sha256()
    for path in sorted(P4SRC.rglob("*.p4")):
        digest.update(f"{path.relative_to(P4SRC).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def stale() -> bool:
    """Whether the sources have changed since the committed build."""
    return not CHECKSUM.exists() or CHECKSUM.read_text().strip() != checksum()


def compile_program(compiler: str) -> None:
    """Runs p4c; its paths are made relative, so that the build is the same anywhere."""
    BUILD.mkdir(exist_ok=True)
    output = BUILD / "uhaul.json"
    p4info = BUILD / "uhaul.p4info.txt"  # older compilers know the format by this suffix only
    subprocess.run(
        [
            compiler,
            *("--std", "p4-16", "--arch", "v1model"),
            *("--p4runtime-files", str(p4info)),
            *("-o", str(output)),
            "uhaul.p4",
        ],
        cwd=P4SRC,
        check=True,
    )
    p4info.rename(p4info.with_suffix(".txtpb"))
    program = json.loads(output.read_text())
    program["program"] = "uhaul.p4"
    output.write_text(json.dumps(program, indent=1) + "\n")
    CHECKSUM.write_text(f"{checksum()}\n")


def main() -> int:
    """Compiles the program, or checks it."""
    if "--check" in sys.argv[1:]:
        if stale():
            print("p4src/build is stale: run make p4 where p4c is installed", file=sys.stderr)
        return int(stale())
    compiler = shutil.which("p4c-bm2-ss")
    if compiler is None:
        print("no p4c-bm2-ss on PATH: the P4 program cannot be compiled here", file=sys.stderr)
        return 1
    compile_program(compiler)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
