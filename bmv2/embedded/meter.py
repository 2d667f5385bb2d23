"""What a meter allows."""

from __future__ import annotations

from typing import NamedTuple


class MeterRates(NamedTuple):
    """A two-rate three-colour marker (RFC 2698). Rates are units a second, bursts units.

    A unit is a byte or a packet, as the program says.
    """

    cir: int
    cburst: int
    pir: int
    pburst: int
