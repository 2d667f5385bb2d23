"""What can be asked of the detection: a detector, and its parameters."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from controlplane.sizes.units import format_size

LEARNT = "learnt"
"""The distribution of the flows that the switch has seen end."""


class DetectorName(StrEnum):
    """How the flows to be moved are told from the others."""

    PROPORTION = "proportion"
    """The largest that together carry the share ρ of the live bytes (paper §3.1)."""
    SIZE = "size"
    """Those that have sent X bytes (Hedera, Mahout)."""
    BAYES = "bayes"
    """Those that, by the distribution of sizes, will more likely than not have X bytes."""
    ALL_LIVE = "all-live"
    """All that have not ended."""
    SURVIVAL = "survival"
    """Those that will outlive the move with a chance of θ, by the distribution and their rate."""


class Edm(StrEnum):
    """Who counts the bytes of flows: where the elephant detection module has its monitor."""

    SWITCH = "switch"
    """Its registers."""
    NF = "nf"
    """The instances themselves (paper §3.1)."""


class DetectionError(Exception):
    """What is asked for does not fit, or is not known. One line."""


_Share = Annotated[float, Field(gt=0, le=1)]
_Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Name = Annotated[str, Field(min_length=1)]


class Choice(BaseModel):
    """A detector and its parameters. What is None is as configured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: DetectorName | None = None

    rho: _Share | None = None
    """Of *proportion*: ρ, the share of the live bytes."""

    size: _Size | None = None
    """Of *size* and *bayes*: X, the bytes that make an elephant."""

    theta: _Share | None = None
    """Of *survival*: θ, the least chance to outlive the move."""

    distribution: _Name | None = None
    """Of *bayes* and *survival*: a built-in one, `learnt`, or a file of the controller's."""

    edm: Edm | None = None
    """Who counts the bytes."""

    def described(self) -> str:
        """`bayes, X = 3 MB, sizes: learnt`: what is set."""
        parts = [self.detector or "as configured"]
        if self.rho is not None:
            parts.append(f"ρ = {self.rho:g}")
        if self.size is not None:
            parts.append(f"X = {format_size(self.size)}")
        if self.theta is not None:
            parts.append(f"θ = {self.theta:g}")
        if self.distribution is not None:
            parts.append(f"sizes: {self.distribution}")
        if self.edm is Edm.NF:
            parts.append("counted by the NF")
        return ", ".join(parts)


class Settings(BaseModel):
    """What holds where nothing else is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: DetectorName = DetectorName.PROPORTION
    """Which flows are moved."""

    rho: _Share = 0.35
    """The largest flows that together carry this share of the live bytes (paper §3.1)."""

    size: _Size = 1e6
    """Bytes that make an elephant."""

    theta: _Share = 0.5
    """The least chance to outlive a move."""

    distribution: _Name = LEARNT
    """Of flow sizes: built in (`web-search`, `cache`, `wan`, `wan-light`), `learnt`, or a file,
    relative to the topology file."""

    edm: Edm = Edm.SWITCH
    """Who counts the bytes of flows."""

    learn_every_s: PositiveFloat | None = 10
    """How often the switch is asked which flows have ended, for the learnt distribution;
    none: never."""

    move_ms: PositiveFloat = 100
    """How long a move is expected to take until one has been seen."""
