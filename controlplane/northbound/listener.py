"""The socket of the northbound API, and the server on it."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Generator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

_SCHEME = "unix:"
_BACKLOG = 128
_GRACE_S = 1


class ListenError(Exception):
    """The socket cannot be had. One line."""


@contextlib.contextmanager
def listening(address: str) -> Generator[socket.socket]:
    """A socket that listens on `unix:/path` or `host:port`; removed at the end.

    The socket of a controller that is gone is taken over. Raises ListenError.
    """
    if address.startswith(_SCHEME):
        path = Path(address.removeprefix(_SCHEME))
        listener = _listen_unix(path)
        listener.setblocking(False)
        try:
            with listener:
                yield listener
        finally:
            path.unlink(missing_ok=True)
    else:
        host, _, port = address.rpartition(":")
        try:
            listener = socket.create_server((host, int(port)), backlog=_BACKLOG)
        except OSError as error:
            raise ListenError(f"northbound {address}: {error.strerror}") from None
        listener.setblocking(False)
        with listener:
            yield listener


def _listen_unix(path: Path) -> socket.socket:
    if not path.parent.is_dir():
        raise ListenError(f"northbound {path}: there is no directory {path.parent}")
    listener = socket.socket(socket.AF_UNIX)
    try:
        try:
            listener.bind(str(path))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if not path.is_socket():
                raise ListenError(f"northbound {path}: it is there, and no socket") from None
            if _answers(path):
                raise ListenError(
                    f"northbound {path}: in use; another controller is running"
                ) from None
            path.unlink()
            listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(f"northbound {path}: {error.strerror or error}") from None
    except BaseException:
        listener.close()
        raise
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


class Server(uvicorn.Server):
    """Serves on a socket of ours, and leaves signals to the daemon."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_S,  # whoever follows events would do so for ever
        )
        super().__init__(config)
        self._listener = listener

    async def run_until_stopped(self) -> None:
        """Serves until `stop`."""
        try:
            await self.serve(sockets=[self._listener])
        finally:
            # It does not when it is cancelled; connections would go to it for ever.
            for server in getattr(self, "servers", ()):
                server.close()
            self._listener.close()

    def stop(self) -> None:
        """Answers what has been asked, and ends."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are the daemon's."""
        yield
