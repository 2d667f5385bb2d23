"""One run at a time in a run directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.child import BedError


class RunLock:
    """Holds a run directory; the kernel lets go of it when the process ends, however."""

    def __init__(self, directory: Path) -> None:
        """Nothing is taken yet."""
        self._path = directory / "lock"
        self._fd = -1

    def __enter__(self) -> Self:
        """Takes the directory. Raises BedError when another run has it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise BedError(
                f"another run is under way in {self._path.parent}: stop it first"
            ) from error
        except OSError as error:
            raise BedError(f"{self._path}: {error.strerror}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Lets go of it."""
        os.close(self._fd)
