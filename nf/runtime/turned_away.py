"""Flows that an instance has turned away: their state is, or will be, at another one."""

from __future__ import annotations

from collections import OrderedDict

from nf.southbound.flow import FiveTuple

_MAX_FLOWS = 1 << 16
_FORGOTTEN_AFTER_US = 60_000_000  # an instance's default for a state without packets


class TurnedAway:
    """The flows whose packets have been bounced, until they have been silent for a minute.

    The switch may go on sending such a flow here: it takes the flow for one of this
    instance's, and every packet is bounced to the other one. When the buckets are turned
    back, this instance takes new flows again; those it has turned away are not new.

    At most 65,536 flows are remembered; of more, those that have been silent longest
    are forgotten.
    """

    def __init__(self) -> None:
        self._bounced_us: OrderedDict[FiveTuple, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._bounced_us)

    def add(self, flow: FiveTuple, now_us: int) -> None:
        """A packet of a flow has been bounced."""
        known = self._bounced_us
        known[flow] = now_us
        known.move_to_end(flow)
        if len(known) > _MAX_FLOWS or known[next(iter(known))] < now_us - _FORGOTTEN_AFTER_US:
            known.popitem(last=False)

    def has(self, flow: FiveTuple, now_us: int) -> bool:
        """Whether a flow has been turned away not long ago."""
        bounced_us = self._bounced_us.get(flow)
        return bounced_us is not None and bounced_us >= now_us - _FORGOTTEN_AFTER_US

    def forget(self, flow: FiveTuple) -> None:
        """The flow has come to be here after all."""
        self._bounced_us.pop(flow, None)
