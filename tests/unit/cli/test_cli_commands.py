"""The commands, against the real API on a unix socket."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import uvicorn
from controller_model import model_controller
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap
from typer.testing import CliRunner

from controlplane.cli import app as cli
from controlplane.cli import shell
from controlplane.cli.errors import CommandError
from controlplane.northbound.app import create_app

DEADLINE_S = 20


@pytest.fixture
def address(tmp_path: Path) -> Generator[str]:
    """A controller that serves on a socket, from a thread of its own."""
    path = tmp_path / "northbound.sock"
    ready = threading.Event()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        async with model_controller() as controller:
            config = uvicorn.Config(create_app(controller), uds=str(path), log_level="error")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
                await asyncio.sleep(0.001)
            loop = asyncio.get_running_loop()
            done = asyncio.Event()
            stop.append(lambda: loop.call_soon_threadsafe(done.set))
            ready.set()
            await done.wait()
            server.should_exit = True
            await task

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(DEADLINE_S)
    yield f"unix:{path}"
    stop[0]()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def run(*arguments: str, env: dict[str, str] | None = None) -> str:
    result = CliRunner().invoke(cli.app, arguments, env=env, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_status_flows_and_elephants(address: str) -> None:
    assert "nf1" in run("status", "--northbound", address)
    assert "24 active flows" in run("flows", "--northbound", address)
    assert "no room" in run("flows", "--northbound", address)
    assert "ρ = 0.5" in run("elephants", "--rho", "0.5", "--northbound", address)
    assert run_json("elephants", "--at", "nf1", "--northbound", address)["instance"] == "nf1"
    assert len(run_json("flows", "--northbound", address)["flows"]) == 24


def test_address_from_the_environment(address: str) -> None:
    out = run("status", "--json", env={"UHAUL_NORTHBOUND": address})
    assert json.loads(out)["switch"]["name"] == "s1"


def test_move_elephant_prints_its_report(address: str) -> None:
    out = run("move-elephant", "nf1", "nf2", "--rho", "0.4", "--northbound", address)
    assert "5 of 5 moved" in out
    assert "draining" in out
    assert "m1" in run("moves", "--northbound", address)


def test_a_detector_is_chosen_for_a_move(address: str) -> None:
    chosen = ("--detector", "bayes", "--size", "2.5MB", "--distribution", "wan")
    out = run("elephants", *chosen, "--northbound", address)
    assert "bayes, X = 2.5 MB, sizes: wan" in out
    report = run_json("move-elephant", "nf1", "nf2", *chosen, "--northbound", address)
    assert report["elephants"] == {
        "detector": "bayes",
        "rho": None,
        "size": 2.5e6,
        "theta": None,
        "distribution": "wan",
        "edm": "switch",
    }
    assert "counted by the NF" in run("elephants", "--edm", "nf", "--northbound", address)


def test_move_as_json_has_the_timeline(address: str) -> None:
    report = run_json("move", "nf1", "nf2", "--wait-drain", "--northbound", address)
    assert report["state"] == "done"
    assert report["flows"]["moved"] == 24
    assert len(report["timeline"]) == 24
    assert report["drain"]["left"] == 0
    back = run_json(
        "move", "nf2", "nf1", "--no-parallelize", "--no-early-release", "--northbound", address
    )
    assert (back["parallelize"], back["early_release"]) == (False, False)
    assert back["flows"]["moved"] == 24


def test_a_move_is_divided_among_destinations(address: str) -> None:
    out = run("move", "nf1", "nf2", "nf3", "--json", "--northbound", address)
    reports = [json.loads(line) for line in out.splitlines()]
    assert [report["destination"] for report in reports] == ["nf2", "nf3"]
    assert [report["buckets"] for report in reports] == [32, 32]
    assert sum(report["flows"]["moved"] for report in reports) == 24
    again = run("move", "nf2", "nf1", "--share", "0.5", "--northbound", address)
    assert "16 of 64: only flows of these" in again


def test_who_does_not_wait_any_more_is_told_what_goes_on(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **more: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("controlplane.cli.app.follow", interrupted)
    with pytest.raises(CommandError, match=r"m1 is \w+, and goes on"):
        run("move", "nf1", "nf2", "--northbound", address)


def test_who_loses_the_controller_is_told_what_was_under_way(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*arguments: object, **more: object) -> NoReturn:
        raise CommandError("no controller at unix:/x")

    monkeypatch.setattr("controlplane.cli.app.follow", lost)
    with pytest.raises(CommandError, match=r"no controller at .* \(begun: m1\)"):
        run("move", "nf1", "nf2", "--northbound", address)


def test_mice_that_another_move_has_taken_over_are_its_own(address: str) -> None:
    drain = ("--strategy", "drain", "--northbound", address)
    run("move", "nf1", "nf2", *drain)
    run("move", "nf2", "nf1", *drain)
    deadline_s = time.monotonic() + 10
    while "another move's" not in run("moves", "--northbound", address):
        assert time.monotonic() < deadline_s
    assert run_json("moves", "--northbound", address)[0]["drain"]["superseded"]


def test_a_refused_part_of_a_divided_move_says_what_goes_on(address: str) -> None:
    with pytest.raises(CommandError, match=r"unknown instance 'nf9'.* \(begun: m1\)"):
        run("move", "nf1", "nf2", "nf9", "--northbound", address)


def test_stragglers_are_told_of(address: str) -> None:
    asked = ("--stragglers", "0", "--distribution", "web-search", "--detector", "survival")
    run("move-elephant", "nf1", "nf2", *asked, "--northbound", address)
    deadline_s = time.monotonic() + 10
    while len(moves := run_json("moves", "--northbound", address)) < 2:
        assert time.monotonic() < deadline_s
    assert [move["stragglers"] for move in moves] == ["m2", None]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("move", "nf1", "nf9"), "unknown instance 'nf9'; there are: nf1, nf2, nf3"),
        (("move", "nf1", "nf1"), "source and destination are both nf1"),
        (("move", "nf1", "nf2", "nf1"), "SRC and the DST are to be different instances"),
        (("move", "nf1", "nf2", "nf2"), "SRC and the DST are to be different instances"),
        (("cancel", "m7"), "there is no move 'm7'"),
        (
            ("move-elephant", "nf1", "nf2", "--detector", "bayes", "--theta", "0.5"),
            "theta is not for the detector bayes, which takes size and distribution",
        ),
        (
            ("plan", "--flows", "9"),
            "--flows and --rate go with SIZES: a controller's flows are known",
        ),
        (
            ("plan", "web-search", "--at", "nf1"),
            "--at and --distribution are for a controller's flows, not SIZES",
        ),
        (
            ("plan", "--distribution", "/nowhere/sizes"),
            "/nowhere/sizes: no such file, and no built-in distribution"
            " (web-search, cache, wan, wan-light)",
        ),
        (("plan", "wan", "--draws", "1", "--plot", "/proc/x/plan.png"), "/proc/x/plan.png: "),
        (
            ("plan", "wan", "--rate", "1e17"),
            "1e+17 bits a second are 5.605e+09 flows of wan in 0.1 s: say another --rate",
        ),
        (
            ("plan", "wan", "--rate", "1e-9"),
            "1e-09 bits a second are 5.605e-17 flows of wan in 0.1 s: say another --rate",
        ),
        (
            ("plan", "wan", "--draws", "1", "--plot", "/tmp/plan"),
            "/tmp/plan: its name has to end in .png, .svg or .pdf",
        ),
        (
            ("plan", "cache", "--rate", "100G", "--draws", "100000"),
            "100000 draws of 3,249 flows would take long: say --draws 12310,"
            " or another --rate or --flows",
        ),
        (("plan", "wan", "--draws", "1", "--plot", "/tmp/plan.xyz"), "/tmp/plan.xyz: Format 'xyz'"),
        (
            ("elephants", "--detector", "survival", "--size", "3MB"),
            "size is not for the detector survival, which takes theta and distribution",
        ),
        (
            ("elephants", "--detector", "bayes", "--distribution", "/nowhere/sizes"),
            "/nowhere/sizes: no such file, and no built-in distribution"
            " (web-search, cache, wan, wan-light)",
        ),
    ],
)
def test_refusals_are_one_line_and_exit_1(
    address: str,
    arguments: tuple[str, ...],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["controlplane", *arguments, "--northbound", address])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    said = capsys.readouterr().err
    # Some of what the system says, or matplotlib, is not ours.
    assert said == f"controlplane: {line}\n" or "--plot" in arguments
    assert said.startswith(f"controlplane: {line}")
    assert said.count("\n") == 1


def test_a_plan_of_the_controllers_flows(address: str) -> None:
    asked = ("plan", "--northbound", address, "--size", "50", "--draws", "20")
    made = run_json(*asked, "--seed", "5")
    assert (made["live_flows"], made["active_flows"], made["seed"]) == (20, 24, 5)
    # The model's controller has moved 10 flows in 15 ms and 30 in 25.
    assert (made["costs"]["fixed_ms"], made["costs"]["flow_ms"]) == (10, 0.5)
    found = {each["name"]: each for each in made["definitions"]}
    assert list(found) == ["nothing", "size, X = 50 B", "bayes, X = 50 B", "all-live", "everything"]
    for name, moved in (("nothing", 0), ("size, X = 50 B", 20), ("everything", 24)):
        assert found[name]["flows_moved"] == moved
        assert found[name]["downtime_ms"] == (10 + 0.5 * moved if moved else 0)
    assert [each["name"] for each in made["definitions"] if each["best"]] == ["size, X = 50 B"]
    text = run(*asked, "--at", "nf1", "--costs", "paper", "--fixed-ms", "2")
    assert "20 live of 24 active flows, as seen at nf1" in text
    assert "2 ms + 0.4 ms a flow (as given, and the paper" in text


def test_a_plan_of_sizes_and_its_picture(tmp_path: Path) -> None:
    picture = tmp_path / "out" / "plan.svg"
    asked = ("--flows", "8", "--rate", "1G", "--rho", "0.5", "--draws", "10")
    text = run("plan", "cache", *asked, "--plot", str(picture))
    assert "8 live of" in text
    assert "sharing 1 Gb/s" in text
    assert "cache (not published); means of 10 draws" in text
    assert text.count(" best") == 1
    assert picture.read_text().rstrip().endswith("</svg>")


def test_a_plan_of_a_capture(tmp_path: Path) -> None:
    file = tmp_path / "trace.pcap"
    packets: list[Packet] = []
    for number in range(300):
        packet = (
            Ether() / IP(src="1.1.1.1", dst="2.2.2.2") / UDP(sport=number % 30) / Raw(bytes(58))
        )
        packet.time = 1000 + number / 100
        packets.append(packet)
    wrpcap(str(file), packets)
    made = run_json("plan", str(file), "--draws", "10")
    # Thirty flows, each from its first packet until 2.7 s later, within 2.99 s.
    assert made["live_flows"] == 27
    assert made["flows"] == "as many as in the capture, sharing 8.027e-05 Gb/s"


def test_a_capture_of_one_moment_has_no_rate(tmp_path: Path) -> None:
    file = tmp_path / "trace.pcap"
    wrpcap(str(file), [Ether() / IP() / UDP()])
    with pytest.raises(CommandError, match="all packets came at once: say --rate"):
        CliRunner().invoke(cli.app, ["plan", str(file)], catch_exceptions=False)
    assert run_json("plan", str(file), "--rate", "1M", "--draws", "1")["live_flows"] == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--northbound", "unix:/nowhere/x.sock"), "no controller at unix:/nowhere/x.sock"),
        (("--northbound", "127.0.0.1:9"), "no controller at 127.0.0.1:9"),
        (("--northbound", "nf1"), "northbound address 'nf1' is neither unix:/PATH nor HOST:PORT"),
    ],
)
def test_no_controller(arguments: tuple[str, ...], line: str) -> None:
    with pytest.raises(CommandError, match=line):
        CliRunner().invoke(cli.app, ["status", *arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("move", "nf1"), "Missing argument 'DST...'."),
        (
            ("move-elephant", "nf1", "nf2", "--rho", "2"),
            "Invalid value for '--rho': '2' is no share, above 0 and at most 1",
        ),
        (
            ("move-elephant", "nf1", "nf2", "--stragglers", "inf"),
            "Invalid value for '--stragglers': 'inf' is no time in seconds",
        ),
        (
            ("plan", "wan", "--rate", "-1"),
            "Invalid value for '--rate': '-1' is no rate: bits a second, as 10G",
        ),
        (("elephants", "--theta", "0"), "Invalid value for '--theta': '0' is no share"),
        (("elephants", "--size", "3 furlongs"), "Invalid value for '--size': '3 furlongs' is no"),
        (("elephants", "--size", "0"), "Invalid value for '--size': '0' is not above 0"),
        (("elephants", "--detector", "guess"), "Invalid value for '--detector': "),
        (("move-elephant", "nf1", "nf2", "--scope", "all"), "Invalid value for '--scope': "),
        (("no-such-command",), "No such command 'no-such-command'."),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    arguments: tuple[str, ...],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["controlplane", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"controlplane: {line}")
    assert printed.count("\n") == 1


def test_shell_is_a_backup_and_pinned() -> None:
    started = shell.command(Path("/venv/bin/python"), "unix:/run/p4rt.sock", 7)
    assert started[started.index("--grpc-addr") + 1] == "unix:/run/p4rt.sock"
    assert started[started.index("--election-id") + 1] == "0,1", "below the controller's"
    requirements = Path(shell.__file__).with_name("shell-requirements.txt").read_text()
    pins = [line for line in requirements.splitlines() if not line.startswith("#")]
    assert all("==" in pin for pin in pins)
    assert "p4runtime-shell==0.0.6" in pins
