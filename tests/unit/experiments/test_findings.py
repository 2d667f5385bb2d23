"""The findings name exactly what was planted in a trial."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

import pytest
from planted_trial import (
    ANSWERED,
    flow,
    join,
    knowledge,
    make_trial,
    packets,
    report,
)

from experiments import findings, mice
from experiments.findings import find, parse_flow
from experiments.trial import Trial
from nf.southbound.flow import FiveTuple


@pytest.mark.parametrize("strategy", ["none", "move-elephant"])
def test_a_clean_trial_is_clean(strategy: str) -> None:
    found = find(make_trial(strategy))
    assert found.clean
    assert found.packets.sent == 2 * 4 * 100
    assert found.packets.delay_ms_max == pytest.approx(1.0, abs=0.001)
    assert (found.traffic.flows, found.traffic.done) == (4, 4)
    assert (found.active_flows, found.open_connections, found.known_flows) == (3, 3, 3)


def test_what_a_clean_move_leaves_where() -> None:
    where = find(make_trial()).whereabouts
    assert (where.moved, where.moved_at_destination_only) == (1, 1)
    assert (where.left, where.left_at_source_only, where.left_gone) == (2, 2, 0)


def lose_a_packet(trial: Trial) -> Trial:
    out = packets(trial.load.flows, to_server=True)
    return with_out(trial, "server", type(out)(out.time_ns[1:], out.length[1:], out.head[1:]))


def double_a_packet(trial: Trial) -> Trial:
    out = trial.out_of_switch["server"]
    first = type(out)(out.time_ns[:1], out.length[:1], out.head[:1])
    return with_out(trial, "server", join(out, first))


def make_up_packets(trial: Trial) -> Trial:
    extra = packets([flow(9, took_s=0.01)], to_server=True)
    return with_out(trial, "server", join(trial.out_of_switch["server"], extra))


def miss_packets(trial: Trial) -> Trial:
    return replace(trial, overflow=3)


def send_a_mouse_to_both(trial: Trial) -> Trial:
    extra = packets([flow(2)], to_server=True)
    return with_out(trial, "nf2", join(trial.out_of_switch["nf2"], extra))


def know_a_moved_flow_on_both(trial: Trial) -> Trial:
    return replace(trial, after=knowledge(ANSWERED, [flow(1), flow(2), flow(3)], [flow(1)]))


def forget_a_moved_flow(trial: Trial) -> Trial:
    return replace(trial, after=knowledge(ANSWERED, [flow(2), flow(3)], []))


def forget_a_mouse(trial: Trial) -> Trial:
    return replace(trial, after=knowledge(ANSWERED, [flow(2)], [flow(1)]))


def move_a_mouse(trial: Trial) -> Trial:
    return replace(trial, after=knowledge(ANSWERED, [flow(2)], [flow(1), flow(3)]))


def corrupt_a_payload(trial: Trial) -> Trial:
    trial.load.flows[1].outcome = "corrupt"
    return trial


def break_a_connection(trial: Trial) -> Trial:
    trial.load.flows[1].outcome = "reset"
    return trial


def lose_a_datagram(trial: Trial) -> Trial:
    trial.load.witnesses[0].lost = 1
    return trial


def with_out(trial: Trial, name: str, captured: object) -> Trial:
    return replace(trial, out_of_switch=trial.out_of_switch | {name: captured})


@pytest.mark.parametrize(
    ("plant", "count", "expected"),
    [
        (lose_a_packet, "packets.lost", 1),
        (double_a_packet, "packets.duplicated", 1),
        (make_up_packets, "packets.foreign", 1),
        (miss_packets, "packets.capture_overflow", 3),
        (send_a_mouse_to_both, "whereabouts.split", 1),
        (know_a_moved_flow_on_both, "whereabouts.on_both", 1),
        (forget_a_moved_flow, "whereabouts.nowhere", 1),
        (forget_a_mouse, "whereabouts.nowhere", 1),
        (move_a_mouse, "whereabouts.left_at_source_only", 1),
        (corrupt_a_payload, "traffic.payload_errors", 1),
        (break_a_connection, "traffic.resets", 1),
        (lose_a_datagram, "traffic.witness_lost", 1),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[Trial], Trial], count: str, expected: int
) -> None:
    found = find(plant(make_trial()))
    assert operator.attrgetter(count)(found) == expected
    assert not found.clean


def test_where_packets_were_lost_is_found() -> None:
    assert find(lose_a_packet(make_trial())).faults == {"packets lost at or behind an instance": 1}
    trial = lose_a_packet(make_trial())
    for name in ("nf1", "nf2"):
        trial = with_out(trial, name, packets([], to_server=True))
    assert find(trial).faults == {"packets lost before an instance": 1}


def test_a_flow_that_was_over_and_has_expired_is_no_fault() -> None:
    trial = make_trial()
    over = flow(7, start_s=1.0, took_s=0.1)
    before = knowledge(trial.before.at, [flow(1), flow(2), flow(3), over], [])
    trial.load.flows.append(over)
    found = find(replace(trial, before=before))
    assert found.clean
    assert found.whereabouts.left_gone == 1


def test_a_flow_that_was_not_over_and_is_gone_is_a_fault() -> None:
    trial = make_trial()
    witness = flow(9, start_s=1.0, took_s=60)
    before = knowledge(trial.before.at, [flow(1), flow(2), flow(3), witness], [])
    assert find(replace(trial, before=before)).faults == {"flows left misplaced": 1}


def test_a_moved_flow_that_is_over_may_have_expired() -> None:
    trial = make_trial()
    trial.load.flows[0].finished = ANSWERED - 0.1
    found = find(replace(trial, after=knowledge(ANSWERED, [flow(2), flow(3)], [])))
    assert found.clean
    assert found.whereabouts.moved_gone == 1


def test_a_new_flow_may_be_bounced() -> None:
    trial = make_trial()
    new = packets([flow(8, took_s=0.1)], to_server=True)
    seen = {name: join(trial.out_of_switch[name], new) for name in ("nf1", "nf2")}
    assert find(replace(trial, out_of_switch=trial.out_of_switch | seen)).whereabouts.split == 0


def test_a_chosen_flow_that_was_rolled_back_may_have_been_to_both() -> None:
    trial = make_trial()
    assert trial.move is not None
    timeline = [dict(each, outcome="rolled back") for each in trial.move["timeline"]]
    rolled_back = replace(
        trial,
        move=report([], timeline=timeline),
        after=knowledge(ANSWERED, [flow(1), flow(2), flow(3)], []),
    )
    assert find(rolled_back).clean


@pytest.mark.parametrize(
    "given",
    [
        FiveTuple.of(0x0A00010A, 0x0A00020A, 40000, 80, 6),
        FiveTuple.of(0x0A00020A, 0x0A00010A, 7, 50000, 17),
        FiveTuple.of(1, 2, 3, 3, 1),
        FiveTuple.of(1, 2, 0, 0, 47),
    ],
)
def test_a_flow_is_read_as_it_is_written(given: FiveTuple) -> None:
    assert parse_flow(str(given)) == given


def test_what_is_no_flow_is_refused() -> None:
    with pytest.raises(ValueError, match="is no flow"):
        parse_flow("tcp nonsense")


def test_mice_are_compared_flow_by_flow() -> None:
    trials = [make_trial("none"), make_trial("move")]
    # In the second trial one mouse is slower, and one does not complete.
    trials[1].load.flows[1].finished += 0.5
    trials[1].load.flows[2].outcome = "reset"
    met = mice.mice_met(trials, elephant_bytes=150_000)
    assert met == {2}
    assert mice.mice_times(trials[0].load, met).p99 == pytest.approx(2000, abs=1)
    assert mice.mice_times(trials[1].load, met).p99 == pytest.approx(2500, abs=1)
    assert mice.all_mice(trials[0].load, 150_000) == {2, 3, 4}


def test_no_mice_have_no_times() -> None:
    assert mice.mice_times(make_trial().load, set()).flows == 0


def test_keys_of_flows_are_those_of_their_packets() -> None:
    captured = packets([flow(2, took_s=0.01)], to_server=False)
    keys = findings.keys_of([findings.five_tuple(flow(2))])
    assert list(findings.flow_keys(captured)) == list(keys)
