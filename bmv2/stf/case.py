"""A program with an STF script, as files."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from finsy.proto import p4i
from google.protobuf import text_format

from bmv2.embedded.errors import CompileError, UnsupportedProgram
from bmv2.stf.errors import StfError
from bmv2.stf.player import play
from bmv2.stf.script import parse_script

_P4INFO_SUFFIXES = (".p4info.txtpb", ".p4info.txt")


@dataclass(frozen=True)
class Case:
    """A program with its script."""

    p4info: Path
    program: Path
    script: Path

    def play(self) -> list[str]:
        """What went otherwise than the script says, a line each: file, line, what.

        Raises StfError when the case cannot be played to its end.
        """
        try:
            p4info = text_format.Parse(self.p4info.read_text(), p4i.P4Info())
            program, script = self.program.read_bytes(), self.script.read_text()
        except OSError as error:
            raise StfError(f"{error.filename}: {error.strerror}") from error
        except (text_format.ParseError, UnicodeDecodeError) as error:
            raise StfError(f"{self.p4info} or {self.script} is damaged: {error}") from error
        try:
            found = play(program, p4info, parse_script(script))
        except StfError as error:
            raise StfError(f"{self._place(error.line)}: {error}") from error
        except (UnsupportedProgram, CompileError) as error:
            raise StfError(f"{self.program}: {error}") from error
        return [f"{self._place(each.line)}: {each.text}" for each in found]

    def _place(self, line: int | None) -> str:
        return str(self.script) if line is None else f"{self.script}:{line}"


def cases_of(directory: Path) -> Generator[Case]:
    """Every NAME.stf of a directory with its NAME.json and NAME.p4info.txtpb, by name."""
    for script in sorted(directory.glob("*.stf")):
        names = [script.with_name(script.stem + suffix) for suffix in _P4INFO_SUFFIXES]
        p4info = next((name for name in names if name.exists()), names[0])
        yield Case(p4info, script.with_suffix(".json"), script)
