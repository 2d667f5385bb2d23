"""Rates of a meter, from P4Runtime messages and back (specification, section 9.4)."""

from __future__ import annotations

from finsy.proto import p4r

from bmv2.embedded.meter import MeterRates
from bmv2.embedded.p4runtime.errors import invalid, unimplemented
from bmv2.embedded.p4runtime.schema import MeterType


def decode_config(meter_type: MeterType, message: p4r.MeterConfig) -> MeterRates:
    """The rates that a meter is given. Raises P4RuntimeError.

    A single-rate meter without excess burst colours as a two-rate one with equal rates.
    """
    rates = MeterRates(message.cir, message.cburst, message.pir, message.pburst)
    if min(rates) < 0 or message.eburst < 0:
        raise invalid("a meter config: a rate or burst is negative")
    if meter_type is MeterType.TWO_RATE_THREE_COLOR:
        if rates.cir > rates.pir:
            raise invalid(f"a meter config: cir {rates.cir} is above pir {rates.pir}")
    elif (rates.pir, rates.pburst) != (rates.cir, rates.cburst):
        raise invalid(f"a {meter_type.value} meter: pir and pburst are not cir and cburst")
    if message.eburst:
        if meter_type is not MeterType.SINGLE_RATE_THREE_COLOR:
            raise invalid(f"a {meter_type.value} meter has no eburst")
        raise unimplemented("a meter with an excess burst (eburst)")
    return rates


def encode_config(rates: MeterRates) -> p4r.MeterConfig:
    """The message of a meter's rates."""
    return p4r.MeterConfig(cir=rates.cir, cburst=rates.cburst, pir=rates.pir, pburst=rates.pburst)
