"""The detectors by name: what each takes, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from controlplane.detection.all_live import all_live
from controlplane.detection.bayes import likely
from controlplane.detection.choice import Choice, DetectionError, DetectorName, Settings
from controlplane.detection.flows import Loads, Rows
from controlplane.detection.proportion import proportion
from controlplane.detection.size import at_least
from controlplane.detection.survival import surviving
from controlplane.sizes.distribution import SizeDistribution

FindSizes: TypeAlias = Callable[[str], SizeDistribution]
"""A distribution by its name. Raises SizesError."""

Select: TypeAlias = Callable[[Loads, npt.NDArray[np.float64]], Rows]
"""The rows to be moved, largest first, of a table and the rate of each row in bytes a second."""


@dataclass(frozen=True)
class Detector:
    """One of the rules."""

    takes: tuple[str, ...]
    """The fields of `Choice` that it takes."""
    make: Callable[[Settings, FindSizes, float], Select]
    """The rule with these parameters, for a move of so many seconds. Raises SizesError."""
    needs_rates: bool = False
    """Whether the flows must be looked at twice; without, all rates are 0."""


@dataclass(frozen=True)
class Rule:
    """A detector with all its parameters."""

    choice: Choice
    """The detector and what it takes; the rest is None."""
    select: Select
    needs_rates: bool


def _proportion(given: Settings, find_sizes: FindSizes, move_s: float) -> Select:
    return lambda flows, _: proportion(flows, given.rho)


def _size(given: Settings, find_sizes: FindSizes, move_s: float) -> Select:
    return lambda flows, _: at_least(flows, given.size)


def _bayes(given: Settings, find_sizes: FindSizes, move_s: float) -> Select:
    sizes = find_sizes(given.distribution)
    return lambda flows, _: likely(flows, given.size, sizes)


def _all_live(given: Settings, find_sizes: FindSizes, move_s: float) -> Select:
    return lambda flows, _: all_live(flows)


def _survival(given: Settings, find_sizes: FindSizes, move_s: float) -> Select:
    sizes = find_sizes(given.distribution)
    return lambda flows, rates: surviving(flows, rates, move_s, given.theta, sizes)


DETECTORS = {
    DetectorName.PROPORTION: Detector(("rho",), _proportion),
    DetectorName.SIZE: Detector(("size",), _size),
    DetectorName.BAYES: Detector(("size", "distribution"), _bayes),
    DetectorName.ALL_LIVE: Detector((), _all_live),
    DetectorName.SURVIVAL: Detector(("theta", "distribution"), _survival, needs_rates=True),
}


def complete(choice: Choice, settings: Settings) -> Choice:
    """The detector that is asked for, with all that it takes, from the settings if need be.

    Raises DetectionError where it is given what it does not take.
    """
    name = choice.detector or settings.detector
    takes = DETECTORS[name].takes
    asked = choice.model_dump(exclude_none=True, exclude={"detector", "edm"})
    for field in asked:
        if field not in takes:
            what = f"which takes {' and '.join(takes)}" if takes else "which takes no parameter"
            raise DetectionError(f"{field} is not for the detector {name}, {what}")
    given = {field: getattr(settings, field) for field in takes} | asked
    return Choice(detector=name, edm=choice.edm or settings.edm, **given)


def make_rule(choice: Choice, settings: Settings, find_sizes: FindSizes, move_s: float) -> Rule:
    """The rule that is asked for. Raises DetectionError and SizesError."""
    settled = complete(choice, settings)
    given = settings.model_copy(update=settled.model_dump(exclude_none=True))
    detector = DETECTORS[given.detector]
    return Rule(settled, detector.make(given, find_sizes, move_s), detector.needs_rates)
