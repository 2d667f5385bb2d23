"""The commands, against the real API on a unix socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from controller_model import model_controller
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
    }


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


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("move", "nf1", "nf9"), "unknown instance 'nf9'; there are: nf1, nf2"),
        (("move", "nf1", "nf1"), "source and destination are both nf1"),
        (("cancel", "m7"), "there is no move 'm7'"),
        (
            ("move-elephant", "nf1", "nf2", "--detector", "bayes", "--theta", "0.5"),
            "theta is not for the detector bayes, which takes size and distribution",
        ),
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
    assert capsys.readouterr().err == f"controlplane: {line}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--northbound", "unix:/nowhere/x.sock"), "no controller at unix:/nowhere/x.sock"),
        (("--northbound", "tcp:1"), "northbound address 'tcp:1': it is unix:/path/of/socket"),
    ],
)
def test_no_controller(arguments: tuple[str, ...], line: str) -> None:
    with pytest.raises(CommandError, match=line):
        CliRunner().invoke(cli.app, ["status", *arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("move", "nf1"), "Missing argument 'DST'."),
        (
            ("move-elephant", "nf1", "nf2", "--rho", "2"),
            "Invalid value for '--rho': '2' is no share, above 0 and at most 1",
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
