"""Every small program on every target: the packets of its .stf file and what must come out.

Run: python -m testbed.sandbox pytest tests/differential/test_programs.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from diff_known import DIFFERENCES, Difference, frame_of
from diff_stf import Passage, Setup, StfSteps
from diff_switch import PROGRAMS, Frames, Start
from ptf_targets import TARGETS

STF = sorted(PROGRAMS.glob("*.stf"))

# PTF warns of frames that have nothing but an Ethernet header, in a deprecated way.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")


def complaint(passage: Passage, out: Frames) -> str | None:
    """What is wrong with what came out. Of one packet's copies, the order is nobody's."""
    packet, expected_ = passage
    assert all(each.is_whole for each in expected_), (
        f"line {packet.line}: what is expected has no $"
    )
    expected = sorted((each.port, each.pattern) for each in expected_)
    found = sorted((port, frame.hex().upper()) for port, frames in out.items() for frame in frames)
    if expected == found:
        return None
    return f"line {packet.line}: expected {expected}, found {found}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", STF, ids=lambda path: path.stem)
def test_what_is_expected_comes_out(start: Start, path: Path, target: str) -> None:
    switch = start(target, path.stem)
    complaints: list[str | None] = []
    for step in StfSteps(path, switch.p4info).steps:
        match step:
            case Setup():
                assert switch.client.write([step.update]) == [0], f"line {step.line}"
            case Passage(packet):
                complaints.append(complaint(step, switch.process(packet.port, packet.data)))
    assert complaints
    assert [each for each in complaints if each is not None] == []


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_difference_is_one(start: Start, difference: Difference, target: str) -> None:
    if target == "simple_switch" and not difference.is_tried:
        pytest.skip(difference.why)
    switch = start(target, difference.program)
    *_, last = (
        switch.process(0, frame_of(digits)) for digits in (*difference.before, difference.frame)
    )
    is_embedded_s = last == {1: [frame_of(difference.embedded)]}
    assert is_embedded_s == (target == "embedded"), last
