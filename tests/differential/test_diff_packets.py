"""Packets like those of the .stf files, changed at random, into both switches.

Run: python -m testbed.sandbox pytest tests/differential/test_diff_packets.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from diff_pair import SwitchPair, drawn, seeded
from diff_stf import Passage, Setup, StfSteps
from diff_switch import PORTS, PROGRAMS
from hypothesis import given
from hypothesis import strategies as st

_LEAST_BYTES = 15  # the kernel sends no shorter ones
# Of these, simple_switch_grpc answers some frames not twice the same, not at all, or not
# as P4 has it. diff_known.py says why.
_SPARED: dict[str, Callable[[bytes], bool]] = {
    "invalid_header": lambda frame: frame[13] == 6,
    "registers": lambda frame: any(frame[15:18]) or frame[18:19] >= b"\x04" or frame[14] in (2, 3),
    "stack": lambda frame: frame[14] in (11, 12),
    "small_externs": lambda frame: frame[14:16] > frame[16:18],
    "union_stack": lambda frame: frame[14] in (1, 2, 3) and frame[16:17] in (b"\x01", b"\x02"),
    # Assigns options, whose length is no number of bytes, too large, or beyond the frame's end.
    "varbit": lambda frame: (
        frame[15:16] == b"\x03" and (frame[14] % 8 > 0 or frame[14] > min(64, len(frame[17:]) * 8))
    ),
}

_NAMES = sorted(path.stem for path in PROGRAMS.glob("*.stf"))


class Played:
    """A pair of switches with the entries of the program's .stf file, and its frames."""

    def __init__(self, stack: ExitStack, program: str, directory: Path) -> None:
        self.pair = SwitchPair(stack, program, directory)
        self.frames: list[bytes] = []
        for step in StfSteps(PROGRAMS / f"{program}.stf", self.pair.p4info).steps:
            match step:
                case Setup():
                    assert self.pair.write([step.update]) == [0]
                case Passage(packet):
                    self.frames.append(packet.data)
        self.is_spared = _SPARED.get(program, lambda _: False)


@pytest.fixture(scope="module", params=_NAMES)
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    with ExitStack() as stack:
        yield Played(stack, request.param, tmp_path_factory.mktemp("switches"))


@st.composite
def changed(draw: st.DrawFn, frames: list[bytes]) -> bytes:
    """A frame with some bytes changed, and perhaps an end cut off or added.

    The shortest of the .stf file have the headers that the program takes for granted.
    """
    least = max(_LEAST_BYTES, min(map(len, frames)))
    frame = bytearray(draw(st.sampled_from(frames)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(12, len(frame) - 1))
        frame[place] = draw(
            st.one_of(st.integers(0, 255), st.sampled_from([frame[place] ^ 1, 0, 0xFF]))
        )
    if draw(st.booleans()):
        del frame[draw(st.integers(least, max(least, len(frame)))) :]
    frame += draw(st.binary(max_size=6))
    return bytes(frame).ljust(_LEAST_BYTES, b"\0")


@seeded
@drawn(examples=25)
@given(data=st.data())
def test_the_same_comes_out(played: Played, data: st.DataObject) -> None:
    frames = data.draw(st.lists(changed(played.frames), min_size=1, max_size=12))
    port = data.draw(st.sampled_from(list(PORTS)))
    played.pair.process(port, *(frame for frame in frames if not played.is_spared(frame)))
    played.pair.compare_state()
