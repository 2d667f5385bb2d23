"""What the log says of packets: their way with -DTRACE, and log_msg without.

Run: pytest tests/unit/embedded/test_embedded_trace.py
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from small_program import P, SmallProgram, ethernet

from bmv2.embedded.match import Exact
from bmv2.embedded.observation import TRACE, Observation
from bmv2.embedded.profile import Member

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+) packet(?: (\d+\.\d+))?: (.*)")


class Observed:
    """A program and what it has written to the log."""

    def __init__(self, name: str, log: Path, level: int, dump_bytes: int) -> None:
        self._log = log
        self._file = log.open("ab")
        self._read = 0
        self.program = SmallProgram(
            name,
            Observation(log_descriptor=self._file.fileno(), level=level, dump_bytes=dump_bytes),
        )

    def lines(self) -> list[tuple[str, str | None, str]]:
        """Level, packet and text of the new lines."""
        text = self._log.read_text()[self._read :]
        self._read += len(text)
        found = [LINE.fullmatch(line) for line in text.splitlines()]
        assert None not in found, text
        return [(match[1], match[2], match[3].strip()) for match in found if match]

    def texts(self) -> list[str]:
        return [text for _, _, text in self.lines()]

    def close(self) -> None:
        self.program.dataplane.stop()
        self._file.close()


Observe: TypeAlias = Callable[..., Observed]


@pytest.fixture
def observe(tmp_path: Path) -> Iterator[Observe]:
    running: list[Observed] = []

    def start(name: str, level: int = logging.DEBUG, dump_bytes: int = 0) -> Observed:
        running.append(Observed(name, tmp_path / "log", level, dump_bytes))
        return running[-1]

    yield start
    for each in running:
        each.close()


def test_the_way_of_a_packet_through_a_table(observe: Observe) -> None:
    observed = observe("profile")
    plane = observed.program.dataplane
    member = plane.member_add(P + "members", P + "answer", [0xABC])
    entry = plane.table_add_indirect(P + "with_members", [Exact(2)], 0, Member(member))
    observed.program.run(ethernet(1, 2, 0, bytes(4)), port=3)
    lines = observed.lines()
    assert {(level, packet) for level, packet, _ in lines} == {("DEBUG", "1.0")}
    texts = [text for _, _, text in lines]
    wanted = [
        "received by port 3: 18 bytes",
        "parser state start",
        "extracted ethernet: 0000000000010000000000020000",
        "extracted key_: 00000000",
        "parsed, bytes: 18",
        "ingress",
        f"table {P}with_members: key (hdr.ethernet.src=0x2)",
        f"table {P}with_members: hit, entry {entry}",
        f"action {P}answer(number=0xabc)",
        "egress, for port 1",
        "deparsed ethernet",
        "deparsed key_",
        "sent by port 1: 18 bytes",
    ]
    assert [text for text in texts if text in wanted] == wanted, texts
    conditions = [text for text in texts if text.startswith("condition")]
    assert any(text.endswith("hdr.key_.which == 0: true") for text in conditions), conditions


def test_each_statement_at_the_lowest_level(observe: Observe) -> None:
    observed = observe("drop", TRACE)
    observed.program.run(ethernet(0, 0, 1))
    statements = [text for level, _, text in observed.lines() if level == "TRACE"]
    assert any(re.fullmatch(r"drop\.p4\(\d+\): mark_to_drop\(std\);?", each) for each in statements)


def test_why_a_packet_leaves_by_no_port(observe: Observe) -> None:
    observed = observe("drop")
    observed.program.run(ethernet(0, 0, 1))
    assert observed.texts()[-1] == "dropped by the ingress"
    # The STF script of the program makes group 1; here there is none.
    observed.program.run(ethernet(0, 0, 5))
    assert observed.texts()[-1] == "no such multicast group"
    counts = observed.program.dataplane.port_counts(0)
    assert (counts.received, counts.ingress_drop, counts.no_group) == (2, 1, 1)
    totals = observed.program.dataplane.fate_counts()
    assert (totals.ingress_drop, totals.no_group, totals.egress_drop) == (1, 1, 0)


def test_copies_have_numbers_of_their_own(observe: Observe) -> None:
    observed = observe("clone")
    observed.program.dataplane.clone_session_set(5, [(2, 0), (3, 9)], 0)
    for _ in range(2):
        observed.program.run(ethernet(0, 0, 1, bytes(8)))
    sent = [(packet, text) for _, packet, text in observed.lines() if text.startswith("sent by")]
    assert sent == [
        ("1.2", "sent by port 2: 22 bytes"),
        ("1.3", "sent by port 3: 22 bytes"),
        ("1.0", "sent by port 1: 22 bytes"),
        ("2.2", "sent by port 2: 22 bytes"),
        ("2.3", "sent by port 3: 22 bytes"),
        ("2.0", "sent by port 1: 22 bytes"),
    ]


def test_a_parser_error_is_named(observe: Observe) -> None:
    observed = observe("drop")
    observed.program.run(bytes(5))
    assert "parser error PacketTooShort" in observed.texts()


def test_the_first_bytes_of_packets(observe: Observe) -> None:
    observed = observe("drop", logging.INFO, dump_bytes=15)
    observed.program.run(ethernet(1, 2, 0, b"\x07\x08"))
    head = ethernet(1, 2, 0, b"\x07").hex()
    assert observed.lines() == [
        ("INFO", "1.0", f"comes: {head}"),
        ("INFO", "1.0", f"leaves: {head}"),
    ]


def test_log_msg_needs_no_trace(observe: Observe) -> None:
    observed = observe("small_externs", logging.INFO)
    draw = b"".join(number.to_bytes(2, "big") for number in (5, 5, 0, 0))
    observed.program.run(ethernet(1, 2, 3, draw))
    assert observed.lines() == [("INFO", None, "drawn 5 of 5"), ("INFO", None, "that is all")]


def test_nothing_is_written_above_its_level(observe: Observe) -> None:
    observed = observe("small_externs", logging.WARNING)
    observed.program.run(ethernet(1, 2, 3, bytes(8)))
    assert observed.lines() == []


@pytest.mark.parametrize(
    ("observation", "needs_trace"),
    [
        (Observation(), False),
        (Observation(log_descriptor=1, level=logging.INFO), False),
        (Observation(log_descriptor=1, level=logging.DEBUG), True),
        (Observation(log_descriptor=1, level=logging.INFO, dump_bytes=1), True),
        (Observation(pcap_directory=Path()), True),
    ],
)
def test_who_observes_nothing_pays_nothing(observation: Observation, needs_trace: bool) -> None:
    assert observation.needs_trace == needs_trace
