"""The REST API.

    GET    /v1/status
    GET    /v1/instances
    GET    /v1/flows
    GET    /v1/elephants?detector=&rho=&size=&theta=&distribution=&edm=&instance=
    GET    /v1/population?instance=&distribution=
                                     the active flows, to plan a move with
    POST   /v1/moves                 202, and where the move is
    GET    /v1/moves
    GET    /v1/moves/{id}?timeline=&wait_s=
                                     progress, and the report when it is over; with wait_s
                                     the answer comes when all has been moved, or then
    DELETE /v1/moves/{id}            cancels
    GET    /v1/events?since=&follow=&move=
                                     what happens, one JSON object a line; with follow it goes
                                     on, for a move until that has ended
    GET    /metrics                  for Prometheus

Errors are problem details (RFC 9457) whose `detail` is one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException

from controlplane.migration.errors import MoveError
from controlplane.migration.report import ENDED, MoveReport
from controlplane.northbound.controller import Controller, ControllerError
from controlplane.northbound.metrics import EngineCollector
from controlplane.northbound.models import (
    ElephantsRequest,
    ElephantsView,
    EventView,
    FlowsView,
    InstanceView,
    MoveRequest,
    PopulationRequest,
    PopulationView,
    Problem,
    StatusView,
)

_MAX_WAIT_S = 60


def _problem(status: int, title: str, detail: str) -> JSONResponse:
    problem = Problem(title=title, status=status, detail=" ".join(detail.split()))
    return JSONResponse(
        problem.model_dump(), status_code=status, media_type="application/problem+json"
    )


async def _move_error(request: Request, error: Exception) -> Response:
    if isinstance(error, MoveError) and error.unknown:
        return _problem(404, "not found", str(error))
    if isinstance(error, MoveError) and error.conflict:
        return _problem(409, "not now", str(error))
    return _problem(422, "refused", str(error))


async def _controller_error(request: Request, error: Exception) -> Response:
    return _problem(503, "not available", str(error))


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        return _problem(422, "invalid request", str(error))
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    return _problem(422, "invalid request", f"{place or 'body'}: {first['msg']}")


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "internal error"
    return _problem(status, "error", f"{request.method} {request.url.path}: {detail}")


def create_app(controller: Controller) -> FastAPI:
    """The API of a running controller."""
    app = FastAPI(title="U-HAUL controller", version="1", openapi_url="/v1/openapi.json")
    app.add_exception_handler(MoveError, _move_error)
    app.add_exception_handler(ControllerError, _controller_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    _add_views(app, controller)
    _add_moves(app, controller)
    _add_events(app, controller)
    return app


def _add_views(app: FastAPI, controller: Controller) -> None:
    registry = CollectorRegistry()
    registry.register(EngineCollector(lambda: controller.engine))

    async def status() -> StatusView:
        return await controller.status()

    async def instances() -> tuple[InstanceView, ...]:
        return await controller.instances()

    async def flows() -> FlowsView:
        return await controller.flows()

    async def elephants(asked: Annotated[ElephantsRequest, Query()]) -> ElephantsView:
        return await controller.elephants(asked.choice(), asked.instance)

    async def population(asked: Annotated[PopulationRequest, Query()]) -> PopulationView:
        return await controller.population(asked.instance, asked.distribution)

    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.get("/v1/status")(status)
    app.get("/v1/instances")(instances)
    app.get("/v1/flows")(flows)
    app.get("/v1/elephants")(elephants)
    app.get("/v1/population")(population)
    app.get("/metrics", include_in_schema=False)(metrics)


def _add_moves(app: FastAPI, controller: Controller) -> None:
    async def begin(asked: MoveRequest, response: Response) -> MoveReport:
        move = await controller.engine.begin(asked.options())
        response.headers["Location"] = f"/v1/moves/{move.id}"
        return move.report()

    async def moves() -> tuple[MoveReport, ...]:
        return tuple(move.report() for move in controller.engine.moves)

    async def one_move(
        number: str,
        timeline: bool = False,
        wait_s: Annotated[float, Query(ge=0, le=_MAX_WAIT_S)] = 0,
    ) -> Response:
        move = controller.engine.move(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await move.moved.wait()
        # Ten thousand flows one by one would keep the loop busy.
        report = await asyncio.to_thread(lambda: move.report(timeline=timeline).model_dump_json())
        return Response(report, media_type="application/json")

    async def cancel(number: str) -> MoveReport:
        move = controller.engine.move(number)
        move.cancel("cancelled by the operator")
        return move.report()

    app.post("/v1/moves", status_code=202)(begin)
    app.get("/v1/moves")(moves)
    app.get("/v1/moves/{number}", responses={200: {"model": MoveReport}})(one_move)
    app.delete("/v1/moves/{number}", status_code=202)(cancel)


def _add_events(app: FastAPI, controller: Controller) -> None:
    async def events(
        since: Annotated[int, Query(ge=0)] = 0, follow: bool = False, move: str | None = None
    ) -> StreamingResponse:
        if move is not None and controller.engine.move(move).state in ENDED:
            follow = False
        lines = _lines(controller, since, move, follow=follow)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    app.get("/v1/events", response_model=None)(events)


async def _lines(
    controller: Controller, since: int, move: str | None, *, follow: bool
) -> AsyncIterator[str]:
    """Events as lines of JSON, in as few pieces as they come."""
    missed, has_missed = 0, False
    events = controller.engine.events
    async for forgotten, batch in events.follow(since, forever=follow):
        missed += forgotten
        has_missed = has_missed or forgotten > 0
        views: list[EventView] = []
        for event in batch:
            if move in (None, event.move):
                views.append(EventView.of(event, missed))
                missed = 0
        yield "".join(f"{view.model_dump_json(exclude_none=True)}\n" for view in views)
        if any(event.move == move and event.state in ENDED for event in batch):
            return
        # Its end may be among what was missed.
        has_come_to_now = batch[-1].number + 1 == events.next
        if move and has_missed and has_come_to_now and controller.engine.move(move).state in ENDED:
            return
