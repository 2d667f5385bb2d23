"""The northbound API as the command line uses it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from controlplane.cli.errors import CommandError
from controlplane.config import check_address
from controlplane.migration.report import MoveReport
from controlplane.northbound.models import (
    ElephantsRequest,
    ElephantsView,
    FlowsView,
    MoveRequest,
    PopulationRequest,
    PopulationView,
    Problem,
    StatusView,
)

_TIMEOUT_S = 30.0
_SCHEME = "unix:"

_View = TypeVar("_View", bound=BaseModel)


def _client(address: str) -> httpx.Client:
    """Who asks at `unix:/path` or `host:port`. Raises CommandError."""
    try:
        check_address(address)
    except ValueError as error:
        raise CommandError(f"northbound address {error}") from None
    path = address.removeprefix(_SCHEME) if address.startswith(_SCHEME) else None
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=path),
        base_url="http://controlplane" if path else f"http://{address}",
        timeout=_TIMEOUT_S,
    )


class Northbound:
    """A running controller, by its address. Methods raise CommandError."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._http = _client(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def status(self) -> StatusView:
        """Everything at a glance."""
        return self._ask(StatusView, "GET", "/v1/status")

    def flows(self) -> FlowsView:
        """The active flows."""
        return self._ask(FlowsView, "GET", "/v1/flows")

    def elephants(self, asked: ElephantsRequest) -> ElephantsView:
        """The elephants."""
        query = asked.model_dump(mode="json", exclude_none=True)
        return self._ask(ElephantsView, "GET", "/v1/elephants", query=query)

    def population(self, asked: PopulationRequest) -> PopulationView:
        """The active flows, to plan with."""
        query = asked.model_dump(mode="json", exclude_none=True)
        return self._ask(PopulationView, "GET", "/v1/population", query=query)

    def begin(self, asked: MoveRequest) -> MoveReport:
        """Begins a move."""
        return self._ask(MoveReport, "POST", "/v1/moves", body=asked)

    def move(self, number: str, *, timeline: bool = False) -> MoveReport:
        """A move, under way or over."""
        query = {"timeline": "true"} if timeline else {}
        return self._ask(MoveReport, "GET", f"/v1/moves/{number}", query=query)

    def moves(self) -> tuple[MoveReport, ...]:
        """All moves, oldest first."""
        answers = self._send("GET", "/v1/moves").json()
        return tuple(MoveReport.model_validate(answer) for answer in answers)

    def cancel(self, number: str) -> MoveReport:
        """Cancels a move."""
        return self._ask(MoveReport, "DELETE", f"/v1/moves/{number}")

    def events(self, *, move: str | None, follow: bool) -> Iterator[str]:
        """What happens, one JSON object a line; of one move, or of all."""
        query = {"follow": str(follow).lower()} | ({"move": move} if move else {})
        with (
            self._translated(),
            self._http.stream("GET", "/v1/events", params=query, timeout=None) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise self._refusal(answer)
            yield from answer.iter_lines()

    def _ask(
        self,
        view: type[_View],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: BaseModel | None = None,
    ) -> _View:
        return view.model_validate(self._send(method, path, query=query, body=body).json())

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: BaseModel | None = None,
    ) -> httpx.Response:
        content = body.model_dump(mode="json") if body is not None else None
        with self._translated():
            response = self._http.request(method, path, params=query, json=content)
        if response.is_success:
            return response
        raise self._refusal(response)

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except httpx.ConnectError:
            raise CommandError(
                f"no controller at {self._address}: is `controlplane run` running, "
                "and is this its --northbound?"
            ) from None
        except httpx.HTTPError as error:
            raise CommandError(f"the controller at {self._address}: {error}") from None

    def _refusal(self, response: httpx.Response) -> CommandError:
        try:
            return CommandError(Problem.model_validate_json(response.content).detail)
        except ValueError:
            return CommandError(
                f"the controller at {self._address} answered {response.status_code}"
            )
