"""What a move cannot take back, written down before it is done: an SQLite file.

Whoever takes over from a controller that is gone reads which flows were under way, and how
far each was (`state.Stage`). The file is in write-ahead-log mode and every change is a
transaction of its own: it survives the end of the process at any point. A machine that loses
power may lose the last ones.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from controlplane.migration.options import MoveOptions
from controlplane.migration.peers import Bucket
from controlplane.migration.state import Stage
from nf.southbound.flow import FiveTuple

_APPLICATION = 0x5548_414C
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE moves"
    " (number INTEGER PRIMARY KEY, options TEXT NOT NULL, is_open INTEGER NOT NULL)",
    "CREATE TABLE flows"
    " (migration INTEGER PRIMARY KEY, move INTEGER NOT NULL REFERENCES moves,"
    " flow TEXT NOT NULL, stage TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE buckets (flow_group INTEGER PRIMARY KEY, owners TEXT NOT NULL)",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)
_COPIES = (
    "CREATE TABLE IF NOT EXISTS copies"
    " (instance INTEGER, flow TEXT, since REAL NOT NULL, PRIMARY KEY (instance, flow))"
    " WITHOUT ROWID"
)
_PROGRESS = (
    "CREATE TABLE IF NOT EXISTS progress"
    " (move INTEGER PRIMARY KEY, turned TEXT NOT NULL, moved INTEGER NOT NULL)"
)
_WATCHES = (
    "CREATE TABLE IF NOT EXISTS watches"
    " (number INTEGER PRIMARY KEY, owner INTEGER NOT NULL, previous INTEGER NOT NULL,"
    " scope TEXT NOT NULL)"
)
_COPY_LIFETIME_S = 60.0  # an instance's default for a state without packets; a copy gets none
_HOLDER = "CREATE TABLE IF NOT EXISTS holder (number INTEGER NOT NULL)"
_HOLDER_BITS = 62
_LOCK_TIMEOUT_S = 5.0
_ENDED_AT_ONCE = 256
_OPTIONS = TypeAdapter(MoveOptions)
_BUCKETS = TypeAdapter(dict[int, Bucket])


class JournalError(Exception):
    """The journal cannot be used. The message is one line: which file, why."""


@dataclass(frozen=True)
class OpenFlow:
    """A flow that was under way."""

    flow: FiveTuple
    migration: int
    """Number that its packets bear."""
    stage: Stage


@dataclass(frozen=True)
class OpenMove:
    """A move that was under way."""

    number: int
    options: MoveOptions
    flows: tuple[OpenFlow, ...]
    """Those that were not at an end, in the order they were begun."""
    turned: frozenset[int] = frozenset()
    """The buckets that it has turned, or was about to."""
    moved: int = 0
    """Flows that it had moved, and that are not among those any more."""


@dataclass(frozen=True)
class OpenWatch:
    """A watch over the flows that a move has left behind at its source."""

    number: int
    owner: int
    """The instance that the buckets were turned to."""
    previous: int
    """The one that is watched."""
    scope: frozenset[int]
    """The buckets in which it takes no new flow."""


class Journal:
    """The journal of one controller. Flows that have ended are forgotten.

    Every method raises JournalError when the file cannot be read or written.
    """

    def __init__(
        self, path: Path | None = None, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Opens or makes the file; without one all is forgotten when it is closed."""
        self._name = "the journal" if path is None else str(path)
        self._reached: dict[int, Stage] = {}
        self._ended: dict[int, list[tuple[int]]] = {}
        self._ended_count = 0
        self._holder: int | None = None
        self._wall_clock = wall_clock
        self._has_copies = True
        """There may be some."""
        with self._errors():
            self._database = sqlite3.connect(
                ":memory:" if path is None else path,
                isolation_level=None,
                timeout=_LOCK_TIMEOUT_S,
            )
            self._prepare()
            self._run("PRAGMA journal_mode = WAL")
            self._run("PRAGMA synchronous = NORMAL")
            self._run(_COPIES)
            self._run(_PROGRESS)
            self._run(_WATCHES)

    def _prepare(self) -> None:
        application, version, tables = (
            self._run(question).fetchone()[0]
            for question in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if (application, version) == (_APPLICATION, _VERSION):
            return
        if application == _APPLICATION:
            raise JournalError(f"{self._name}: a journal of version {version}, not {_VERSION}")
        if application or tables:
            raise JournalError(f"{self._name}: another program's database, no journal")
        with self._transaction():
            for statement in _SCHEMA:
                self._run(statement)

    def claim(self) -> None:
        """Makes this the only one that can write: any other gets JournalError from now on.

        For whoever takes over, before it reads what to take over. The controller before it may
        hang, or not know yet that it is not the primary any more. What it has not written it
        does not do: it cannot commit a flow that is being rolled back here.
        """
        with self._errors():
            self._run("BEGIN IMMEDIATE")
            with self._database:
                self._run(_HOLDER)
                self._run("DELETE FROM holder")
                self._holder = secrets.randbits(_HOLDER_BITS)
                self._run("INSERT INTO holder VALUES (?)", (self._holder,))
        self._has_copies = True
        # Flows that have ended since they were written last are taken over, and end again.
        self._ended.clear()
        self._ended_count = 0

    def _check_holder(self) -> None:
        if self._holder is None:
            return
        row = self._run("SELECT number FROM holder").fetchone()
        if row is None or row[0] != self._holder:
            raise JournalError(f"{self._name}: another controller has taken over")

    def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._database.execute(statement, values)

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"{self._name}: cannot be used as the journal: {error}") from None

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with self._errors():
            self._run("BEGIN IMMEDIATE")
            with self._database:  # commits, or rolls back
                self._check_holder()
                self._write_reached()
                yield
            self._reached.clear()

    def close(self) -> None:
        """Closes the file."""
        with self._errors():
            self._database.close()

    # --- what is written ----------------------------------------------------------------

    def begin(self, options: MoveOptions) -> int:
        """A move begins; its number, which no other move in this file has."""
        text = _OPTIONS.dump_json(options).decode()
        with self._transaction():
            row = self._run("INSERT INTO moves (options, is_open) VALUES (?, 1)", (text,))
        return row.lastrowid or 0

    def add(self, move: int, flows: Iterable[tuple[int, FiveTuple]]) -> None:
        """Flows of a move, each behind the number that its packets bear."""
        stage = Stage.BEGUN.value
        rows = [(migration, move, json.dumps(flow), stage) for migration, flow in flows]
        with self._transaction():
            self._database.executemany("INSERT OR REPLACE INTO flows VALUES (?, ?, ?, ?)", rows)

    def reach(self, migration: int, stage: Stage) -> None:
        """A flow is about to be so far. Written by `flush`, or by anything else that is.

        Whoever sends calls `flush` first: the rule writer and the outbox, and for the instances
        the importer, the deleter and those who set packets aside.
        """
        self._reached[migration] = stage

    def flush(self) -> None:
        """Writes what flows are about to do. To be called before anything is sent out.

        All that is about to happen at the same time is one transaction, which costs
        hardly more than one for each flow would. Also when there is nothing to be written: who
        has been taken over from is to send out nothing more.
        """
        if self._reached:
            with self._transaction():
                pass
        else:
            with self._errors():
                self._check_holder()

    def _write_reached(self) -> None:
        rows = [(stage.value, migration) for migration, stage in self._reached.items()]
        if rows:
            self._database.executemany("UPDATE flows SET stage = ? WHERE migration = ?", rows)

    def end_flow(self, move: int, migration: int) -> None:
        """A flow is moved, and nothing is under way any more that it has asked for.

        Written with others, some time before the move ends: to end a flow twice does no harm.
        """
        self._ended.setdefault(move, []).append((migration,))
        self._ended_count += 1
        if self._ended_count >= _ENDED_AT_ONCE:
            with self._transaction():
                for number, migrations in self._ended.items():
                    self._forget_moved(number, migrations)
            self._ended.clear()
            self._ended_count = 0

    def _forget_moved(self, move: int, migrations: Sequence[tuple[int]]) -> None:
        self._database.executemany("DELETE FROM flows WHERE migration = ?", migrations)
        self._run(
            "INSERT INTO progress VALUES (?, '[]', ?)"
            " ON CONFLICT (move) DO UPDATE SET moved = moved + excluded.moved",
            (move, len(migrations)),
        )

    def end(self, move: int) -> None:
        """All flows of a move are at their end."""
        self._ended_count -= len(self._ended.pop(move, ()))
        with self._transaction():
            self._run("DELETE FROM flows WHERE move = ?", (move,))
            self._run("DELETE FROM progress WHERE move = ?", (move,))
            self._run("UPDATE moves SET is_open = 0 WHERE number = ?", (move,))

    def turn(self, group: int, buckets: Mapping[int, Bucket]) -> None:
        """The buckets of a group are about to belong to these owners, all of them."""
        text = _BUCKETS.dump_json(dict(buckets)).decode()
        with self._transaction():
            self._run("INSERT OR REPLACE INTO buckets VALUES (?, ?)", (group, text))

    def turn_for(self, move: int, numbers: Collection[int]) -> None:
        """A move is about to turn buckets: these are given back if it is undone."""
        with self._transaction():
            self._run(
                "INSERT INTO progress VALUES (?, ?, 0)"
                " ON CONFLICT (move) DO UPDATE SET turned = excluded.turned",
                (move, json.dumps(sorted(numbers))),
            )

    # --- flows that are left -------------------------------------------------------------

    def watch(self, owner: int, previous: int, scope: Collection[int]) -> int:
        """A watch begins, as `OpenWatch` has it; its number."""
        values = (owner, previous, json.dumps(sorted(scope)))
        with self._transaction():
            row = self._run("INSERT INTO watches (owner, previous, scope) VALUES (?, ?, ?)", values)
        return row.lastrowid or 0

    def end_watch(self, number: int) -> None:
        """There is none left, or others watch them."""
        with self._transaction():
            self._run("DELETE FROM watches WHERE number = ?", (number,))

    def open_watches(self) -> list[OpenWatch]:
        """The watches that have not ended."""
        with self._sense(), self._errors():
            rows = self._run("SELECT number, owner, previous, scope FROM watches ORDER BY number")
            return [
                OpenWatch(number, owner, previous, frozenset(json.loads(scope)))
                for number, owner, previous, scope in rows.fetchall()
            ]

    # --- copies that are left ------------------------------------------------------------

    def leave_copies(self, instance: int, flows: Collection[FiveTuple]) -> None:
        """An instance may have kept copies of the states of flows that live at another one.

        They are to be deleted before it takes part in a move again: a state that is put on a
        copy would be counted twice, and whoever lists it would take the flow for its own.
        """
        now_s = self._wall_clock()
        rows = [(instance, json.dumps(flow), now_s) for flow in flows]
        with self._transaction():
            self._run("DELETE FROM copies WHERE since < ?", (now_s - _COPY_LIFETIME_S,))
            self._database.executemany("INSERT OR REPLACE INTO copies VALUES (?, ?, ?)", rows)
        self._has_copies = True

    def forget_copies(self, instance: int, flows: Iterable[FiveTuple]) -> None:
        """It has deleted them, if it had any."""
        if not self._has_copies:
            return
        rows = [(instance, json.dumps(flow)) for flow in flows]
        with self._transaction():
            self._database.executemany("DELETE FROM copies WHERE instance = ? AND flow = ?", rows)
            (count,) = self._run("SELECT count(*) FROM copies").fetchone()
        self._has_copies = count > 0

    def copies_at(self, instance: int) -> list[FiveTuple]:
        """The flows of which an instance may have a copy still."""
        since_s = self._wall_clock() - _COPY_LIFETIME_S
        with self._sense(), self._errors():
            rows = self._run(
                "SELECT flow FROM copies WHERE instance = ? AND since >= ?", (instance, since_s)
            )
            return [FiveTuple(*json.loads(flow)) for (flow,) in rows.fetchall()]

    # --- what is read -------------------------------------------------------------------

    def open_moves(self) -> list[OpenMove]:
        """The moves that have not ended, oldest first.

        What was not written has not happened, and is forgotten.
        """
        self._reached.clear()
        with self._sense(), self._errors():
            moves = self._run("SELECT number, options FROM moves WHERE is_open ORDER BY number")
            return [
                OpenMove(
                    number,
                    _OPTIONS.validate_json(text),
                    self._open_flows(number),
                    *self._progress(number),
                )
                for number, text in moves.fetchall()
            ]

    def _progress(self, move: int) -> tuple[frozenset[int], int]:
        row = self._run("SELECT turned, moved FROM progress WHERE move = ?", (move,)).fetchone()
        return (frozenset(json.loads(row[0])), row[1]) if row else (frozenset(), 0)

    def _open_flows(self, move: int) -> tuple[OpenFlow, ...]:
        rows = self._run("SELECT flow, migration, stage FROM flows WHERE move = ?", (move,))
        return tuple(
            OpenFlow(FiveTuple(*json.loads(flow)), migration, Stage(stage))
            for flow, migration, stage in rows
        )

    def buckets(self, group: int) -> dict[int, Bucket]:
        """The buckets of a group as they were turned last; none where they never were."""
        with self._sense(), self._errors():
            row = self._run("SELECT owners FROM buckets WHERE flow_group = ?", (group,)).fetchone()
            return {} if row is None else _BUCKETS.validate_json(row[0])

    @contextmanager
    def _sense(self) -> Generator[None]:
        try:
            yield
        except (ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise JournalError(
                f"{self._name}: what is written there is no journal: {reason}"
            ) from None
