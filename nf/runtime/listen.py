"""The southbound service on a listening socket."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import TypeAlias

import grpc

from nf.runtime.function import State
from nf.runtime.instance import Instance
from nf.runtime.servicer import SouthboundServicer
from nf.southbound.southbound_pb2_grpc import add_NetworkFunctionServicer_to_server

_UNIX = "unix:"
_MAX_PATH_BYTES = 107
_MAX_PORT = 0xFFFF
_MAX_MESSAGE_BYTES = 256 << 20

_Server: TypeAlias = "grpc.aio.Server"


class ListenError(Exception):
    """The address cannot be listened on. The message is one line."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")


async def listen(instance: Instance[State], address: str) -> _Server:
    """Starts to serve an instance on `unix:/path` or `host:port`. Raises ListenError."""
    if address.startswith(_UNIX):
        _check_socket(address)
    else:
        _check_port(address)
    server = grpc.aio.server(
        options=[
            # Otherwise a second instance on the same port would get half of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ]
    )
    add_NetworkFunctionServicer_to_server(SouthboundServicer(instance), server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound:
        raise ListenError(address, "in use, or no address of this machine")
    await server.start()
    return server


def _check_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        raise ListenError(address, "neither unix:/path nor host:port")


def _check_socket(address: str) -> None:
    """Makes sure that nobody listens on a unix socket; gRPC would take it over."""
    path = Path(address.removeprefix(_UNIX))
    if len(bytes(path)) > _MAX_PATH_BYTES:
        raise ListenError(address, f"the path is longer than {_MAX_PATH_BYTES} bytes")
    if not path.parent.is_dir():
        raise ListenError(address, "no such directory")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(address, "a file that is no socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # left behind by a process that was killed
            return
        except OSError as error:
            raise ListenError(address, str(error.strerror)) from None
    raise ListenError(address, "another process does")
