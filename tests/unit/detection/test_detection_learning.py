"""Learning flow sizes from the flow information table, and choosing by what was learnt.

Run: pytest tests/unit/detection/test_detection_learning.py
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest
from fit_model import ACK, FIN, SYN, FitModel, Packet
from hypothesis import given
from hypothesis import strategies as st

from controlplane.detection.choice import Choice, DetectionError, DetectorName, Settings
from controlplane.detection.filter_api import ElephantDetector
from controlplane.detection.fit import decode
from controlplane.detection.learner import Learner
from controlplane.detection.monitor import FlowMonitor
from controlplane.detection.recorder import FlowRecorder
from controlplane.registers.reader import Cells
from controlplane.switch.errors import SwitchError
from nf.southbound.flow import FiveTuple

WINDOW_US = 100_000
FOREVER_US = 1 << 40


def flow(number: int) -> FiveTuple:
    return FiveTuple(number, 99, 1000, 80, 6)


def look(recorder: FlowRecorder, model: FitModel, now_us: int) -> None:
    recorder.observe(decode(model.cells(), now_us, FOREVER_US), now_us)


def connection(number: int, begin_us: int, size: int) -> list[Packet]:
    """A TCP connection of `size` bytes that is closed right away."""
    return [
        Packet(flow(number), begin_us, 60, True, SYN),
        Packet(flow(number), begin_us + 10, size - 180, True, ACK),
        Packet(flow(number), begin_us + 20, 60, True, FIN | ACK),
        Packet(flow(number), begin_us + 30, 60, False, FIN | ACK),
    ]


def play(model: FitModel, packets: Sequence[Packet]) -> None:
    for packet in packets:
        assert model.count(packet)


# --- what is recorded -------------------------------------------------------------------


def test_a_flow_counts_once_when_it_is_over() -> None:
    model, recorder = FitModel(WINDOW_US), FlowRecorder(WINDOW_US)
    play(model, connection(1, 1_000_000, 5_000))
    model.count(Packet(flow(2), 1_050_000, 700))
    look(recorder, model, 1_060_000)
    assert (len(recorder.ended), recorder.live.tolist()) == (0, [700])
    look(recorder, model, 1_100_030)
    assert len(recorder.ended) == 0, "something of it might still come"
    look(recorder, model, 1_100_031)
    assert (len(recorder.ended), recorder.live.tolist()) == (1, [700])
    look(recorder, model, 1_200_000)
    assert (len(recorder.ended), recorder.live.tolist()) == (2, [])
    look(recorder, model, 9_000_000)
    assert len(recorder.ended) == 2


def test_the_first_look_finds_what_the_table_still_says() -> None:
    model, recorder = FitModel(WINDOW_US), FlowRecorder(WINDOW_US)
    for number in range(150):
        play(model, connection(number, 1_000_000 + 1_000 * number, 1_000))
    look(recorder, model, 60_000_000)
    assert len(recorder.ended) == 150
    assert recorder.distribution().points == ((999, 0), (1000, 1))


def test_the_newest_are_remembered() -> None:
    model, recorder = FitModel(WINDOW_US), FlowRecorder(WINDOW_US, capacity=120)
    for size, begin_us in ((1_000, 1_000_000), (2_000, 2_000_000)):
        for number in range(100):
            play(model, connection(number + size, begin_us + 1_000 * number, size))
        look(recorder, model, begin_us + 500_000)
    assert len(recorder.ended) == 120
    assert float(recorder.distribution().share_beyond(1_500)) == pytest.approx(100 / 120)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 70_000)), max_size=40),
    st.lists(st.integers(1, 400_000), max_size=20),
)
def test_what_is_over_at_a_look_is_counted_once(
    gaps: list[tuple[int, int]], looks: list[int]
) -> None:
    model, recorder = FitModel(WINDOW_US), FlowRecorder(WINDOW_US)
    now_us = 1_000_000
    packets: list[Packet] = []
    for number, gap_us in gaps:
        now_us += gap_us
        packets.append(Packet(flow(number), now_us, 100 + number))
    end_us = now_us + 10 * WINDOW_US
    look_at_us = [1_000_000 + sum(looks[:count]) for count in range(1, len(looks) + 1)]
    # Bursts: flow, first and last packet, bytes. It can be seen until the next one begins.
    bursts: list[list[int]] = []
    for packet in packets:
        number = packet.flow.low_address
        mine = [each for each in bursts if each[0] == number]
        if mine and packet.time_us - mine[-1][2] <= WINDOW_US:
            mine[-1][2:] = packet.time_us, mine[-1][3] + packet.size
        else:
            bursts.append([number, packet.time_us, packet.time_us, packet.size])
    look_at_us = [*(each for each in look_at_us if each < end_us), end_us]
    expected: list[int] = []
    for position, (number, _, last_us, size) in enumerate(bursts):
        later = [first for flow, first, *_ in bursts[position + 1 :] if flow == number]
        until_us = min(later, default=end_us)
        if any(last_us + WINDOW_US < each <= until_us for each in look_at_us):
            expected.append(size)
    events = [(at_us, 0, None) for at_us in look_at_us]
    events += [(packet.time_us, 1, packet) for packet in packets]
    for at_us, _, packet in sorted(events, key=lambda event: event[:2]):
        if packet is None:
            look(recorder, model, at_us)
        else:
            model.count(packet)
    assert sorted(recorder.ended.tolist()) == sorted(expected)


# --- choosing by it -----------------------------------------------------------------------


class Clock:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


async def test_bayes_with_what_was_learnt() -> None:
    model, recorder = FitModel(WINDOW_US), FlowRecorder(WINDOW_US)
    monitor = FlowMonitor(model, model, WINDOW_US, clock=Clock())
    detector = ElephantDetector(monitor, recorder=recorder)
    learner = Learner(monitor, recorder, None, lambda: False)
    asked = Choice(detector=DetectorName.BAYES, size=90_000)

    for number in range(60):
        play(model, connection(number, 1_000_000 + 100 * number, 1_000))
    with pytest.raises(DetectionError, match="learnt: 0 flows have been seen to end, 100"):
        await detector.rule(asked)
    # 60 small flows, 60 large ones: who has more than 1 kB is a large one.
    for number in range(60, 120):
        play(model, connection(number, 1_000_000 + 100 * number, 100_000))
    model.count(Packet(flow(500), 1_500_000, 1_500))
    model.count(Packet(flow(501), 1_500_000, 900))
    await learner.look()
    assert len(recorder.ended) == 120
    found = await detector.filter_channel(None, await detector.rule(asked))
    assert found.flows == (flow(500), flow(501))
    # 900 bytes: half of the flows came to more than 1 kB, all of those to 90 kB. Now most
    # are small, so 900 bytes are no sign of size.
    for number in range(200, 400):
        play(model, connection(number, 1_600_000 + 100 * number, 1_000))
    model.count(Packet(flow(500), 1_800_000, 1_500))
    model.count(Packet(flow(501), 1_800_000, 900))
    await learner.look()
    found = await detector.filter_channel(None, await detector.rule(asked))
    assert found.flows == (flow(500),)
    assert (found.active_flows, found.live_flows, found.live_bytes) == (2, 2, 2_400)
    assert found.choice.described() == "bayes, X = 90 kB, sizes: learnt"


class Traffic(FitModel):
    """Three flows, of which two go on while the table is read twice."""

    def __init__(self) -> None:
        super().__init__(WINDOW_US)
        self.reads = 0

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        begin_us = 10_000_000 + self.reads * 80_000
        for number, size in enumerate((100_000, 40, 0)):
            if size or not self.reads:
                self.count(Packet(flow(number), begin_us + number, size + 60))
        self.reads += 1
        return await super().read(names)


async def test_survival_looks_twice() -> None:
    model = Traffic()
    monitor = FlowMonitor(model, model, WINDOW_US, clock=Clock())
    detector = ElephantDetector(
        monitor,
        Settings(detector=DetectorName.SURVIVAL, distribution="web-search"),
        move_s=lambda: 10.0,
    )
    found = await detector.filter_channel(None)
    assert model.reads == 2
    # At 100 kB in 80 ms the first sends 12.5 MB in 10 s, and few flows are as large. The
    # second sends 12.5 kB, the third nothing.
    assert found.flows == (flow(1), flow(2))
    assert found.read_s >= WINDOW_US / 1e6


async def test_the_others_look_once() -> None:
    for name in set(DetectorName) - {DetectorName.SURVIVAL}:
        model = Traffic()
        detector = ElephantDetector(
            FlowMonitor(model, model, WINDOW_US, clock=Clock()),
            Settings(detector=name, distribution="wan"),
        )
        await detector.filter_channel(None)
        assert model.reads == 1, name


# --- looking by itself ----------------------------------------------------------------------


class Watched(FitModel):
    """Tells when it has been read, and fails now and then."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__(WINDOW_US)
        self.failures = failures
        self.reads = asyncio.Semaphore(0)

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        self.reads.release()
        self.failures -= 1
        if self.failures >= 0:
            raise SwitchError("s1: does not answer")
        return await super().read(names)


async def test_it_looks_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    model = Watched(failures=2)
    busy = True
    monitor = FlowMonitor(model, model, WINDOW_US)
    learner = Learner(monitor, FlowRecorder(WINDOW_US), 0.001, lambda: busy)
    with caplog.at_level(logging.WARNING):
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(learner.run())
            async with asyncio.timeout(20):
                for _ in range(10):
                    await asyncio.sleep(0.002)
                assert model.reads.locked(), "not while it is busy"
                busy = False
                for _ in range(5):
                    await model.reads.acquire()
            running.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        "flow sizes cannot be learnt: s1: does not answer"
    ]


async def test_without_an_interval_it_does_not() -> None:
    model = Watched()
    monitor = FlowMonitor(model, model, WINDOW_US)
    await Learner(monitor, FlowRecorder(WINDOW_US), None, lambda: False).run()
    assert model.reads.locked()
