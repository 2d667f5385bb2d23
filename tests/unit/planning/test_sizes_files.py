"""Distributions out of files; captures are written by scapy.

Run: pytest tests/unit/planning/test_sizes_files.py
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinux, Dot1Q, Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapNgWriter, wrpcap

from controlplane.sizes.builtin import WEB_SEARCH
from controlplane.sizes.distribution import SizesError
from controlplane.sizes.files import find_distribution, read_distribution
from controlplane.sizes.pcap import captured_flows


def write(path: Path, text: str) -> Path:
    file = path / "sizes.txt"
    file.write_text(text)
    return file


# --- text ---------------------------------------------------------------------------


def test_the_built_in_ones_have_names() -> None:
    assert find_distribution("web-search") is WEB_SEARCH


@pytest.mark.parametrize(
    "text",
    [
        "0 0\n10000 0.5\n20000 1\n",
        "# bytes, percent\n0, 0\n10k, 50\n\n20k, 100 # all\n",
        "0\t0%\n10000\t50%\n0.02M\t100%\n",
        "10000 0.5\n20000 1.0\n",
    ],
)
def test_a_cdf(tmp_path: Path, text: str) -> None:
    found = find_distribution(str(write(tmp_path, text)))
    assert found.points == ((0, 0), (10_000, 0.5), (20_000, 1))
    assert not found.published


@pytest.mark.parametrize("text", ["10\n30\n10\n", "id,Bytes\n1,10\n2,30\n3,10\n"])
def test_a_list_of_flows(tmp_path: Path, text: str) -> None:
    found = read_distribution(write(tmp_path, text))
    assert found.points == ((9, 0), (10, pytest.approx(2 / 3)), (29, pytest.approx(2 / 3)), (30, 1))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("10 0.5\n20 0.9\n", "the last share is 0.9, neither 1 nor 100"),
        ("10 0.5\n9 1\n", "line 2: not above the line before it"),
        ("10 0.5\n20 nan\n", "line 2: not above the line before it"),
        ("10 0.5\n20 0.4\n", "line 2: not above the line before it"),
        ("10 0.5\n20 1 7\n", "line 2: '20 1 7' is not bytes and a share"),
        ("10 0.5\n20 all\n", "line 2: 'all' is no share"),
        ("ten 0.5\n20 1\n", "line 1: 'ten' is no size"),
        ("10\n-5\n", "line 2: '-5' is no size"),
        ("10\n0\n", "line 2: a flow without a byte"),
        ("id,bytes\n1\n", "line 2: 1 columns, the heading has 2"),
        ("id,bytes\n1,many\n", "line 2: 'many' is no size"),
        ('id,bytes\n"1\n2",9\n', "a line ends within quotes"),
        (f"id,bytes\n{'x' * 140_000},9\n", "field larger than field limit (131072)"),
        ("10\n1e19\n", "line 2: '1e19' is too large a size"),
        ("id,bytes\n", "no flow with a byte in it"),
        ("0 0.2\n10 1\n", "the shares must go from 0 to 1"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SizesError) as refused:
        read_distribution(file)
    assert str(refused.value).startswith(f"{file}: {line}")
    assert "\n" not in str(refused.value)


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(SizesError, match=r"^webserch: no such file, and no built-in .*web-search"):
        find_distribution("webserch")
    with pytest.raises(SizesError, match=r"^x{300}: no such file"):
        find_distribution("x" * 300)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SizesError, match="pipe: a pipe or device, not a file"):
        find_distribution(str(tmp_path / "pipe"))
    with pytest.raises(SizesError, match="Is a directory"):
        find_distribution(str(tmp_path))
    binary = tmp_path / "x.gz"
    binary.write_bytes(gzip.compress(b"10 1"))
    with pytest.raises(SizesError, match="neither text nor a packet capture"):
        find_distribution(str(binary))


# --- captures -----------------------------------------------------------------------


def at(time_s: float, packet: Packet) -> Packet:
    packet.time = time_s
    return packet


def tcp(port: int, flags: str, size: int = 100, *, back: bool = False) -> Packet:
    ends = {"sport": 80, "dport": port} if back else {"sport": port, "dport": 80}
    addresses = ("10.0.0.2", "10.0.0.1") if back else ("10.0.0.1", "10.0.0.2")
    head = Ether() / IP(src=addresses[0], dst=addresses[1]) / TCP(flags=flags, **ends)
    return head / Raw(bytes(size - len(head)))


PACKETS = [
    at(1.0, tcp(1, "S")),
    at(1.1, tcp(1, "SA", back=True)),
    at(1.2, tcp(1, "FA", 1500)),
    at(1.3, tcp(1, "FA", back=True)),
    at(1.4, tcp(1, "A")),  # the last word still belongs to it
    at(1.5, tcp(1, "S", 70)),  # the ports again: another flow
    at(1.6, tcp(1, "R", 70)),
    at(2.0, tcp(2, "A", 400)),  # goes on
    at(2.0, Ether() / ARP()),
    at(2.1, Ether() / Dot1Q(vlan=5) / IP(src="9.9.9.9", dst="8.8.8.8") / UDP() / Raw(bytes(100))),
    at(14.0, tcp(3, "S", 90)),
    at(14.1, tcp(2, "A", 300)),  # after a pause: another flow
    at(14.2, Ether() / IPv6(src="fe80::1", dst="fe80::2") / UDP() / Raw(bytes(10))),
]
ENDED = sorted([100 + 100 + 1500 + 100 + 100, 140, 400, 146])
LIVE = sorted([90, 300, 72])


@pytest.mark.parametrize("kind", ["pcap", "pcapng", "nanoseconds", "big endian"])
def test_a_capture(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "trace"
    if kind == "pcapng":
        with PcapNgWriter(str(file)) as writer:
            writer.write(PACKETS)
    else:
        wrpcap(
            str(file),
            PACKETS,
            nano=kind == "nanoseconds",
            endianness=">" if kind == "big endian" else "<",
        )
    captured = captured_flows(file)
    ended, live = captured.ended, captured.live
    assert sorted(ended.tolist()) == ENDED
    assert sorted(live.tolist()) == LIVE
    assert find_distribution(str(file)).largest == max(ENDED)


def test_how_many_flows_of_a_capture_are_under_way(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    # One flow for four seconds and one for two of them, in four.
    times = [(10.0, 1), (11.0, 2), (12.0, 1), (13.0, 2), (14.0, 1)]
    wrpcap(str(file), [at(time, tcp(end, "A", 200)) for time, end in times])
    captured = captured_flows(file)
    assert captured.flow_s == pytest.approx(6)
    assert captured.live_flows() == pytest.approx(1.5)
    assert captured.bytes_per_s() == pytest.approx(250)
    wrpcap(str(file), [at(10.0, tcp(1, "A", 200))])
    captured = captured_flows(file)
    assert (captured.live_flows(), captured.bytes_per_s()) == (0, 0)


@pytest.mark.parametrize(
    ("case", "packet", "size"),
    [
        ("raw", IP(src="1.1.1.1", dst="2.2.2.2") / UDP() / Raw(bytes(72)), 100),
        ("cooked", CookedLinux(proto=0x0800) / IP() / UDP() / Raw(bytes(72)), 116),
    ],
)
def test_other_links(tmp_path: Path, case: str, packet: Packet, size: int) -> None:
    file = tmp_path / case
    wrpcap(str(file), [packet])
    assert captured_flows(file).live.tolist() == [size]


def test_frames_that_were_cut_count_whole(tmp_path: Path) -> None:
    file = tmp_path / "short"
    packet = Ether(bytes(tcp(1, "A", 1500))[:60])
    packet.wirelen = 1500
    wrpcap(str(file), [packet])
    assert captured_flows(file).live.tolist() == [1500]


def test_a_capture_that_is_still_being_written(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    wrpcap(str(whole), PACKETS)
    part = tmp_path / "part"
    part.write_bytes(whole.read_bytes()[:-20])
    assert sum(map(len, captured_flows(part)[:2])) == sum(map(len, captured_flows(whole)[:2])) - 1


def test_captures_without_flows(tmp_path: Path) -> None:
    file = tmp_path / "arp"
    wrpcap(str(file), [Ether() / ARP()])
    with pytest.raises(SizesError, match="has no IP packet"):
        read_distribution(file)
    whole = tmp_path / "whole"
    wrpcap(str(whole), PACKETS)
    damaged = bytearray(whole.read_bytes())
    damaged[24 + 8 : 24 + 12] = b"\xff" * 4
    file.write_bytes(damaged)
    with pytest.raises(SizesError, match="is damaged at byte 40"):
        read_distribution(file)
    file.write_bytes(whole.read_bytes()[:10])
    with pytest.raises(SizesError, match="is damaged"):
        read_distribution(file)
