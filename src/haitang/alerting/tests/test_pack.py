"""A district brings its own kinds, words and policy; what is wrong in them is named by file, entry and field."""

from __future__ import annotations

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.alerting import pack as sections
from haitang.alerting.models import EventKind, Policy, WarningTemplate
from haitang.alerting.tests import factories as make
from haitang.journal.models import Entry
from haitang.packs import Pack, PackError

WARNING = """
[policy]
sender = "99000060000000"
sender_name_zh = "示范区应急管理局"
source = "示范"
[policy.answer_minutes]
red = 10
orange = 15
yellow = 30
blue = 60
[[policy.ladder]]
after_s = 0
from = "issued"
to = "responsible"
channels = ["inapp", "sms"]
[[kind]]
code = "11B01"
hazard = "typhoon"
name_zh = "台风"
name_en = "typhoon"
categories = ["Met"]
quantities = ["wind_gust"]
departments = ["WATER"]
"""
TEMPLATES = """
[defaults]
headline_zh = "{sender}发布{kind}{colour}预警"
instruction_zh = "请注意防范。"
[[template]]
kind = "11B01"
colour = "red"
description_zh = "{area}有大风。"
"""


@pytest.fixture
def load(db, tmp_path):
    root = make.place("990000", "示范区")
    make.body("WATER", "水务局", root, "department")

    def take(warning: str = WARNING, templates: str = TEMPLATES) -> list[int]:
        (tmp_path / "pack.toml").write_text('name = "test"')
        (tmp_path / "warning.toml").write_text(warning)
        (tmp_path / "templates.toml").write_text(templates)
        pack = Pack(tmp_path)
        return [section(pack, SYSTEM) for section in (sections.kinds, sections.policy, sections.templates)]

    return take


def take_in(load, *args: str) -> list[int]:
    from django.db import transaction

    with transaction.atomic():
        return load(*args)


def test_a_pack_is_taken_in_and_again_changes_nothing(load):
    assert take_in(load) == [1, 1, 1]
    kind = EventKind.objects.get()
    assert (kind.hazard, kind.categories, [body.code for body in kind.departments.all()]) == (
        "typhoon",
        ["Met"],
        ["WATER"],
    )
    assert Policy.objects.get().answer_minutes == {"red": 10, "orange": 15, "yellow": 30, "blue": 60}
    template = WarningTemplate.objects.get()
    assert (template.headline_zh, template.instruction_zh, template.valid_hours) == (
        "{sender}发布{kind}{colour}预警",
        "请注意防范。",
        12,
    )
    entries = Entry.objects.count()
    assert take_in(load) == [1, 1, 1]
    assert Entry.objects.count() == entries == 3


def test_a_change_is_journaled_alone(load):
    take_in(load)
    take_in(load, WARNING.replace("red = 10", "red = 5"))
    entry = Entry.objects.order_by("-seq").first()
    assert (entry.verb, list(entry.after)) == ("alerting.set_policy", ["answer_minutes"])
    assert (entry.before["answer_minutes"]["red"], entry.after["answer_minutes"]["red"]) == (10, 5)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('sender = "99000060000000"', 'sender = "99"', "warning.toml, policy, sender ('99')"),
        ("red = 10", "red = -1", "policy, answer_minutes.red (-1)"),
        ("red = 10", "", "answer_minutes.red"),
        ('to = "responsible"', 'to = "everybody"', "ladder"),
        ('channels = ["inapp", "sms"]', 'channels = ["loudspeaker"]', "ladder 1, channels"),
        ('categories = ["Met"]', 'categories = ["Weather"]', "kind 11B01, categories"),
        ('quantities = ["wind_gust"]', 'quantities = ["wind"]', "kind 11B01, quantities"),
        ('departments = ["WATER"]', 'departments = ["FIRE"]', "no organisation has the code FIRE"),
        ('code = "11B01"', 'code = "storm"', "kind storm, code"),
        ('name_zh = "台风"', 'name_cn = "台风"', "needs name_zh"),
        ('hazard = "typhoon"', 'hazard = "typhoon"\nicon = "wind"', "does not know icon"),
    ],
)
def test_what_is_wrong_in_the_rules_is_named(load, old, new, says):
    with pytest.raises(PackError) as error:
        take_in(load, WARNING.replace(old, new))
    assert says in str(error.value)
    assert not EventKind.objects.exists() and not Policy.objects.exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('kind = "11B01"', 'kind = "11B02"', "templates.toml, template 11B02 red, kind ('11B02')"),
        ('colour = "red"', 'colour = "pink"', "is not a colour"),
        ("{area}有大风", "{town}有大风", "description_zh ('town')"),
        ('instruction_zh = "请注意防范。"', "", "needs instruction_zh"),
        ('colour = "red"', 'colour = "red"\nvalid_hours = 0', "valid_hours (0)"),
        ('colour = "red"', 'colour = "red"\nheadline_en = "x"', "belong together"),
    ],
)
def test_what_is_wrong_in_the_words_is_named(load, old, new, says):
    from django.utils import translation

    with pytest.raises(PackError) as error, translation.override("en"):
        take_in(load, WARNING, TEMPLATES.replace(old, new))
    assert says in str(error.value)


def test_two_templates_for_one_colour_are_refused(load):
    with pytest.raises(PackError, match="stands twice"):
        take_in(load, WARNING, TEMPLATES + TEMPLATES[TEMPLATES.index("[[template]]") :])


def test_a_pack_without_warnings_is_a_pack(load):
    assert take_in(load, "", "") == [0, 0, 0]
