"""The accounting finds exactly what was planted, and nothing in a clean capture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from testbed.accounting import account, flow_key, flow_keys, identities
from testbed.capture import SNAP_BYTES, Packets

TRIALS = 50


def make_packets(random: np.random.Generator, count: int, flows: int = 7) -> Packets:
    """TCP packets of a few flows in both directions, one a millisecond."""
    head = random.integers(0, 256, (count, SNAP_BYTES), dtype=np.uint8)
    head[:, 12:15] = [0x08, 0x00, 0x45]
    head[:, 23] = 6
    ends = np.array([[10, 0, 1, 10], [10, 0, 2, 10]], np.uint8)
    forward = random.integers(0, 2, count)
    head[:, 26:30], head[:, 30:34] = ends[forward], ends[1 - forward]
    flow = random.integers(0, flows, count)
    ports = np.stack([np.zeros(count), flow], axis=1).astype(np.uint8)
    server = np.broadcast_to(np.array([0, 80], np.uint8), (count, 2))
    is_client = (forward == 0)[:, None]
    head[:, 34:36] = np.where(is_client, ports, server)
    head[:, 36:38] = np.where(is_client, server, ports)
    time_ns = np.arange(count, dtype=np.int64) * 1_000_000
    return Packets(time_ns, np.full(count, 1054, np.int64), head)


def pick(packets: Packets, chosen: NDArray[np.int64], delay_ns: int = 500) -> Packets:
    """What comes out: TTL, MACs and IPv4 checksum changed on the way."""
    head = packets.head[chosen].copy()
    head[:, :12] = 2
    head[:, 22] -= 1
    head[:, 24:26] ^= 0xFF
    return Packets(packets.time_ns[chosen] + delay_ns, packets.length[chosen], head)


@pytest.fixture(params=range(3))
def random(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_a_clean_capture_is_clean(random: np.random.Generator) -> None:
    entered = make_packets(random, 2000)
    result = account(entered, pick(entered, np.arange(2000)))
    assert result.clean
    assert (result.entered, result.left, result.reordered) == (2000, 2000, 0)
    assert (result.delay_ns == 500).all()
    assert (result.delay_flow == flow_keys(entered)).all()


def test_planted_faults_are_counted_exactly(random: np.random.Generator) -> None:
    for _ in range(TRIALS):
        entered = make_packets(random, 300)
        order = random.permutation(300)
        lost, doubled = order[: random.integers(0, 20)], order[20 : 20 + random.integers(0, 20)]
        out = np.sort(np.concatenate([np.setdiff1d(np.arange(300), lost), doubled]))
        left = pick(entered, out)
        foreign = make_packets(random, int(random.integers(0, 5)))
        left = Packets.join([left, foreign])
        result = account(entered, left)
        assert result.lost == len(lost)
        assert set(result.lost_ids) == set(identities(pick(entered, lost)))
        assert result.duplicated == len(doubled)
        assert result.foreign == len(foreign)
        assert result.reordered == 0


def test_reordering_within_a_direction_is_counted(random: np.random.Generator) -> None:
    entered = make_packets(random, 100, flows=1)
    from_client = np.flatnonzero(entered.head[:, 29] == 10)
    from_client = from_client[entered.head[from_client, 28] == 1]
    out = np.arange(100)
    # The first packet of the client comes out last: itself is late, no other.
    late = np.concatenate([np.delete(out, from_client[0]), from_client[:1]])
    assert account(entered, pick(entered, late)).reordered == 1
    # Reversed, every packet but the first of each direction is overtaken.
    assert account(entered, pick(entered, out[::-1])).reordered == 98


def test_order_between_flows_does_not_count(random: np.random.Generator) -> None:
    entered = make_packets(random, 200)
    by_direction = np.lexsort((np.arange(200), flow_keys(entered), entered.head[:, 28]))
    assert account(entered, pick(entered, by_direction)).reordered == 0


def test_other_packets_do_not_count(random: np.random.Generator) -> None:
    entered = make_packets(random, 10)
    arp = make_packets(random, 5)
    arp.head[:, 13] = 0x06
    result = account(Packets.join([entered, arp]), pick(entered, np.arange(10)))
    assert result.clean
    assert result.entered == 10


@pytest.mark.parametrize(("entered", "left"), [(0, 0), (3, 0), (0, 3)])
def test_empty_captures(entered: int, left: int) -> None:
    random = np.random.default_rng(1)
    result = account(make_packets(random, entered), make_packets(random, left))
    assert (result.lost, result.foreign) == (entered, left)


def test_the_same_packet_twice_in_must_come_out_twice(random: np.random.Generator) -> None:
    entered = make_packets(random, 10)
    twice = Packets.join([entered, entered])
    assert account(twice, pick(twice, np.arange(20))).clean
    assert account(twice, pick(twice, np.arange(19))).lost == 1


def test_both_directions_have_one_flow_key(random: np.random.Generator) -> None:
    packets = make_packets(random, 50, flows=1)
    assert len(np.unique(flow_keys(packets))) == 1
    low, high = (0x0A00010A << 16) + 0, (0x0A00020A << 16) + 80
    key = flow_key(
        np.array([low], np.uint64), np.array([high], np.uint64), np.array([6], np.uint64)
    )
    assert flow_keys(packets)[0] == key[0]
