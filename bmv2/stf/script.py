"""STF files as typed commands.

One command a line, `#` begins a comment. Numbers are decimal, or hexadecimal, octal or
binary with their prefix; in a key, `*` stands for any digit and `5..9` for a range.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bmv2.stf.errors import StfError


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet comes in by a port."""

    line: int
    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """A packet goes out by a port; without a pattern, any number of them may."""

    line: int
    port: int
    pattern: str
    """Hexadecimal digits, `*` for any one. What follows them may be anything."""
    is_whole: bool
    """Whether nothing may follow."""


@dataclass(frozen=True, slots=True)
class Call:
    """An action and its arguments by name."""

    action: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Add:
    """An entry is added to a table. The larger priority wins."""

    line: int
    table: str
    priority: int
    key: tuple[tuple[str, str], ...]
    call: Call


@dataclass(frozen=True, slots=True)
class SetDefault:
    """A table gets another default action."""

    line: int
    table: str
    call: Call


@dataclass(frozen=True, slots=True)
class AddMirroring:
    """A clone session that sends to a port."""

    line: int
    session: int
    port: int


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """A multicast group."""

    line: int
    group: int


@dataclass(frozen=True, slots=True)
class CreateNode:
    """A multicast node: a replication id and its ports. Nodes are numbered from 0."""

    line: int
    rid: int
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AssociateNode:
    """A node becomes a part of a group."""

    line: int
    group: int
    node: int


@dataclass(frozen=True, slots=True)
class WriteRegister:
    """A register's cell is set."""

    line: int
    register: str
    index: int
    value: int


@dataclass(frozen=True, slots=True)
class CheckCounter:
    """A counter's cell has so many packets, or bytes."""

    line: int
    counter: str
    index: int
    is_bytes: bool
    value: int


Command: TypeAlias = (
    Packet
    | Expect
    | Add
    | SetDefault
    | AddMirroring
    | CreateGroup
    | CreateNode
    | AssociateNode
    | WriteRegister
    | CheckCounter
)


def parse_number(text: str) -> int:
    """A number in any notation. Raises StfError."""
    try:
        return int(text, 0)
    except ValueError:
        raise StfError(f"{text!r} is no number") from None


def parse_script(text: str) -> list[Command]:
    """The commands of a file. Raises StfError with the line's number."""
    commands: list[Command] = []
    for number, line in enumerate(text.splitlines(), 1):
        name, _, rest = line.partition("#")[0].strip().partition(" ")
        if not name or name == "wait":  # each packet is through before the next command
            continue
        parser = _PARSERS.get(name)
        try:
            if parser is None:
                raise StfError(f"unknown command {name!r}")
            commands.append(parser(number, rest.strip()))
        except StfError as error:
            raise StfError(f"line {number}: {error}") from None
    return commands


def _packet(line: int, rest: str) -> Command:
    port, _, data = rest.partition(" ")
    try:
        return Packet(line, parse_number(port), bytes.fromhex(data))
    except ValueError:
        raise StfError("the packet is not in hexadecimal digits") from None


def _expect(line: int, rest: str) -> Command:
    port, _, data = rest.partition(" ")
    pattern = "".join(data.split()).upper()
    is_whole = pattern.endswith("$")
    pattern = pattern.removesuffix("$")
    if re.search("[^0-9A-F*]", pattern):
        raise StfError("what is expected is not in hexadecimal digits")
    return Expect(line, parse_number(port), pattern, is_whole)


def _call(text: str) -> Call:
    found = re.fullmatch(r"([^(\s]+)\s*\(([^)]*)\)\s*(?:=.*)?", text)
    if found is None:
        raise StfError(f"{text!r} is no action with its arguments in brackets")
    pairs = [each.partition(":") for each in found[2].split(",") if each.strip()]
    return Call(found[1], tuple((name.strip(), value.strip()) for name, _, value in pairs))


def _add(line: int, rest: str) -> Command:
    found = re.fullmatch(r"(\S+)\s+(?:(\d+)\s+)?((?:\S+:\S+\s+)*)(\S+\s*\(.*)", rest)
    if found is None:
        raise StfError("an entry is: add TABLE [PRIORITY] FIELD:VALUE … ACTION(NAME:VALUE, …)")
    table, priority, key, call = found.groups()
    pairs = [each.partition(":") for each in key.split()]
    return Add(
        line,
        table,
        int(priority or 0),
        tuple((name, value) for name, _, value in pairs),
        _call(call),
    )


def _set_default(line: int, rest: str) -> Command:
    table, _, call = rest.partition(" ")
    return SetDefault(line, table, _call(call.strip()))


def _numbers(rest: str, least: int, usage: str) -> list[int]:
    words = rest.split()
    if len(words) < least:
        raise StfError(f"too few arguments: {usage}")
    return [parse_number(word) for word in words]


def _mirroring(line: int, rest: str) -> Command:
    session, port, *_ = _numbers(rest, 2, "mirroring_add SESSION PORT")
    return AddMirroring(line, session, port)


def _group(line: int, rest: str) -> Command:
    return CreateGroup(line, _numbers(rest, 1, "mc_mgrp_create GROUP")[0])


def _node(line: int, rest: str) -> Command:
    rid, *ports = _numbers(rest, 1, "mc_node_create RID PORT …")
    return CreateNode(line, rid, tuple(ports))


def _association(line: int, rest: str) -> Command:
    group, node, *_ = _numbers(rest, 2, "mc_node_associate GROUP NODE")
    return AssociateNode(line, group, node)


def _register(line: int, rest: str) -> Command:
    name, *words = rest.split()
    index, value, *_ = _numbers(" ".join(words), 2, "register_write REGISTER INDEX VALUE")
    return WriteRegister(line, name, index, value)


def _counter(line: int, rest: str) -> Command:
    found = re.fullmatch(r"(\S+?)(?:\((\d+)\))?\s+(packets|bytes)\s*==\s*(\S+)", rest)
    if found is None:
        raise StfError("a check is: check_counter COUNTER(INDEX) packets|bytes == VALUE")
    name, index, unit, value = found.groups()
    return CheckCounter(line, name, int(index or 0), unit == "bytes", parse_number(value))


_PARSERS: dict[str, Callable[[int, str], Command]] = {
    "packet": _packet,
    "expect": _expect,
    "add": _add,
    "setdefault": _set_default,
    "mirroring_add": _mirroring,
    "mc_mgrp_create": _group,
    "mc_node_create": _node,
    "mc_node_associate": _association,
    "register_write": _register,
    "check_counter": _counter,
}
