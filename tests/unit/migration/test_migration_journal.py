"""The journal: what is written is read again, by whoever opens the file next.

Run: pytest tests/unit/migration/test_migration_journal.py
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from instance_model import flow_of

from controlplane.migration.journal import Journal, JournalError, OpenFlow
from controlplane.migration.options import Guarantee, KeepAt, Kind, MoveOptions
from controlplane.migration.peers import Bucket
from controlplane.migration.state import Stage

OPTIONS = MoveOptions(
    kind=Kind.MOVE,
    source="nf1",
    destination="nf2",
    guarantee=Guarantee.ORDER_PRESERVING,
    keep_at=KeepAt.DESTINATION,
    parallelize=False,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_what_was_under_way_is_found_again(path: Path) -> None:
    journal = Journal(path)
    number = journal.begin(OPTIONS)
    journal.add(number, [(10 + n, flow_of(n)) for n in range(5)])
    journal.reach(11, Stage.PUT)
    journal.reach(12, Stage.PUT)
    journal.reach(12, Stage.COMMITTED)
    journal.reach(13, Stage.COMMITTED_ABSENT)
    journal.flush()
    [move] = Journal(path).open_moves()  # the first one has not closed it
    assert (move.number, move.options) == (number, OPTIONS)
    stages = [Stage.BEGUN, Stage.PUT, Stage.COMMITTED, Stage.COMMITTED_ABSENT, Stage.BEGUN]
    assert sorted(move.flows, key=lambda flow: flow.migration) == [
        OpenFlow(flow_of(n), 10 + n, stage) for n, stage in enumerate(stages)
    ]
    journal.close()


def test_what_has_ended_is_forgotten(path: Path) -> None:
    journal = Journal(path)
    first, second = journal.begin(OPTIONS), journal.begin(OPTIONS)
    journal.add(first, [(number, flow_of(number)) for number in range(1000)])
    journal.add(second, [(5000, flow_of(1))])
    for number in range(999):
        journal.end_flow(first, number)
    journal.turn_for(first, {3, 4})
    journal.turn_for(second, {5})
    journal.close()
    journal = Journal(path)
    moves = {move.number: move for move in journal.open_moves()}
    flows = moves[first].flows
    assert len(flows) < 300, "most of those that have ended"
    assert flow_of(999) in {flow.flow for flow in flows}
    assert (moves[first].turned, moves[first].moved) == ({3, 4}, 1000 - len(flows))
    assert (moves[second].turned, moves[second].moved) == ({5}, 0)
    journal.end(first)
    assert [move.number for move in journal.open_moves()] == [second]
    assert journal.begin(OPTIONS) > second, "numbers do not come again"


def test_buckets_are_those_that_were_turned_last(path: Path) -> None:
    journal = Journal(path)
    assert journal.buckets(1) == {}
    journal.turn(1, {0: Bucket(1), 1: Bucket(2, 1)})
    journal.turn(1, {0: Bucket(2, 1), 1: Bucket(2)})
    journal.turn(2, {0: Bucket(7)})
    assert Journal(path).buckets(1) == {0: Bucket(2, 1), 1: Bucket(2)}


def test_a_process_that_is_killed_has_written_what_it_said(path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from controlplane.migration.journal import Journal
from controlplane.migration.state import Stage
from controlplane.migration.options import Kind, MoveOptions
from nf.southbound.flow import FiveTuple
journal = Journal(Path({str(path)!r}))
number = journal.begin(MoveOptions(kind=Kind.MOVE, source="nf1", destination="nf2"))
journal.add(number, [(7, FiveTuple(1, 2, 3, 4, 6))])
journal.reach(7, Stage.COMMITTED)
journal.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL
    [move] = Journal(path).open_moves()
    assert [flow.stage for flow in move.flows] == [Stage.COMMITTED]


def another_programs(path: Path) -> str:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (x)")
    return "another program's database, no journal"


def of_another_version(path: Path) -> str:
    Journal(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    return "a journal of version 99, not 1"


def no_database(path: Path) -> str:
    path.write_bytes(os.urandom(4096))
    return "cannot be used as the journal: file is not a database"


def a_directory(path: Path) -> str:
    path.mkdir()
    return "cannot be used as the journal: unable to open database file"


@pytest.mark.parametrize("make", [another_programs, of_another_version, no_database, a_directory])
def test_what_is_no_journal_is_left_alone(make: object, path: Path) -> None:
    assert callable(make)
    reason = make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JournalError) as error:
        Journal(path)
    assert str(error.value) == f"{path}: {reason}"
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_nonsense_in_it_is_one_error(path: Path) -> None:
    journal = Journal(path)
    journal.add(journal.begin(OPTIONS), [(1, flow_of(1))])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE flows SET stage = 'lost'")
    with pytest.raises(JournalError, match="no journal: 'lost' is not a valid Stage") as error:
        journal.open_moves()
    assert "\n" not in str(error.value)
