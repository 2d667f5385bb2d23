"""Prints the machine's table in Promela: `python -m controlplane.migration.promela`.

`docs/model/machine.pml` is what it prints; a test fails when the two differ. The world
around the machine is in `docs/model/move.pml`, which `make model-check` gives to spin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controlplane.migration.phases import COMMITTED, ENDS, Action, Event, Phase
from controlplane.migration.state import Rules, Stage, taken_over
from controlplane.migration.transitions import IGNORED, TABLE, Guard, Row

_HEAD = """\
/* The machine of one flow, made from controlplane/migration/transitions.py by
 *
 *     python -m controlplane.migration.promela
 *
 * Actions are inlines of the model that includes this file. */
"""


def _actions(row: Row) -> Iterator[str]:
    for action in row.actions:
        yield f"{action.name.lower()}();"
    if row.event is Event.ABSENT:
        yield "absent = true;"
    if Action.IMPORT in row.actions:
        yield "put = true;"
    if row.then is not row.phase:
        yield f"phase = P_{row.then.name};"


def _test(row: Row) -> str:
    tests = [f"phase == P_{row.phase.name}"]
    for name, value in Guard._asdict(row.when).items():
        if value is not None:
            tests.append(name if value else f"!{name}")
    return " && ".join(tests)


def _names(prefix: str, names: Iterator[str]) -> str:
    return f"mtype:{prefix} = {{ {', '.join(names)} }}\n"


def _one_of(name: str, phases: Collection[Phase]) -> str:
    tests = " || ".join(f"phase == P_{phase.name}" for phase in Phase if phase in phases)
    return f"#define {name} ({tests})\n"


def _take_over() -> str:
    lines = ["inline take_over() {", "    if"]
    for stage in Stage:
        state, event = taken_over(Rules(), stage)
        known = {
            "put": state.put,
            "passed": state.passed > 0,
            "ruled": state.ruled,
            "absent": state.absent,
        }
        lines.append(
            f"    :: stage == S_{stage.name} -> "
            + " ".join(f"{name} = {str(value).lower()};" for name, value in known.items())
            + f" phase = P_{state.phase.name}; take_{event.name.lower()}();"
        )
    return "\n".join([*lines, "    fi", "}"]) + "\n"


def model() -> str:
    """The whole file: phases, events, and for each event an inline that takes it.

    Another one takes the flow over from a controller that had come so far with it.
    """
    parts = [
        _HEAD,
        _names("phase", (f"P_{phase.name}" for phase in Phase)),
        _names("event", (f"E_{event.name}" for event in Event)),
        _names("stage", (f"S_{stage.name}" for stage in Stage)),
        _one_of("AT_AN_END", ENDS),
        _one_of("COMMITTED", COMMITTED),
    ]
    for event in Event:
        lines = [f"inline take_{event.name.lower()}() {{", "    if"]
        for row in TABLE:
            if row.event is event:
                body = " ".join(_actions(row)) or "skip;"
                lines.append(f"    :: {_test(row)} -> {body}")
        ignored = [f"phase == P_{phase.name}" for phase in Phase if (phase, event) in IGNORED]
        if ignored:
            lines.append(f"    :: {' || '.join(ignored)} -> skip;")
        lines += ["    :: else -> assert(false);", "    fi", "}"]
        parts.append("\n".join(lines) + "\n")
    parts.append(_take_over())
    return "\n".join(parts)


if __name__ == "__main__":
    print(model(), end="")
