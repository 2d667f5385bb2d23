"""P4Info that is not of the device config's program.

Run: pytest tests/unit/embedded/test_embedded_misfits.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from finsy.proto import p4i
from google.protobuf import text_format
from small_program import BUILD

from bmv2.embedded.misfits import misfits
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.program.load import load_program


def p4info_of(program: Path) -> p4i.P4Info:
    return text_format.Parse(program.with_suffix(".p4info.txtpb").read_text(), p4i.P4Info())


def misfits_of(program: Path, p4info: p4i.P4Info) -> list[str]:
    return list(misfits(load_program(program.read_bytes()), schema_of(p4info)))


@pytest.mark.parametrize("program", sorted(BUILD.glob("*.json")), ids=lambda path: path.stem)
def test_what_p4c_writes_together_fits(program: Path) -> None:
    assert misfits_of(program, p4info_of(program)) == []


def wider_field(p4info: p4i.P4Info) -> None:
    p4info.tables[0].match_fields[0].bitwidth = 128


def wider_prefix(p4info: p4i.P4Info) -> None:
    p4info.tables[0].match_fields[0].bitwidth = 48


def wider_parameter(p4info: p4i.P4Info) -> None:
    next(action for action in p4info.actions if action.params).params[0].bitwidth = 128


def narrower_optional(p4info: p4i.P4Info) -> None:
    next(t for t in p4info.tables if t.preamble.alias == "perhaps").match_fields[0].bitwidth = 8


def fewer_fields(p4info: p4i.P4Info) -> None:
    del p4info.tables[0].match_fields[-1]


def another_kind(p4info: p4i.P4Info) -> None:
    p4info.tables[0].match_fields[0].match_type = p4i.MatchField.TERNARY


def another_action(p4info: p4i.P4Info) -> None:
    next(action for action in p4info.actions if action.params).preamble.name = "odd"


def idle_timeout(p4info: p4i.P4Info) -> None:
    p4info.tables[0].idle_timeout_behavior = p4i.Table.NOTIFY_CONTROL


def another_register(p4info: p4i.P4Info) -> None:
    p4info.registers[0].preamble.name = "odd"


def larger_register(p4info: p4i.P4Info) -> None:
    p4info.registers[0].size += 1


def larger_counter(p4info: p4i.P4Info) -> None:
    p4info.counters[0].size += 1


def another_meter(p4info: p4i.P4Info) -> None:
    p4info.meters[0].preamble.name = "odd"


def another_profile(p4info: p4i.P4Info) -> None:
    p4info.action_profiles[0].preamble.name = "odd"


def wider_value_set(p4info: p4i.P4Info) -> None:
    p4info.value_sets[0].match[0].bitwidth = 128


def longer_digest(p4info: p4i.P4Info) -> None:
    for struct in p4info.type_info.structs.values():
        struct.members.add().CopyFrom(struct.members[0])


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("match", wider_field, "prefixes: its key"),
        ("match", wider_prefix, "prefixes: field hdr.key_.address has 32 bits"),
        ("match", wider_parameter, "action FencedIngress.process.answer"),
        ("translated", narrower_optional, "perhaps: field meta.one has 9 bits"),
        ("match", fewer_fields, "prefixes: its key"),
        ("match", another_kind, "prefixes: its key"),
        ("match", another_action, "action odd"),
        ("match", idle_timeout, "prefixes: an idle timeout"),
        ("registers", another_register, "register odd"),
        ("registers", larger_register, "register FencedIngress.process.narrow"),
        ("registers", larger_counter, "counter FencedIngress.process.seen"),
        ("meter", another_meter, "meter odd"),
        ("profile", another_profile, "action profile FencedIngress.process.members"),
        ("value_set", wider_value_set, "value set Parse.kinds"),
        ("digest", longer_digest, "digest learned_t"),
    ],
)
def test_what_does_not_fit_is_named(
    name: str, change: Callable[[p4i.P4Info], None], expected: str
) -> None:
    program = BUILD / f"{name}.json"
    p4info = p4info_of(program)
    change(p4info)
    assert misfits_of(program, p4info)[0].endswith(expected)
