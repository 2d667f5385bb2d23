"""Both switches with the same program: what is done to one is done to the other, and compared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from diff_known import CODES
from diff_registers import read_registers
from diff_switch import Frames, ProgramSwitch
from finsy.proto import p4i, p4r, rpc_code
from hypothesis import HealthCheck, Phase, seed, settings
from ptf_targets import TARGETS, require

SEED = int(os.environ.get("DIFF_SEED", "1"))
"""Of what hypothesis draws. DIFF_EXAMPLES is how often it does."""


def drawn(examples: int) -> settings:
    """Settings for a test that draws `examples` examples."""
    return settings(
        max_examples=int(os.environ.get("DIFF_EXAMPLES", examples)),
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.generate],  # what is shrunk would meet another state
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


seeded = seed(SEED)


class SwitchPair:
    """The embedded switch and simple_switch_grpc. `stack` stops them."""

    def __init__(self, stack: ExitStack, program: str, directory: Path) -> None:
        for target in TARGETS:
            require(target)
        print(f"seed: DIFF_SEED={SEED}")
        self._switches = [ProgramSwitch(stack, each, program, directory) for each in TARGETS]
        self.p4info = self._switches[0].p4info

    def write(self, updates: Sequence[p4r.Update]) -> list[int]:
        """Writes a batch; the embedded switch's codes, which the other's fit."""
        embedded, real = (each.client.write(updates) for each in self._switches)
        differ = [
            (names, update)
            for *codes, update in zip(embedded, real, updates, strict=True)
            if codes[0] != codes[1] and (names := _names(codes)) not in CODES
        ]
        assert differ == []
        return embedded

    def process(self, port: int, *frames: bytes) -> Frames:
        """Sends frames; what comes out of both."""
        embedded, real = (_sorted(each.process(port, *frames)) for each in self._switches)
        assert embedded == real
        return embedded

    def compare_state(self) -> None:
        """Compares counters and registers."""
        embedded, real = (self._state(each) for each in self._switches)
        assert embedded == real

    def _state(self, switch: ProgramSwitch) -> dict[str, object]:
        info = switch.p4info
        state: dict[str, object] = dict(read_registers(switch))
        for counter in info.counters:
            entry = p4r.CounterEntry(counter_id=counter.preamble.id)
            found = switch.client.read(p4r.Entity(counter_entry=entry))
            state[counter.preamble.name] = sorted(
                (each.counter_entry.index.index, *_counts(each.counter_entry.data))
                for each in found
            )
        for table in info.tables:
            if _has_counter(info, table):
                entry = p4r.TableEntry(table_id=table.preamble.id)
                found = switch.client.read(
                    p4r.Entity(direct_counter_entry=p4r.DirectCounterEntry(table_entry=entry))
                )
                answers = (each.direct_counter_entry for each in found)
                state[table.preamble.name] = sorted(
                    (_key(table, each.table_entry), *_counts(each.data)) for each in answers
                )
        return state


def _names(codes: Sequence[int]) -> tuple[str, ...]:
    names = {int(number): name for name, number in rpc_code.Code.items()}
    return tuple(names[code] for code in codes)


def _sorted(frames: Frames) -> Frames:
    """The copies of one packet leave by a port in no promised order."""
    return {port: sorted(each) for port, each in frames.items()}


def _counts(data: p4r.CounterData) -> tuple[int, int]:
    return data.packet_count, data.byte_count


def _key(table: p4i.Table, entry: p4r.TableEntry) -> str:
    """An entry's identity; the priorities of constant ones are each switch's own choice."""
    fields = sorted(str(field).replace("\n", " ") for field in entry.match)
    return f"{0 if table.is_const_table else entry.priority} {fields}"


def _has_counter(info: p4i.P4Info, table: p4i.Table) -> bool:
    direct = {each.preamble.id for each in info.direct_counters}
    return bool(direct & set(table.direct_resource_ids))
