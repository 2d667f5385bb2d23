"""Compiles P4 programs for BMv2 and notes which sources they were made of.

    python3 p4src/build.py [--check] [DIRECTORY]

Every `*.p4` of the directory (ours by default) that instantiates a switch, or includes what
does, is a program: of `x.p4` come `build/x.json` and `build/x.p4info.txtpb`, of all together
`build/sources.sha256`. With `--check` it only says whether they are stale (exit code 1); that
needs no p4c.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

P4SRC = Path(__file__).resolve().parent

_SWITCH = re.compile(r"^V1Switch\(", re.MULTILINE)
_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


class P4Build:
    """The programs of a directory, and what is built of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._build = directory / "build"
        self._checksum = self._build / "sources.sha256"

    def programs(self) -> list[Path]:
        """The sources that are whole programs."""
        return [path for path in sorted(self._directory.glob("*.p4")) if _is_program(path)]

    def checksum(self) -> str:
        """SHA-256 over the names and texts of all P4 sources."""
        digest = hashlib.sha256()
        for path in sorted(self._directory.rglob("*.p4")):
            digest.update(f"{path.relative_to(self._directory).as_posix()}\0".encode())
            digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()

    def is_stale(self) -> bool:
        """Whether the sources have changed since the committed build."""
        return not self._checksum.exists() or self._checksum.read_text().strip() != self.checksum()

    def compile(self, compiler: str) -> None:
        """Runs p4c on every program. Raises CalledProcessError."""
        self._build.mkdir(exist_ok=True)
        for path in self.programs():
            self._compile(compiler, path)
        self._checksum.write_text(f"{self.checksum()}\n")

    def _compile(self, compiler: str, source: Path) -> None:
        """Compiles one program; its paths are made relative: the build is the same anywhere."""
        output = self._build / f"{source.stem}.json"
        p4info = self._build / f"{source.stem}.p4info.txt"  # older compilers know this suffix only
        subprocess.run(
            [
                compiler,
                *("--std", "p4-16", "--arch", "v1model"),
                *("--p4runtime-files", str(p4info)),
                *("-o", str(output)),
                source.name,
            ],
            cwd=self._directory,
            check=True,
        )
        p4info.rename(p4info.with_suffix(".txtpb"))
        program = json.loads(output.read_text())
        program["program"] = source.name
        output.write_text(json.dumps(program, indent=1) + "\n")


def _is_program(path: Path) -> bool:
    text = path.read_text()
    if _SWITCH.search(text):
        return True
    included = (path.parent / name for name in _INCLUDE.findall(text))
    return any(_is_program(each) for each in included if each.is_file())


def main() -> int:
    """Compiles the programs, or checks them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", nargs="?", type=Path, default=P4SRC)
    parser.add_argument("--check", action="store_true", help="only say whether they are stale")
    options = parser.parse_args()
    directory: Path = options.directory.resolve()
    build = P4Build(directory)
    if options.check:
        if build.is_stale():
            name = directory.relative_to(P4SRC.parent).as_posix()
            target = "p4" if directory == P4SRC else "other-programs"
            print(
                f"{name}/build is stale: run make {target} where p4c is installed", file=sys.stderr
            )
        return int(build.is_stale())
    compiler = shutil.which("p4c-bm2-ss")
    if compiler is None:
        print("no p4c-bm2-ss on PATH: P4 programs cannot be compiled here", file=sys.stderr)
        return 1
    build.compile(compiler)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
