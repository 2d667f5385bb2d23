"""Whether one can listen on an address."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

_UNIX = "unix:"
_MAX_PORT = 0xFFFF


class ListenError(Exception):
    """One cannot listen on an address. The message is one line."""


def socket_path(address: str) -> Path | None:
    """The path of a `unix:/path` address; none for `host:port`."""
    return Path(address.removeprefix(_UNIX)) if address.startswith(_UNIX) else None


def check_free(address: str) -> None:
    """Raises ListenError where another server listens, or where none can.

    gRPC takes a unix socket away from another server without a word.
    """
    path = socket_path(address)
    try:
        if path is not None:
            _check_path(path)
        else:
            _check_port(address)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {error.strerror}") from error


def _check_path(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ListenError(f"cannot listen on unix:{path}: no directory {path.parent}") from None
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on unix:{path}: the file exists and is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return  # left behind by a server that is gone
    raise ListenError(f"cannot listen on unix:{path}: another server does")


def _check_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ListenError(f"cannot listen on {address}: it is neither host:port nor unix:/path")
    if int(port) > _MAX_PORT:
        raise ListenError(f"cannot listen on {address}: a port is at most {_MAX_PORT}")
    found = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)
