"""What a reader of registers is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # the command line needs no P4Runtime
    from finsy.proto import p4i

Cells: TypeAlias = npt.NDArray[np.uint64]
"""The cells of a register, by index."""

Indices: TypeAlias = npt.NDArray[np.intp]
"""Of cells of a register; none comes twice."""


class RegisterNames(Protocol):
    """What a reader knows of the program."""

    def register(self, name: str) -> p4i.Register:
        """The register of a name. Raises SwitchError."""
        ...


class RegisterReader(Protocol):
    """Reads registers of the switch. Its async methods raise SwitchError."""

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        """All cells of these registers, by name.

        A name is the end of the full one, such as `way_0.fit_seen`. A register is not read
        in one instant: packets go on to change it meanwhile.
        """
        ...

    async def read_cells(self, wanted: Mapping[str, Indices]) -> dict[str, Cells]:
        """These cells of these registers, by name, each register's in the order asked for.

        Registers are read in that of `wanted`.
        """
        ...

    async def close(self) -> None:
        """Ends the connection."""
        ...
