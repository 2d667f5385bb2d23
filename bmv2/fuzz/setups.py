"""The states of a switch that packets are fuzzed on, as C that fills a switch."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bmv2.embedded.dataplane import Dataplane
from bmv2.embedded.program.model import Program
from bmv2.fuzz.filler import Filler
from bmv2.fuzz.recorder import Call, RecordingLibrary

CPU_PORT = 510
PORTS = (0, 1, 2, 3, 4, 5, 6, 7, CPU_PORT)


def record_setups(program: Program, image: bytes, seed: int, count: int) -> list[list[Call]]:
    """The calls that fill a switch, in as many ways. The first way is the program's own.

    Raises CompileError.
    """
    setups: list[list[Call]] = []
    for number in range(count):
        library = RecordingLibrary(image)
        ports: dict[int, str | None] = dict.fromkeys(PORTS[:-1])
        dataplane = Dataplane(program, library, ports=ports, cpu_port=CPU_PORT)
        if number > 0:
            Filler(dataplane, PORTS, Random(f"{seed} {number}")).fill()
        setups.append(library.calls)
    return setups


def setup_text(setups: Sequence[Sequence[Call]]) -> str:
    """The C of all setups, for the end of the program's translation unit."""
    sizes = ", ".join(str(len(calls)) for calls in setups)
    lines = [
        f"const uint32_t setup_count = {len(setups)}, setup_sizes[] = {{{sizes}}};",
        f"const uint32_t setup_port_count = {len(PORTS)};",
        f"const uint32_t setup_ports[] = {{{', '.join(map(str, PORTS))}}};",
    ]
    for number, calls in enumerate(setups):
        lines += [f"static bool setup_{number}(uint32_t number, bool is_first) {{"]
        lines += ["switch (number) {", *map(_case, range(len(calls)), calls)]
        lines += ["default: return !is_first;", "}", "}"]
    lines += ["bool setup_update(uint32_t setup, uint32_t number, bool is_first) {"]
    lines += ["switch (setup) {"]
    lines += [f"case {each}: return setup_{each}(number, is_first);" for each in range(len(setups))]
    return "\n".join([*lines, "default: return false;", "}", "}", ""])


def _case(number: int, call: Call) -> str:
    """One call; the first time it does what it did when it was recorded."""
    if call.result is None:
        return f"case {number}: {call.text}; return true;"
    return f"case {number}: return {call.text} == {call.result} || !is_first;"
