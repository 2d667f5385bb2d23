"""Where on a bed the states of flows are."""

from __future__ import annotations

from nf.southbound.flow import FiveTuple
from testbed.bed import Bed


async def flows_by_instance(bed: Bed) -> dict[str, list[FiveTuple]]:
    """The flows that each instance has a state of, by its name."""
    found: dict[str, list[FiveTuple]] = {}
    for instance in bed.instances:
        async with bed.instance(instance) as client:
            found[instance.name] = [each.flow for each in await client.list_flows()]
    return found
