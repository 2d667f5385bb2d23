"""`controlplane run` as a process, and the commands on it, over a model of the switch.

Run: pytest tests/unit/controlplane/test_daemon.py
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from finsy.proto import p4r, rpc_code
from fit_model import FitModel, Packet
from p4runtime_model import SwitchModel, serving

from controlplane.config import ConfigError
from controlplane.daemon import DaemonError, run_daemon
from controlplane.switch import session
from controlplane.switch.program import Program
from nf.southbound.flow import FiveTuple
from testbed import plan
from testbed.plan import RunDirectory

BUILD = Path(__file__).parents[3] / "p4src" / "build"
PROGRAM = Program.load(BUILD / "uhaul.p4info.txtpb", BUILD / "uhaul.json")
DEADLINE_S = 30.0


class Ended(NamedTuple):
    """How a command has ended."""

    code: int
    out: str
    error: str


def topology(run: RunDirectory, thrift: str | None = None) -> str:
    text = plan.topology(
        run,
        program=BUILD / "uhaul.json",
        p4info=BUILD / "uhaul.p4info.txtpb",
        thrift=thrift,
        rho=0.5,
    )
    # Nobody reads the table but who is told to: the model's flows grow idle meanwhile.
    return text.replace("rho: 0.5", "rho: 0.5\n  learn_every_s: null")


def switch_model() -> SwitchModel:
    """A switch that has seen three flows at nf1 and one at nf2."""
    fit = FitModel(100_000)
    for number, size in enumerate((100, 5_000, 300, 2_000), 1):
        flow = FiveTuple(number, 99, 1000, 80, 6)
        fit.count(Packet(flow, 10**6 + number, size, instance=2 if number == 4 else 1))
    cells = {PROGRAM.register(name).preamble.id: v.tolist() for name, v in fit.cells().items()}
    overflow = p4r.CounterEntry(
        counter_id=PROGRAM.counter_id("fit_overflow"),
        index=p4r.Index(index=0),
        data=p4r.CounterData(packet_count=7),
    )
    return SwitchModel(
        registers=cells, reads={"counter_entry": [p4r.Entity(counter_entry=overflow)]}
    )


async def start(*arguments: str, run: RunDirectory) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controlplane", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env=os.environ | {"UHAUL_NORTHBOUND": f"unix:{run.northbound}"},
    )


async def end_of(process: Process) -> Ended:
    async with asyncio.timeout(DEADLINE_S):
        out, error = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), error.decode())


async def command(*arguments: str, run: RunDirectory) -> Ended:
    return await end_of(await start(*arguments, run=run))


async def ask(*arguments: str, run: RunDirectory) -> Any:
    ended = await command(*arguments, "--json", run=run)
    assert ended.code == 0, ended.error
    return json.loads(ended.out)


async def said(process: Process, words: str) -> None:
    """Waits until the process has logged that."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_S):
        while words not in (line := (await process.stderr.readline()).decode()):
            assert line, "it has ended"


@asynccontextmanager
async def daemon(
    run: RunDirectory, model: SwitchModel, *, reconnect_s: float = 20
) -> AsyncGenerator[Process]:
    """A daemon that is ready."""
    run.topology.write_text(f"{topology(run)}\nreconnect_s: {reconnect_s}\n")
    async with serving(model, f"unix:{run.p4runtime}"):
        process = await start("run", "--config", str(run.topology), run=run)
        try:
            await said(process, " ready")
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


async def test_the_commands_on_a_running_daemon(run: RunDirectory) -> None:
    async with daemon(run, switch_model()) as process:
        status = await ask("status", run=run)
        assert status["pid"] == process.pid
        assert [(each["name"], each["up"]) for each in status["instances"]] == [
            ("nf1", False),
            ("nf2", False),
        ]
        assert "does not answer" in status["instances"][0]["reason"]
        assert [each["buckets_owned"] for each in status["instances"]] == [64, 0]
        assert status["engine"]["max_packets"] == 100_000

        flows = await ask("flows", run=run)
        assert [(each["bytes"], each["instance"]) for each in flows["flows"]] == [
            (5_000, "nf1"),
            (2_000, "nf2"),
            (300, "nf1"),
            (100, "nf1"),
        ]
        assert flows["overflow"] == 7


async def test_elephants_of_a_running_daemon(run: RunDirectory) -> None:
    async with daemon(run, switch_model()):
        # One reading only: no more packets come to the model, so that its flows grow idle.
        found = await ask("elephants", "--rho", "0.95", "--at", "nf1", run=run)
        assert [each["bytes"] for each in found["flows"]] == [5_000, 300]
        assert (found["live_flows"], found["live_bytes"], found["overflow"]) == (3, 5_400, 7)
        unknown = await command("elephants", "--at", "nf9", run=run)
        assert unknown.code == 1
        assert unknown.error == "controlplane: unknown instance 'nf9'; there are: nf1, nf2\n"


async def test_moves_that_are_refused(run: RunDirectory) -> None:
    refused = {
        ("move", "nf9", "nf1"): "unknown instance 'nf9'; there are: nf1, nf2",
        ("move-elephant", "nf1", "nf2"): "does not answer",
    }
    model = switch_model()
    async with daemon(run, model) as process:
        entries = dict(model.entries)
        for arguments, words in refused.items():
            ended = await command(*arguments, run=run)
            assert ended.code == 1
            assert words in ended.error
            assert ended.error.count("\n") == 1
            assert model.entries == entries
            assert process.returncode is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it(run: RunDirectory, number: signal.Signals) -> None:
    async with daemon(run, switch_model()) as process:
        assert run.northbound.is_socket()
        process.send_signal(number)
        ended = await end_of(process)
        assert ended.code == 0
        assert "Traceback" not in ended.error
        assert not run.northbound.exists()
        gone = await command("status", run=run)
        assert gone.code == 1
        assert gone.error.startswith("controlplane: no controller at")


async def test_a_signal_ends_it_before_it_is_ready(run: RunDirectory) -> None:
    run.topology.write_text(topology(run))
    process = await start("run", "--config", str(run.topology), run=run)
    deadline_s = time.monotonic() + DEADLINE_S
    while not run.northbound.exists():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    ended = await end_of(process)
    assert (ended.code, "Traceback" in ended.error) == (0, False)
    assert not run.northbound.exists()


async def test_a_second_daemon_is_refused(run: RunDirectory) -> None:
    async with daemon(run, switch_model()) as process:
        ended = await command("run", "--config", str(run.topology), run=run)
        assert ended.code == 1
        assert "in use; another controller is running" in ended.error
        assert process.returncode is None
        assert await ask("moves", run=run) == []


async def test_it_ends_when_the_switch_is_gone(run: RunDirectory) -> None:
    model = switch_model()
    async with daemon(run, model, reconnect_s=0) as process:
        model.stream_out.put_nowait(None)
        ended = await end_of(process)
    assert ended.code == 1
    assert ended.error.splitlines()[-1].startswith("controlplane: ")
    assert "Traceback" not in ended.error


async def test_it_goes_on_when_the_stream_breaks(run: RunDirectory) -> None:
    model = switch_model()
    async with daemon(run, model) as process:
        for _ in range(2):
            model.stream_out.put_nowait(None)
            await said(process, "it is waited for")
            await said(process, " ready")
        assert (await ask("status", run=run))["pid"] == process.pid
        assert model.loads == 1
        # A switch that has been started anew has no program, no rules and no buckets.
        model.config = None
        model.stream_out.put_nowait(None)
        await said(process, "has been started anew")
        await said(process, " ready")
        status = await ask("status", run=run)
        assert [each["buckets_owned"] for each in status["instances"]] == [64, 0]
        assert model.loads == 2


async def test_it_ends_when_another_controller_takes_its_place(run: RunDirectory) -> None:
    model = switch_model()
    async with daemon(run, model) as process:
        model.arbitration(rpc_code.ALREADY_EXISTS, 1 << 100)
        ended = await end_of(process)
    assert ended.code == 1
    assert ended.error.splitlines()[-1] == (
        f"controlplane: another controller has become the primary, with election id {1 << 100}"
    )


async def test_a_journal_that_is_none(run: RunDirectory) -> None:
    run.topology.write_text(topology(run))
    journal = run.topology.with_name("journal.sqlite")
    journal.write_bytes(b"not what it should be" * 100)
    ended = await command("run", "--config", str(run.topology), run=run)
    assert ended.code == 1
    assert ended.error == (
        f"controlplane: {journal}: cannot be used as the journal: file is not a database\n"
    )


async def test_registers_that_nobody_reads(run: RunDirectory) -> None:
    model = switch_model()
    model.register_refusal = grpc.StatusCode.UNIMPLEMENTED
    run.topology.write_text(topology(run))
    async with serving(model, f"unix:{run.p4runtime}"):
        ended = await command("run", "--config", str(run.topology), run=run)
    assert ended.code == 1
    assert "switch.thrift is needed" in ended.error.splitlines()[-1]


@pytest.mark.parametrize(
    ("case", "change", "words"),
    [
        ("unknown key", ("rho:", "roh:"), "detection.roh: unknown key"),
        ("no share", ("rho: 0.5", "rho: 1.5"), "detection.rho: Input should be less than or equal"),
        (
            "no distribution",
            ("rho: 0.5", "distribution: sizes.txt"),
            "sizes.txt: no such file, and no built-in distribution",
        ),
        ("no YAML", ("switch:", "switch: ["), "line "),
        ("a port twice", ("s1:4", "s1:3"), "port 3 is taken by 'nf1'"),
        ("no program", ("uhaul.json", "none.json"), "none.json"),
    ],
)
def test_what_cannot_start(
    run: RunDirectory, case: str, change: tuple[str, str], words: str
) -> None:
    run.topology.write_text(topology(run).replace(*change))
    with pytest.raises((ConfigError, DaemonError)) as caught:
        run_daemon(run.topology)
    assert words in str(caught.value), case
    assert "\n" not in str(caught.value)


def test_no_switch(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_CONNECT_TIMEOUT_S", 0.5)
    run.topology.write_text(topology(run))
    words = f"^unix:{run.p4runtime}: no P4Runtime server answers within 0.5 s$"
    with pytest.raises(DaemonError, match=words):
        run_daemon(run.topology)
