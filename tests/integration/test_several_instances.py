"""One source is divided over several instances, and several are merged into one, under live load.

Run inside a sandbox: python -m testbed.sandbox pytest tests/integration/test_several_instances.py
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from bed_flows import flows_by_instance
from demo_trial import TARGETS, skip_without

from testbed.bed import Bed, BedOptions
from testbed.load.options import LoadOptions
from testbed.load.record import ERRORS, LoadRecord
from testbed.plan import RunDirectory

LOAD_S = 12.0
DEADLINE_S = 10.0


async def divide_and_merge(bed: Bed) -> list[dict[str, Any]]:
    """The reports of all four moves."""
    await until_all_have_flows(bed, ["nf1"])
    out = await asyncio.gather(
        bed.northbound.move("move", "nf1", "nf2", share=0.5),
        bed.northbound.move("move", "nf1", "nf3", share=0.5),
    )
    await until_all_have_flows(bed, ["nf2", "nf3"])
    back = await asyncio.gather(
        bed.northbound.move("move", "nf2", "nf1"), bed.northbound.move("move", "nf3", "nf1")
    )
    return [*out, *back]


async def until_all_have_flows(bed: Bed, names: list[str]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            status = await bed.northbound.status()
            flows = {each["name"]: each["flows"] for each in status["instances"]}
            if all(flows[name] > 30 for name in names):
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("target", TARGETS)
def test_scale_out_and_in(target: str, tmp_path: Path) -> None:
    skip_without(target)
    options = BedOptions(run=RunDirectory(tmp_path), target=target, rho=0.5, instances=3)
    with Bed(options) as bed:
        asked = LoadOptions.for_target(target, rate_per_s=60.0, scale=0.01, seed=3)
        load = bed.start_load(asked, LOAD_S)
        out_2, out_3, back_2, back_3 = asyncio.run(divide_and_merge(bed))
        found = Counter(chain(*asyncio.run(flows_by_instance(bed)).values()))
        load.client.wait(30.0)
        record = LoadRecord.read(load.result_file)
    assert {out_2["buckets"], out_3["buckets"]} == {32, 16}
    for move in (out_2, out_3, back_2, back_3):
        assert move["flows"]["moved"] > 0, move
        assert move["flows"]["rolled_back"] == move["flows"]["stranded"] == 0, move
    assert found
    assert set(found.values()) == {1}
    assert record.count("done") > 200
    assert record.count(*ERRORS) == 0
    assert [(each.lost, each.duplicated) for each in record.witnesses] == [(0, 0)] * 8
