"""Sizes as people write them."""

from __future__ import annotations

import re

_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_LARGEST = 1e18  # still a whole number of 64 bits


def parse_size(text: str) -> float:
    """Bytes of `3000000`, `3e6`, `3M` or `3MB`. Raises ValueError, one line."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([kKMG]?)B?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size: bytes, or a number with k, M or G")
    number, unit = match.groups()
    size = float(number) * _FACTORS["k" if unit == "K" else unit]
    if size > _LARGEST:
        raise ValueError(f"{text!r} is too large a size")
    return size


def format_size(size: float) -> str:
    """`2.5 MB`; decimal units, as sizes are defined in papers."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size:.4g} B"
