"""STF files as typed commands.

One command a line, `#` begins a comment. Numbers are decimal, or hexadecimal, octal or
binary with their prefix; in a key, `*` stands for any digit and `5..9` for a range.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bmv2.stf.commands import (
    COMPARISONS,
    Add,
    AddGroupMirroring,
    AddMirroring,
    AssociateNode,
    Call,
    CheckCounter,
    Command,
    Condition,
    CreateGroup,
    CreateNode,
    DeleteMirroring,
    Expect,
    Packet,
    Rate,
    ReadRegister,
    RemoveAll,
    SetDefault,
    SetMeter,
    WriteCounter,
    WriteRegister,
)
from bmv2.stf.errors import StfError
from bmv2.stf.values import parse_number

# `wait` has nothing to wait for: each packet is through before the next command. Packets
# that nobody expects are reported in any case. The others only print something.
_WITHOUT_EFFECT = {"wait", "no_packet", "mirroring_get", "meter_get_rates"}

_COMPARISON = "|".join(sorted(COMPARISONS, reverse=True))
_SECOND_US = 1_000_000


def parse_script(text: str) -> list[Command]:
    """The commands of a file. Raises StfError."""
    commands: list[Command] = []
    for number, line in enumerate(text.splitlines(), 1):
        name, *rest = line.partition("#")[0].split(maxsplit=1)[:2] or [""]
        name = name.lower()
        if not name or name in _WITHOUT_EFFECT:
            continue
        parser = _PARSERS.get(name)
        try:
            if parser is None:
                raise StfError(f"unknown command {name!r}")
            commands.append(parser(number, rest[0].strip() if rest else ""))
        except StfError as error:
            raise StfError(str(error), number) from None
    return commands


# --- packets --------------------------------------------------------------------------------


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


# --- tables ---------------------------------------------------------------------------------


def _call(text: str) -> Call:
    found = re.fullmatch(r"([^(\s]+)\s*\(([^)]*)\)", text.strip())
    if found is None:
        raise StfError(f"{text!r} is no action with its arguments in brackets")
    pairs = [each.partition(":") for each in found[2].split(",") if each.strip()]
    return Call(found[1], tuple((name.strip(), value.strip()) for name, _, value in pairs))


def _add(line: int, rest: str) -> Command:
    rest, _, handle = rest.partition("=")
    found = re.fullmatch(r"(\S+)\s+(?:(\d+)\s+)?((?:\S+:\S+\s+)*)([^\s:]+\s*\(.*)", rest)
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
        handle.strip() or None,
    )


def _set_default(line: int, rest: str) -> Command:
    table, _, call = rest.partition(" ")
    return SetDefault(line, table, _call(call))


def _remove(line: int, rest: str) -> Command:
    if rest != "all":
        raise StfError("entries are removed by: remove all")
    return RemoveAll(line)


# --- copies of packets ------------------------------------------------------------------------


def _numbers(words: Sequence[str], least: int, usage: str) -> list[int]:
    if len(words) < least:
        raise StfError(f"too few arguments: {usage}")
    return [parse_number(word) for word in words]


def _mirroring(line: int, rest: str) -> Command:
    session, port, *_ = _numbers(rest.split(), 2, "mirroring_add SESSION PORT")
    return AddMirroring(line, session, port)


def _group_mirroring(line: int, rest: str) -> Command:
    session, group, *_ = _numbers(rest.split(), 2, "mirroring_add_mc SESSION GROUP")
    return AddGroupMirroring(line, session, group)


def _no_mirroring(line: int, rest: str) -> Command:
    return DeleteMirroring(line, _numbers(rest.split(), 1, "mirroring_delete SESSION")[0])


def _group(line: int, rest: str) -> Command:
    return CreateGroup(line, _numbers(rest.split(), 1, "mc_mgrp_create GROUP")[0])


def _node(line: int, rest: str) -> Command:
    if "|" in rest:
        raise StfError("link aggregation groups are not supported")
    rid, *ports = _numbers(rest.split(), 1, "mc_node_create RID PORT …")
    return CreateNode(line, rid, tuple(ports))


def _association(line: int, rest: str) -> Command:
    group, node, *_ = _numbers(rest.split(), 2, "mc_node_associate GROUP NODE")
    return AssociateNode(line, group, node)


# --- arrays ---------------------------------------------------------------------------------


def _arguments(rest: str, least: int, usage: str) -> tuple[str, list[int]]:
    """The name of an array and the numbers behind it."""
    name, *words = rest.split() or [""]
    return name, _numbers(words, least, usage)


def _condition(comparison: str | None, value: str | None) -> Condition | None:
    return Condition(comparison, parse_number(value)) if comparison and value else None


def _register_read(line: int, rest: str) -> Command:
    found = re.fullmatch(rf"(\S+)\s+(\w+)(?:\s*({_COMPARISON})\s*(\S+))?", rest)
    if found is None:
        raise StfError("a read is: register_read REGISTER INDEX [== VALUE]")
    name, index, comparison, value = found.groups()
    return ReadRegister(line, name, parse_number(index), _condition(comparison, value))


def _register_write(line: int, rest: str) -> Command:
    name, (index, value, *_) = _arguments(rest, 2, "register_write REGISTER INDEX VALUE")
    return WriteRegister(line, name, index, value)


def _register_reset(line: int, rest: str) -> Command:
    if not rest:
        raise StfError("too few arguments: register_reset REGISTER")
    return WriteRegister(line, rest, None, 0)


def _counter_check(line: int, rest: str) -> Command:
    found = re.fullmatch(
        rf"([^\s(]+)\s*\(\s*(\w+|\$\w+)\s*\)(?:\s+(packets|bytes)\s*({_COMPARISON})\s*(\S+))?",
        rest,
    )
    if found is None:
        raise StfError("a check is: check_counter COUNTER(INDEX) [packets|bytes == VALUE]")
    name, cell, unit, comparison, value = found.groups()
    return CheckCounter(
        line,
        name,
        cell[1:] if cell.startswith("$") else parse_number(cell),
        unit or "packets",
        _condition(comparison, value),
    )


def _counter_read(line: int, rest: str) -> Command:
    name, (index, *_) = _arguments(rest, 1, "counter_read COUNTER INDEX")
    return CheckCounter(line, name, index, "packets", None)


def _counter_write(line: int, rest: str) -> Command:
    usage = "counter_write COUNTER INDEX PACKETS BYTES"
    name, (index, packets, byte_count, *_) = _arguments(rest, 3, usage)
    return WriteCounter(line, name, index, packets, byte_count)


def _rate(text: str) -> Rate:
    found = re.fullmatch(r"(\d+(?:\.\d*)?):(\d+)", text)
    if found is None:
        raise StfError(f"{text!r} is not RATE:BURST, the rate in units a microsecond")
    return Rate(round(float(found[1]) * _SECOND_US), int(found[2]))


def _meter_rates(line: int, rest: str) -> Command:
    words = rest.split()
    if len(words) != 4:
        raise StfError("rates are set by: meter_set_rates METER INDEX RATE:BURST RATE:BURST")
    return SetMeter(line, words[0], parse_number(words[1]), _rate(words[2]), _rate(words[3]))


def _meter_array_rates(line: int, rest: str) -> Command:
    words = rest.split()
    if len(words) != 3:
        raise StfError("rates are set by: meter_array_set_rates METER RATE:BURST RATE:BURST")
    return SetMeter(line, words[0], None, _rate(words[1]), _rate(words[2]))


_PARSERS: dict[str, Callable[[int, str], Command]] = {
    "packet": _packet,
    "expect": _expect,
    "add": _add,
    "setdefault": _set_default,
    "remove": _remove,
    "mirroring_add": _mirroring,
    "mirroring_add_mc": _group_mirroring,
    "mirroring_delete": _no_mirroring,
    "mc_mgrp_create": _group,
    "mc_node_create": _node,
    "mc_node_associate": _association,
    "register_read": _register_read,
    "register_write": _register_write,
    "register_reset": _register_reset,
    "check_counter": _counter_check,
    "counter_read": _counter_read,
    "counter_write": _counter_write,
    "meter_set_rates": _meter_rates,
    "meter_array_set_rates": _meter_array_rates,
}
