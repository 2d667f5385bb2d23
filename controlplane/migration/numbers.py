"""Migration numbers: one for each flow that is held, each marker and each barrier."""

from __future__ import annotations

import secrets

_BITS = 32


class Numbers:
    """Numbers that no packet still on its way can bear.

    The first is random, so that a controller that was started again does not take
    packets held for its predecessor for its own. 0 is none.
    """

    def __init__(self, first: int | None = None) -> None:
        self._last = (secrets.randbits(_BITS) if first is None else first - 1) % (1 << _BITS)

    def next(self) -> int:
        """A number not given before, within the last four thousand million."""
        self._last = (self._last + 1) % (1 << _BITS) or 1
        return self._last
