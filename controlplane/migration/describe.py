"""Prints the machine's table for people: `python -m controlplane.migration.describe`.

`docs/moving-flows.md` contains what it prints; a test fails when the two differ.
"""

from __future__ import annotations

from controlplane.migration.phases import ENDS, Event, Phase
from controlplane.migration.transitions import IGNORED, TABLE


def _words(name: str) -> str:
    return name.replace("_", " ").lower()


def table() -> str:
    """The rows as a Markdown table."""
    lines = ["| phase | event | when | actions | next phase |", "| --- | --- | --- | --- | --- |"]
    for phase in Phase:
        rows = [row for row in TABLE if row.phase is phase]
        merged: dict[tuple[str, str, str], list[Event]] = {}
        for row in rows:
            actions = ", ".join(_words(action.name) for action in row.actions) or "–"
            then = "" if row.then is phase else row.then.value
            merged.setdefault((str(row.when), actions, then), []).append(row.event)
        for (when, actions, then), events in merged.items():
            names = ", ".join(_words(event.name) for event in events)
            lines.append(f"| {phase.value} | {names} | {when} | {actions} | {then} |")
    return "\n".join(lines)


def ignored() -> str:
    """The events that come too late, as a Markdown list."""
    lines: list[str] = []
    for phase in Phase:
        events = [_words(event.name) for event in Event if (phase, event) in IGNORED]
        if events:
            lines.append(f"- {phase.value}: {', '.join(events)}")
    return "\n".join(lines)


def diagram() -> str:
    """The phases as a Mermaid state diagram."""
    names = {phase: phase.name.lower() for phase in Phase}
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {names[Phase.WAITING]}"]
    edges: dict[tuple[Phase, Phase], list[str]] = {}
    for row in TABLE:
        if row.then is not row.phase:
            events = edges.setdefault((row.phase, row.then), [])
            if _words(row.event.name) not in events:
                events.append(_words(row.event.name))
    lines += [
        f"    {names[source]} --> {names[then]}: {', '.join(events)}"
        for (source, then), events in edges.items()
    ]
    lines += [f"    {names[phase]} --> [*]" for phase in Phase if phase in ENDS]
    return "\n".join([*lines, "```"])


def markdown() -> str:
    """Everything, as it stands in the docs."""
    return (
        f"{diagram()}\n\n{table()}\n\n"
        f"Events that come too late and change nothing:\n\n{ignored()}\n"
    )


if __name__ == "__main__":
    print(markdown(), end="")
