"""P4: a rule as text says the same as on the screen; what cannot be taken is named: key, value, rule, remedy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import rule_text
from haitang.monitoring.rule_text import RuleTextError, dump, mask, parse

PLAIN = '[[rule]]\ncode = "A"\nseries = "S"\n'


def test_a_rule_is_read_into_plain_fields():
    (rule,) = parse(
        PLAIN
        + 'compare = "trend"\nwindow = "1 h"\noutlook = "2 h"\ndanger = "below"\nblue = 5\nhold = "10 min"\nmonths = "6-9"'
    )
    assert (rule["aggregate"], rule["window_s"], rule["lead_s"], rule["direction"]) == ("trend", 3600, 7200, "falling")
    assert (rule["blue"], rule["hold_s"], rule["months"], rule["latch"]) == (5.0, 600, "6-9", False)


def test_a_condition_is_for_all_colours_or_for_single_ones():
    (both,) = parse(
        PLAIN + '[rule.when]\nspan = "6 h"\nany = [{rule = "B"}, {quantity = "rain", k = 2, within = "5km"}]'
    )
    assert both["condition"] == {
        "span_s": 21_600,
        "node": {"any": [{"rule": "B"}, {"quantity": "rain", "k": 2, "within": "5 km"}]},
    }
    (red,) = parse(PLAIN + '[rule.when]\nred = {k = 2, of = [{rule = "B"}, {not = {rule = "C", at = "red"}}]}')
    assert set(red["condition"]["colours"]) == {"red"}


codes = st.sampled_from(["A", "T-NM.level", "b_2", "W.x"])
colours = st.sampled_from(rule_text.COLOURS)
leaves = st.one_of(
    st.fixed_dictionaries({"rule": codes}, optional={"at": colours}),
    st.fixed_dictionaries(
        {"quantity": codes, "k": st.integers(1, 9)},
        optional={"within": st.sampled_from(["district", "township", "2.5 km"]), "kind": codes, "at": colours},
    ),
)
nodes = st.recursive(
    leaves,
    lambda below: st.one_of(
        st.builds(lambda each: {"not": each}, below),
        st.builds(lambda each: {"all": each}, st.lists(below, min_size=1, max_size=3)),
        st.builds(lambda each: {"any": each}, st.lists(below, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)
texts = st.text('a"\\南，#\x7f\t\n😀]=', max_size=8).map(str.strip)
numbers = st.floats(-1e6, 1e6)
spans = st.integers(0, 300_000)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    fields = {field: default for field, _read, default in rule_text._FIELDS.values()}
    fields |= {"code": draw(codes), "series": draw(codes), "name_zh": draw(texts), "source": draw(texts)}
    fields |= {name: draw(spans) for name in ("window_s", "hold_s", "clear_s", "lower_s", "silence_s", "lead_s")}
    fields |= {colour: draw(st.none() | numbers) for colour in rule_text.COLOURS}
    fields |= {"latch": draw(st.booleans()), "direction": draw(st.sampled_from(["rising", "falling"]))}
    fields["condition"] = draw(
        st.none() | st.builds(lambda span, node: {"span_s": span, "colours": {"red": node}}, spans, nodes)
    )
    fields["tests"] = draw(
        st.just([])
        | st.just([{"name": "x", "readings": {"S.a": [["0:10", 4.5], [3, 1]]}, "expect": [["0:10", "blue"]]}])
    )
    return fields


@settings(max_examples=80)
@given(st.lists(rules(), max_size=2))
def test_what_is_written_is_read_back(given):
    assert parse(dump(given)) == given


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("[[rule]\n", "TOML", "Mend the text"),
        ("[other]\n", "other", r"\[\[rule\]\]"),
        ('[[rule]]\ncode = "A"\nblue = 1', "series", "Write series"),
        (PLAIN + "bleu = 4", "bleu", "Known: code"),
        (PLAIN + 'blue = "4"', "blue", "without a unit"),
        (PLAIN + "blue = nan", "blue", "digits"),
        (PLAIN + 'hold = "10 minutes"', "hold", "10 min"),
        (PLAIN + 'compare = "median"', "compare", "Use one of last"),
        (PLAIN + 'latch = "yes"', "latch", "true or false"),
        (PLAIN + 'months = "0-4"', "months", "6-9"),
        (PLAIN + 'hours = "8-25"', "hours", "22-6"),
        (PLAIN + 'code = "A"', "TOML", "Mend"),
        (PLAIN + "[rule.when]\n", "when", "all ="),
        (PLAIN + '[rule.when]\nall = []', "when.all", "at least one"),
        (PLAIN + '[rule.when]\nall = [{rule = "B", k = 2}]', "when.all", "Use {rule"),
        (PLAIN + '[rule.when]\nk = 3\nof = [{rule = "B"}]', "when.k", "how many"),
        (PLAIN + '[rule.when]\nany = [{quantity = "rain", within = "far"}]', "when.any.within", "township"),
        (PLAIN + "[[rule.test]]\nreadings = [[1]]\nexpect = []", "test 1.readings ", "0:10"),
        (PLAIN + '[[rule.test]]\nreadings = [[1, 2]]\nexpect = [[1, "pink"]]', "test 1.expect", "Use one of blue"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named_with_its_remedy(text, key, remedy):
    with pytest.raises(RuleTextError, match=remedy) as error:
        parse(text)
    assert error.value.key == key and error.value.rule and error.value.remedy


def test_conditions_do_not_nest_without_end():
    text = PLAIN + "[rule.when]\nred = " + "{not = " * 9 + '{rule = "B"}' + "}" * 9
    with pytest.raises(RuleTextError, match="too many conditions"):
        parse(text)


def test_months_and_hours_may_wrap():
    assert mask("months", "11-2") == 0b1100_0000_0011
    assert mask("hours", "22-6") == sum(1 << hour for hour in (22, 23, 0, 1, 2, 3, 4, 5))
    assert mask("hours", "0-24") == (1 << 24) - 1
    assert mask("months", "") == (1 << 12) - 1
    assert mask("months", "1,7") == 0b1000001
