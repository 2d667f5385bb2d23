"""From the JSON of p4c to a shared library."""

from __future__ import annotations

from bmv2.embedded.codegen.generate import generate
from bmv2.embedded.compiler import FLAGS, compile_library
from bmv2.embedded.program.load import load_program
from bmv2.embedded.program.model import Program


def build(program: bytes, *, is_traced: bool = False) -> tuple[Program, bytes]:
    """The program and the library; with what writes a trace of its packets where it `is_traced`.

    Raises UnsupportedProgram and CompileError.
    """
    model = load_program(program)
    flags = (*FLAGS, "-DTRACE") if is_traced else FLAGS
    return model, compile_library(generate(model), flags)
