"""T6: $filter, $expand and the rest are read as the standard wants them, bounded, and what is wrong is named."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.sensorthings import ids, moments, options, patches, paths
from haitang.monitoring.sensorthings.errors import StaError
from haitang.monitoring.sensorthings.grammar import parse_filter
from haitang.monitoring.sensorthings.predicate import FUNCTIONS, Many, compile_tree, truth
from haitang.monitoring.sensorthings.schema import KINDS

ENTITY = {
    "name": "South Gate 2", "result": 21.5, "count": 7, "flag": True, "nothing": None,
    "phenomenonTime": moments.span("2024-09-15T08:30:15.250+08:00"), "many": Many([1, 5, 9]),
    "location": {"type": "Point", "coordinates": [121.4, 31.6]}, "text": "12",
    "span": moments.span("2024-09-15T00:00:00Z/2024-09-15T01:00:00Z"),
}  # fmt: skip


def holds(text, now_ms=0):
    return truth(
        compile_tree(parse_filter(text, FUNCTIONS), lambda entity, parts: entity.get(parts[0]), now_ms)(ENTITY)
    )


@pytest.mark.parametrize(
    "text",
    [
        "result eq 21.5", "result gt '3'", "text lt 13", "name eq 'South Gate 2'", "not (result lt 20)", "result ne 3",
        "result gt 20 and result lt 22 or false", "true or false and false", "(true or false) and true",
        "result add 1 eq 22.5", "result sub 1.5 mul 2 eq 18.5", "count div 2 eq 3.5", "count mod 4 eq 3", "-count eq -7",
        "result mul 2 gt 42.9 and -1 lt 0", "nothing eq null", "name ne null", "flag eq true", "flag",
        "substringof('Gate', name)", "contains(name,'Gate')", "startswith(name,'South')", "endswith(name,'2')",
        "length(name) eq 12", "indexof(name,'Gate') eq 6", "substring(name,6) eq 'Gate 2'", "substring(name,6,4) eq 'Gate'",
        "tolower(name) eq 'south gate 2'", "toupper('a') eq 'A'", "trim(' a ') eq 'a'", "concat(name,'!') eq 'South Gate 2!'",
        "name eq concat('South ', 'Gate 2')", "'it''s' eq 'it''s'",
        "year(phenomenonTime) eq 2024", "month(phenomenonTime) eq 9", "day(phenomenonTime) eq 15", "hour(phenomenonTime) eq 0",
        "minute(phenomenonTime) eq 30", "second(phenomenonTime) eq 15", "fractionalseconds(phenomenonTime) eq 0.25",
        "date(phenomenonTime) eq '2024-09-15'", "time(phenomenonTime) eq '00:30:15.250'", "totaloffsetminutes(phenomenonTime) eq 0",
        "phenomenonTime gt 2024-09-15T00:00:00Z", "phenomenonTime lt 2024-09-15T08:31:00+08:00", "phenomenonTime lt now()",
        "phenomenonTime lt 2024-09-15T08:31:00 08:00", "phenomenonTime gt mindatetime()", "phenomenonTime lt maxdatetime()",
        "phenomenonTime eq '2024-09-15T00:30:15.250Z'", "phenomenonTime add duration'PT1H' gt 2024-09-15T01:30:00Z",
        "phenomenonTime sub duration'P1D' lt 2024-09-14T00:31:00Z", "span lt 2024-09-15T02:00:00Z",
        "span eq 2024-09-15T00:00:00Z/2024-09-15T01:00:00Z", "round(result) eq 22", "floor(result) eq 21", "ceiling(result) eq 22",
        "many eq 5", "many gt 8", "geo.distance(location, geography'POINT(121.4 31.5)') lt 0.11",
        "geo.intersects(location, geography'POLYGON((121 31,122 31,122 32,121 32,121 31))')",
        "st_within(location, geography'POLYGON((121 31,122 31,122 32,121 32,121 31))')",
        "st_disjoint(location, geography'SRID=4326;POINT(1 1)')", "st_equals(location, geography'POINT(121.4 31.6)')",
        "geo.length(geography'LINESTRING(0 0,0 2)') eq 2", "st_relate(location, geography'POINT(121.4 31.6)', 'T********')",
    ],
)  # fmt: skip
def test_what_holds(text):
    assert holds(text, now_ms=2_000_000_000_000)
    assert not holds(f"not ({text})", now_ms=2_000_000_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "result eq 3", "nothing gt 1", "nothing eq 1", "name gt null", "name", "many gt 9", "flag eq 1 and false", "result div 0 gt 1",
        "length(result) eq 2", "year(name) eq 2024", "name eq true",
    ],
)  # fmt: skip
def test_what_does_not_hold(text):
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("result gt", "ends where a value was expected"), ("result gt 3 3", "expected the end"), ("(result gt 3", "ends where ) was expected"),
        ("nofunction(result)", "no function 'nofunction'"), ("length()", "length takes 1"), ("result eq 'a", "cannot read"),
        ("result # 3", "cannot read"), ("now(1) gt 2", "takes nothing"), ("result eq geography'POINT(x)'", "no geometry"),
        ("result eq duration'1h'", "no duration"), ("phenomenonTime gt 2024-13-45", "2024-13-45"), ("result add name gt 2", "cannot reckon"),
        ("(" * 60 + "true" + ")" * 60, "nested deeper"), ("not " * 60 + "true", "nested deeper"), ("true and " * 300 + "true", "more than 400 words"),
        ("a" * 5000, "at most 4000"), ("many add 1 eq 2", "collection"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text, said):
    with pytest.raises(StaError) as caught:
        holds(text)
    assert said in caught.value.message and caught.value.part == "$filter" and caught.value.status == 400


@given(st.text(max_size=60) | st.text("()'/ ,eqandornot$=;12.5-", max_size=60))
def test_no_text_breaks_the_readers(text):
    """P1: whatever is sent is read or refused with a reason."""
    with contextlib.suppress(StaError):
        holds(text)
    with contextlib.suppress(StaError):
        paths.parse(text)
    for name in options.KNOWN:
        with contextlib.suppress(StaError):
            options.parse([(name, text)], KINDS["Observation"])
            options.parse([("$expand", f"Datastreams({name}={text})")], KINDS["Thing"])


def asked(kind="Thing", **given):
    return options.parse([(f"${name}", value) for name, value in given.items()], KINDS[kind])


def test_nested_expand():
    found = asked(
        expand="Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc;$filter=result gt 'a;(b');$select=name),Locations"
    )
    streams, places = found.expand
    (inner,) = streams.options.expand
    assert (streams.relation, places.relation, inner.relation) == ("Datastreams", "Locations", "Observations")
    assert (inner.options.top, inner.options.orderby[0][1], streams.options.select) == (1, True, ("name",))
    both = asked(expand="Datastreams/Sensor,Datastreams/ObservedProperty($select=name)")
    assert [each.relation for each in both.expand[0].options.expand] == ["Sensor", "ObservedProperty"]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"expand": "Nothing"}, "$expand"), ({"expand": "Datastreams($top=1"}, "$expand"), ({"expand": "Datastreams)"}, "$expand"),
        ({"expand": "Datastreams(top=1)"}, "$expand"), ({"expand": "Datastreams(Thing)"}, "$expand"),
        ({"expand": "/".join(["Datastreams/Thing"] * 4)}, "$expand"), ({"expand": "Locations," * 50 + "Locations"}, "$expand"),
        ({"top": "-1"}, "$top"), ({"top": "x"}, "$top"), ({"skip": "99999999999"}, "$skip"), ({"count": "1"}, "$count"),
        ({"select": "nothing"}, "$select"), ({"select": ","}, "$select"), ({"orderby": "nothing"}, "$orderby"),
        ({"filter": "nothing eq 1"}, "$filter"), ({"filter": "Datastreams/nothing eq 1"}, "$filter"), ({"resultFormat": "csv"}, "$resultFormat"),
        ({"filter": "Datastreams/Observations/result gt 1"}, "$filter"), ({"apply": "x"}, "$apply"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named(given, part):
    with pytest.raises(StaError) as caught:
        asked(**given)
    assert caught.value.part == part


def test_top_is_bounded_and_unknown_parameters_without_a_dollar_are_passed_over():
    assert asked(top="1000000").size == options.MOST_TOP
    assert options.parse([("utm", "x")], KINDS["Thing"]) == options.Options()
    with pytest.raises(StaError, match="twice"):
        options.parse([("$top", "1"), ("$top", "2")], KINDS["Thing"])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Nothings", 404), ("Things(1)/Nothing", 404), ("Things/Datastreams", 404), ("Things('a')", 404), ("Things(1)/name/x/$value/y", None),
        ("Datastreams(1)/Thing(2)", 400), ("Things(99999999999999999999)", 404), ("Things(1)" + "/Datastreams(1)/Thing" * 9, 400), ("/", 400),
    ],
)  # fmt: skip
def test_a_wrong_path_is_named(text, status):
    if status is None:
        assert paths.parse(text).prop == ("name", "x", "$value", "y")
        return
    with pytest.raises(StaError) as caught:
        paths.parse(text)
    assert caught.value.status == status


@given(st.integers(1, ids.MOST_SERIES), st.integers(ids.EPOCH_MS, ids.EPOCH_MS + 2**42 - 1))
def test_the_number_of_an_observation_is_reversible_and_fits(series, time_ms):
    number = ids.observation(series, time_ms)
    assert ids.reading(number) == (series, time_ms) and 0 < number < 2**63


@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(ids.EPOCH_MS, ids.EPOCH_MS + 10**9)), min_size=2, unique=True)
)
def test_numbers_are_in_order_of_series_and_time(pairs):
    assert [ids.reading(n) for n in sorted(ids.observation(*pair) for pair in pairs)] == sorted(pairs)


def test_no_two_quantities_share_a_number():
    assert len({ids.quantity(code) for code in QUANTITIES}) == len(QUANTITIES)


@given(st.integers(0, 2**41))
def test_times_are_written_and_read_back(time_ms):
    assert moments.instant_ms(moments.iso(time_ms)) == time_ms


def test_a_json_patch():
    before = {"name": "a", "properties": {"x": 1, "list": [1, 2, 3], "a/b": 0}}
    operations = [
        {"op": "test", "path": "/name", "value": "a"}, {"op": "replace", "path": "/name", "value": "b"},
        {"op": "add", "path": "/properties/y", "value": {"z": 2}}, {"op": "remove", "path": "/properties/x"},
        {"op": "add", "path": "/properties/list/1", "value": 9}, {"op": "move", "from": "/properties/y/z", "path": "/properties/z"},
        {"op": "copy", "from": "/name", "path": "/properties/list/-"}, {"op": "replace", "path": "/properties/a~1b", "value": 1},
    ]  # fmt: skip
    after = patches.apply(before, operations)
    assert after == {"name": "b", "properties": {"list": [1, 9, 2, 3, "b"], "y": {}, "z": 2, "a/b": 1}}
    assert before["name"] == "a"
    for wrong in ({"op": "test", "path": "/name", "value": "x"}, {"op": "remove", "path": "/x"}, {"op": "add", "path": "name", "value": 1}, {"op": "spin", "path": "/a"}, {"op": "add", "path": "/a"}, "x"):  # fmt: skip
        with pytest.raises(StaError):
            patches.apply(before, [wrong])
