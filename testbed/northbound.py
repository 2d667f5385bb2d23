"""The controller's northbound API, as the test bed uses it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from controlplane.migration.report import UNDER_WAY, MoveState

_BASE = "http://controller/v1"
_READY_TIMEOUT_S = 1.0
_MOVE_TIMEOUT_S = 60.0
_WAIT_S = 10.0  # how long the controller is asked to wait with its answer


class NorthboundError(Exception):
    """The controller does not answer, refuses, or has failed. The message is one line."""


class NorthboundClient:
    """Asks the controller over its unix socket."""

    def __init__(self, socket: Path) -> None:
        """Nothing is sent yet."""
        self._socket = socket

    def is_ready(self) -> bool:
        """Whether the controller answers."""
        if not self._socket.exists():
            return False
        transport = httpx.HTTPTransport(uds=str(self._socket))
        try:
            with httpx.Client(transport=transport, timeout=_READY_TIMEOUT_S) as client:
                return client.get(f"{_BASE}/status").is_success
        except httpx.TransportError:
            return False

    async def begin(
        self, kind: str, source: str, destination: str, **more: object
    ) -> dict[str, Any]:
        """Begins a move; its report. `more` is what else a MoveRequest has.

        Raises NorthboundError.
        """
        request = {"kind": kind, "source": source, "destination": destination, **more}
        return await self._ask("POST", "moves", request)

    async def moves(self) -> list[dict[str, Any]]:
        """The reports of all moves. Raises NorthboundError."""
        return await self._ask("GET", "moves")

    async def cancel(self, number: str) -> None:
        """Cancels a move. Raises NorthboundError."""
        await self._ask("DELETE", f"moves/{number}")

    async def status(self) -> dict[str, Any]:
        """The controller at a glance. Raises NorthboundError."""
        return await self._ask("GET", "status")

    async def events(self) -> str:
        """What has happened, one JSON object a line. Raises NorthboundError."""
        transport = httpx.AsyncHTTPTransport(uds=str(self._socket))
        try:
            async with httpx.AsyncClient(transport=transport, timeout=_WAIT_S) as client:
                return (await client.get(f"{_BASE}/events")).text
        except httpx.TransportError as error:
            raise NorthboundError(f"the controller does not answer: {error}") from error

    async def _ask(self, method: str, path: str, content: object = None) -> Any:
        transport = httpx.AsyncHTTPTransport(uds=str(self._socket))
        try:
            async with httpx.AsyncClient(transport=transport, timeout=_WAIT_S) as client:
                return _json(await client.request(method, f"{_BASE}/{path}", json=content))
        except httpx.TransportError as error:
            raise NorthboundError(f"the controller does not answer: {error}") from error

    async def move(
        self, kind: str, source: str, destination: str, **more: object
    ) -> dict[str, Any]:
        """Moves flows and waits until all that were chosen have been moved.

        `more` is what else a MoveRequest has. The report, with every flow.
        Raises NorthboundError, also when the move fails.
        """
        transport = httpx.AsyncHTTPTransport(uds=str(self._socket))
        request = {"kind": kind, "source": source, "destination": destination, **more}
        try:
            async with (
                asyncio.timeout(_MOVE_TIMEOUT_S),
                httpx.AsyncClient(transport=transport, timeout=_MOVE_TIMEOUT_S) as client,
            ):
                report = _json(await client.post(f"{_BASE}/moves", json=request))
                place = f"{_BASE}/moves/{report['id']}"
                while MoveState(report["state"]) in UNDER_WAY:
                    report = _json(await client.get(place, params={"wait_s": _WAIT_S}))
                report = _json(await client.get(place, params={"timeline": True}))
        except httpx.TransportError as error:
            raise NorthboundError(f"the controller does not answer: {error}") from error
        except TimeoutError as error:
            raise NorthboundError(f"{kind} is not done after {_MOVE_TIMEOUT_S:g} s") from error
        if report["state"] not in (MoveState.DRAINING, MoveState.DONE):
            raise NorthboundError(f"{kind} {report['state']}: {report['reason']}")
        return report


def _json(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json()
    try:
        reason = answer.json()["detail"]
    except (ValueError, KeyError):
        reason = f"status {answer.status_code}"
    raise NorthboundError(f"the controller refuses: {reason}")
