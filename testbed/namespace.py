"""Network namespaces without a name: they live as long as somebody holds them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class NetworkNamespace:
    """A new network namespace, held by a file descriptor.

    It ends, with its interfaces, when it is closed and the last process and socket
    in it are gone. Nothing of it has a name on disk.
    """

    def __init__(self, name: str) -> None:
        """Makes the namespace. Raises OSError (EPERM without the right to)."""
        self.name = name
        own = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.unshare(_CLONE_NEWNET), "unshare")
            try:
                self._fd = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
            finally:
                _check(_libc.setns(own, _CLONE_NEWNET), "setns")
        finally:
            os.close(own)

    def fileno(self) -> int:
        """The file descriptor that holds the namespace."""
        return self._fd

    def close(self) -> None:
        """Lets go of the namespace. Closing twice is no error."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextmanager
    def entered(self) -> Generator[None]:
        """Moves the calling thread into the namespace for the time of the block.

        Sockets opened and processes started by this thread meanwhile belong to the
        namespace for good. Not for use across an `await`.
        """
        own = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(self._fd, _CLONE_NEWNET), f"enter namespace {self.name}")
            try:
                yield
            finally:
                _check(_libc.setns(own, _CLONE_NEWNET), "setns")
        finally:
            os.close(own)

    def write_sysctl(self, name: str, value: str) -> bool:
        """Sets a network sysctl of the namespace, e.g. `net/ipv4/ip_forward`.

        False where the system does not have it, or shows it read-only.
        """
        with self.entered():
            try:
                Path("/proc/sys", name).write_text(value)
            except OSError:
                return False
            return True
