"""The REST API, in the process of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from controller_model import ModelController, model_controller

from controlplane.migration.events import EventLog
from controlplane.migration.report import MoveReport, MoveState
from controlplane.northbound.app import _lines, create_app  # pyright: ignore[reportPrivateUsage]
from controlplane.northbound.models import (
    ElephantsView,
    EventView,
    FlowsView,
    PopulationView,
    StatusView,
)


@pytest_asyncio.fixture
async def controller() -> AsyncGenerator[ModelController]:
    async with model_controller() as running:
        yield running


@pytest_asyncio.fixture
async def http(controller: ModelController) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(controller))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def move(http: httpx.AsyncClient, **body: Any) -> httpx.Response:
    asked = {"kind": "move", "source": "nf1", "destination": "nf2", **body}
    return await http.post("/v1/moves", json=asked)


async def test_views(http: httpx.AsyncClient) -> None:
    status = StatusView.model_validate((await http.get("/v1/status")).json())
    assert [one.name for one in status.instances] == ["nf1", "nf2", "nf3"]
    flows = FlowsView.model_validate((await http.get("/v1/flows")).json())
    assert len(flows.flows) == 24
    answer = await http.get("/v1/elephants", params={"rho": 0.5, "instance": "nf1"})
    elephants = ElephantsView.model_validate(answer.json())
    assert (elephants.elephants.rho, elephants.instance) == (0.5, "nf1")
    answer = await http.get("/v1/population", params={"instance": "nf1", "distribution": "wan"})
    population = PopulationView.model_validate(answer.json())
    assert (population.instance, population.distribution.name) == ("nf1", "WAN")
    assert len(population.bytes) == len(population.bytes_per_s) == len(population.ended) == 24
    assert len((await http.get("/v1/instances")).json()) == 3


async def test_move_elephant_and_its_report(
    http: httpx.AsyncClient, controller: ModelController
) -> None:
    answer = await move(http, kind="move-elephant", rho=0.4)
    assert answer.status_code == 202
    assert answer.headers["location"] == "/v1/moves/m1"
    await controller.engine.move("m1").moved.wait()
    report = MoveReport.model_validate((await http.get("/v1/moves/m1")).json())
    assert report.state is MoveState.DRAINING
    assert report.elephants is not None
    assert report.elephants.described() == "proportion, ρ = 0.4"
    assert report.flows.moved == 5
    assert report.timeline is None
    with_timeline = await http.get("/v1/moves/m1", params={"timeline": "true"})
    timeline = MoveReport.model_validate(with_timeline.json()).timeline
    assert timeline is not None
    assert [flow.outcome.value for flow in timeline] == ["moved"] * 5
    for flow in timeline:
        assert flow.hold_ms is not None
        assert flow.released_ms is not None
        assert flow.deleted_ms is not None
        assert 0 <= flow.hold_ms <= flow.released_ms
        assert flow.deleted_ms <= (report.downtime_ms or 0)
    assert [one["id"] for one in (await http.get("/v1/moves")).json()] == ["m1"]


async def test_answer_that_waits_for_the_move(http: httpx.AsyncClient) -> None:
    await move(http)
    report = (await http.get("/v1/moves/m1", params={"wait_s": 10})).json()
    assert report["flows"]["moved"] == 24


async def test_cancel_when_all_is_moved_is_refused(
    http: httpx.AsyncClient, controller: ModelController
) -> None:
    await move(http, kind="move-elephant")
    await controller.engine.move("m1").moved.wait()
    answer = await http.delete("/v1/moves/m1")
    assert answer.status_code == 409
    assert "m1 cannot be cancelled: it is draining" in answer.json()["detail"]


async def test_cancel(http: httpx.AsyncClient, controller: ModelController) -> None:
    await move(http)
    assert (await http.delete("/v1/moves/m1")).status_code == 202
    running = controller.engine.move("m1")
    await running.moved.wait()
    assert running.state is MoveState.CANCELLED


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"source": "nf7"}, 404, "unknown instance 'nf7'; there are: nf1, nf2"),
        ({"destination": "nf1"}, 422, "source and destination are both nf1"),
        ({"kind": "swap"}, 422, "kind: Input should be 'move', 'move-elephant', 'dist'"),
        ({"scope": "multi-flow"}, 422, "scope: Input should be 'per-flow'"),
        ({"guarantee": "best"}, 422, "guarantee: Input should be"),
        ({"colour": "red"}, 422, "colour: Extra inputs are not permitted"),
        ({"rho": 0.4}, 422, "rho is for move-elephant"),
        ({"kind": "move-elephant", "rho": 1.5}, 422, "rho: Input should be less than or equal"),
        ({"kind": "move-elephant", "detector": "guess"}, 422, "detector: Input should be"),
        (
            {"kind": "move-elephant", "detector": "size", "rho": 0.5},
            422,
            "rho is not for the detector size, which takes size",
        ),
        (
            {"kind": "move-elephant", "detector": "all-live", "size": 3},
            422,
            "size is not for the detector all-live, which takes no parameter",
        ),
        (
            {"kind": "move-elephant", "detector": "bayes", "distribution": "nosuch"},
            422,
            "nosuch: no such file, and no built-in distribution",
        ),
    ],
)
async def test_bad_moves_are_refused_in_one_line(
    http: httpx.AsyncClient, body: dict[str, Any], status: int, detail: str
) -> None:
    answer = await move(http, **body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/v1/moves/m9", 404, "there is no move 'm9'"),
        ("/v1/nothing", 404, "GET /v1/nothing: Not Found"),
        ("/v1/elephants?rho=2", 422, "rho: Input should be less than or equal to 1"),
    ],
)
async def test_bad_paths(http: httpx.AsyncClient, path: str, status: int, detail: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


async def test_switch_that_does_not_answer(
    http: httpx.AsyncClient, controller: ModelController
) -> None:
    controller.broken = True
    answer = await http.get("/v1/flows")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "the switch does not answer"


async def test_second_move_at_the_same_time(
    http: httpx.AsyncClient, controller: ModelController
) -> None:
    await move(http, early_release=False)
    answer = await move(http, source="nf2", destination="nf1")
    assert answer.status_code == 409
    assert "m1 is moving flows of nf1 to nf2" in answer.json()["detail"]


async def test_metrics(http: httpx.AsyncClient, controller: ModelController) -> None:
    await move(http, kind="move-elephant")
    await controller.engine.move("m1").moved.wait()
    text = (await http.get("/metrics")).text
    assert "uhaul_flow_rules 5.0" in text
    assert 'uhaul_flows{kind="move-elephant",outcome="moved"} 5.0' in text


async def events(http: httpx.AsyncClient, **query: Any) -> list[EventView]:
    async with asyncio.timeout(20):
        answer = await http.get("/v1/events", params=query)
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [EventView.model_validate_json(line) for line in answer.text.splitlines()]


async def test_events_tell_the_way_of_each_flow(
    http: httpx.AsyncClient, controller: ModelController
) -> None:
    assert await events(http) == []
    await move(http, kind="move-elephant", rho=0.4)
    followed = asyncio.create_task(events(http, move="m1", follow="true"))
    await controller.engine.move("m1").moved.wait()
    controller.model.nf1.ended.update(controller.model.nf1.flows)
    told = await followed
    assert [each.number for each in told] == list(range(len(told)))
    assert [each.state for each in told if each.state] == ["moving", "draining", "done"]
    assert [each.left for each in told if each.left is not None][-1] == 0
    phases: dict[str, list[str]] = {}
    for each in told:
        if each.flow is not None:
            phases.setdefault(each.flow, []).append(each.phase or "")
    ways = [
        ["holding", "exporting", "importing", "steering", "deleting", "settling", "moved"],
        ["holding", "exporting", "steering", "settling", "moved"],  # it had no state
    ]
    assert len(phases) == 5
    assert all(way in ways for way in phases.values()), phases
    assert [each.number for each in await events(http, since=3)] == list(range(3, len(told)))
    assert await events(http, move="m1", follow="true") == told


async def test_who_follows_a_move_from_beyond_now_comes_to_its_end(
    http: httpx.AsyncClient, controller: ModelController
) -> None:
    await move(http, kind="move-elephant", rho=0.4)
    await controller.engine.move("m1").moved.wait()
    beyond = asyncio.create_task(events(http, move="m1", follow="true", since=10**9))
    await asyncio.sleep(0.1)
    controller.model.nf1.ended.update(controller.model.nf1.flows)
    assert [each.state for each in await beyond][-1] == "done"


async def test_who_follows_a_move_comes_to_its_end_though_that_is_forgotten() -> None:
    log = EventLog(kept=4)
    log.state("m1", "done")
    for left in range(8):
        log.left("m2", left)
    log.left("m1", 0)
    over = SimpleNamespace(state=MoveState.DONE)
    engine = SimpleNamespace(events=log, move={"m1": over}.__getitem__)
    lines = _lines(SimpleNamespace(engine=engine), 0, "m1", follow=True)  # pyright: ignore[reportArgumentType]
    async with asyncio.timeout(20):
        told = [EventView.model_validate_json(line) async for line in lines if line]
    assert [(each.left, each.missed) for each in told] == [(0, 6)]


async def test_events_of_a_move_that_is_not_known(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/events", params={"move": "m9"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no move 'm9'")
