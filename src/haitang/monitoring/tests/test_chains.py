"""3.4.2: disaster chains - what may follow, with what probability and when - agree with worked examples; bad data is named."""

from __future__ import annotations

import itertools
import math

import pytest

from haitang.monitoring import chains
from haitang.monitoring.chains import ChainError, Seen

SURE = {"lag_h": [1, 1]}


def graph(edges, nodes="abcde", **fields):
    """A chain of nodes a to e. Edges: (from, to, probability, further fields)."""
    return chains.parse(
        {
            "code": "t",
            "name_zh": "试",
            "node": [{"id": name, "name_zh": name, **fields.get(name, {})} for name in nodes],
            "edge": [{"from": a, "to": b, "probability": p, **SURE, **more} for a, b, p, more in edges],
        }
    )


def within(found, node, hours=6.0):
    return next((each.within[hours] for each in found if each.node == node), 0.0)


def exact(given, start, node):
    """The probability of ever reaching a node, by listing every combination of edges that fire."""
    total = 0.0
    for fires in itertools.product((False, True), repeat=len(given.edges)):
        chance, there = 1.0, {start}
        for edge, fire in zip(given.edges, fires, strict=True):
            chance *= edge.probability if fire else 1 - edge.probability
        for _ in given.nodes:
            for edge, fire in zip(given.edges, fires, strict=True):
                if fire and {edge.source, *edge.needs} <= there:
                    there.add(edge.target)
        total += chance * (node in there)
    return total


def test_several_causes_combine_as_noisy_or():
    given = graph([("a", "b", 0.6, {}), ("a", "c", 0.5, {}), ("b", "d", 0.7, {}), ("c", "d", 0.4, {})])
    found = chains.ahead(given, {"a": Seen(0)}, worlds=40_000)
    # By hand: 1 - (1 - 0.6 * 0.7) (1 - 0.5 * 0.4) = 1 - 0.58 * 0.8 = 0.536
    assert within(found, "d") == pytest.approx(0.536, abs=0.01)
    assert within(found, "d") == pytest.approx(exact(given, "a", "d"), abs=0.01)


def test_causes_that_share_a_cause_stay_dependent_and_needs_are_met_together():
    edges = [("a", "b", 0.5, {}), ("b", "c", 0.8, {}), ("b", "d", 0.8, {}), ("c", "e", 0.9, {"needs": ["d"]})]
    given = graph(edges)
    # By hand: 0.5 * 0.8 * 0.8 * 0.9 = 0.288; the product of the separate chances would be 0.4 * 0.4 * 0.9 = 0.144.
    assert within(chains.ahead(given, {"a": Seen(0)}, worlds=40_000), "e") == pytest.approx(0.288, abs=0.01)
    assert exact(given, "a", "e") == pytest.approx(0.288)


def test_a_loop_comes_to_rest_at_its_exact_value():
    edges = [("a", "b", 0.5, {}), ("b", "c", 0.5, {}), ("c", "b", 0.9, {}), ("c", "d", 1.0, {})]
    given = graph(edges, "abcd")
    found = chains.ahead(given, {"a": Seen(0)}, worlds=40_000)
    assert within(found, "b") == pytest.approx(0.5, abs=0.01)
    assert within(found, "d") == pytest.approx(exact(given, "a", "d"), abs=0.01)


def test_lags_add_up_and_a_horizon_ends():
    given = graph([("a", "b", 1.0, {"lag_h": [2, 2]}), ("b", "c", 1.0, {"lag_h": [3, 3]})], "abc")
    found = {each.node: each for each in chains.ahead(given, {"a": Seen(0)})}
    assert (found["b"].within[1.0], found["b"].within[3.0]) == (0.0, 1.0)
    assert (found["c"].within[3.0], found["c"].within[6.0]) == (0.0, 1.0)
    assert found["c"].middle_h == pytest.approx(5.0, abs=0.01)
    assert found["c"].path == ("a", "b", "c") and found["c"].edges == ("a>b", "b>c")


def test_a_lags_tenth_and_ninetieth_percentile_come_back():
    found = chains.ahead(graph([("a", "b", 1.0, {"lag_h": [1, 6]})], "ab"), {"a": Seen(0)}, worlds=40_000)[0]
    assert (found.low_h, found.high_h) == (pytest.approx(1, rel=0.05), pytest.approx(6, rel=0.05))
    assert found.middle_h == pytest.approx(math.sqrt(6), rel=0.05)


def test_what_failed_to_appear_fades_where_it_would_have_been_seen():
    given = graph([("a", "b", 0.5, {"lag_h": [1, 3]})], "ab")
    early = within(chains.ahead(given, {"a": Seen(0)}, watched=["b"]), "b")
    # Half the lags are over after sqrt(3) hours: p (1 - F) / (1 - p F) = 0.5 * 0.5 / 0.75 = 1/3.
    late = within(chains.ahead(given, {"a": Seen(math.sqrt(3))}, watched=["b"], worlds=40_000), "b", 6.0)
    assert early == pytest.approx(0.5, abs=0.02) and late == pytest.approx(1 / 3, abs=0.015)
    assert within(chains.ahead(given, {"a": Seen(48)}, watched=["b"]), "b") == 0.0
    assert within(chains.ahead(given, {"a": Seen(48)}), "b") == pytest.approx(0.5, abs=0.02)


def test_an_observation_replaces_what_its_causes_said():
    given = graph([("a", "b", 0.1, {}), ("b", "c", 0.8, {})], "abc")
    assert within(chains.ahead(given, {"a": Seen(0)}), "c") == pytest.approx(0.08, abs=0.02)
    found = chains.ahead(given, {"a": Seen(2), "b": Seen(0)})
    assert within(found, "c") == pytest.approx(0.8, abs=0.02) and "b" not in {each.node for each in found}


def test_a_state_that_holds_by_itself_opens_the_way_but_begins_nothing():
    given = graph([("a", "c", 1.0, {"needs": ["b"]})], "abc", b={"prior": 0.3})
    assert within(chains.ahead(given, {"a": Seen(0)}), "c") == pytest.approx(0.3, abs=0.02)
    assert chains.ahead(given, {}) == []


def test_a_milder_source_is_weaker_by_the_attenuation_of_each_colour():
    given = graph([("a", "b", 0.8, {"attenuation": 0.5})], "ab")
    for level, expected in ((4, 0.8), (3, 0.4), (1, 0.1)):
        assert within(chains.ahead(given, {"a": Seen(0, level)}), "b") == pytest.approx(expected, abs=0.02)


def test_alarms_show_nodes_at_their_colour_and_the_same_evidence_gives_the_same_answer():
    given = graph([("a", "b", 0.8, {})], "ab", a={"signs": [{"quantity": "rain", "colour": "yellow"}]})
    assert chains.observed(given, [("rain", 1, 5.0), ("wind_gust", 4, 1.0)]) == {}
    assert chains.observed(given, [("rain", 2, 0.5), ("rain", 3, 2.0)]) == {"a": Seen(2.0, 3)}
    assert chains.ahead(given, {"a": Seen(2.0, 3)}) == chains.ahead(given, {"a": Seen(2.0, 3)})


def test_what_became_of_expectations_moves_the_experts_figure():
    assert chains.learned(0.6, 0, 0) == 0.6
    assert chains.learned(0.6, 4, 1) == pytest.approx(10 / 15)
    assert chains.learned(0.6, 0, 30) == pytest.approx(0.15)


def test_the_drawing_puts_causes_before_what_follows_even_in_a_loop():
    drawn = {
        each.node: each
        for each in chains.laid_out(graph([("a", "b", 1, {}), ("b", "c", 1, {}), ("c", "b", 1, {}), ("d", "c", 1, {})]))
    }
    assert (drawn["a"].column, drawn["b"].column, drawn["c"].column, drawn["d"].column) == (0, 1, 2, 1)
    assert len({(each.column, each.row) for each in drawn.values()}) == 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"edge": [{"from": "a", "to": "x", "probability": 1, **SURE}]}, "'x' is no node"),
        (
            {"edge": [{"from": "a", "to": "b", "probability": 1.5, **SURE}]},
            "probability 1.5 must be a number from 0 to 1",
        ),
        ({"edge": [{"from": "a", "to": "b", "probability": 1, "lag_h": [5, 1]}]}, "must be two hours in order"),
        ({"edge": [{"from": "a", "to": "a", "probability": 1, **SURE}]}, "cannot bring itself about"),
        ({"edge": [{"from": "a", "to": "b", "probability": 1, "confidence": "cited", **SURE}]}, "names its source"),
        ({"node": [{"id": "a", "name_zh": "a", "colour": "pink"}]}, "'pink' is none of"),
        ({"node": [{"id": "a", "name_zh": "a"}] * 2}, "stands twice"),
        ({"node": [{"id": "a", "name_zh": "a", "sings": []}]}, "no field 'sings' is known"),
    ],
)
def test_a_chain_that_contradicts_itself_is_refused_with_its_place(change, told):
    good = {"code": "t", "name_zh": "试", "node": [{"id": name, "name_zh": name} for name in "ab"], "edge": []}
    with pytest.raises(ChainError, match=told):
        chains.parse({**good, **change})
