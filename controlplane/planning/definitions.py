"""The definitions of an elephant that are weighed against each other."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.detection.choice import Choice, DetectorName
from controlplane.sizes.builtin import BUILTIN, DEFINITIONS
from controlplane.sizes.distribution import SizeDistribution
from controlplane.sizes.units import format_size

RHOS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
THETAS = (0.1, 0.5, 0.9)
_BYTE_SHARES = (0.9, 0.7, 0.5, 0.3, 0.1)


def default_sizes(sizes: SizeDistribution) -> tuple[float, ...]:
    """The sizes to try: the paper's where it has any, else by the share of the bytes beyond."""
    for name, builtin in BUILTIN.items():
        if builtin is sizes:
            return DEFINITIONS[name]
    found = (float(max(round(sizes.size_at_byte_share(share)), 1)) for share in _BYTE_SHARES)
    # Once each, as people see them.
    return tuple(sorted({format_size(size): size for size in found}.values()))


def definitions(
    rhos: Sequence[float], sizes: Sequence[float], thetas: Sequence[float]
) -> tuple[Choice, ...]:
    """Each detector with each of its parameters."""
    return (
        *(Choice(detector=DetectorName.PROPORTION, rho=rho) for rho in rhos),
        *(Choice(detector=DetectorName.SIZE, size=size) for size in sizes),
        *(Choice(detector=DetectorName.BAYES, size=size) for size in sizes),
        *(Choice(detector=DetectorName.SURVIVAL, theta=theta) for theta in thetas),
        Choice(detector=DetectorName.ALL_LIVE),
    )
