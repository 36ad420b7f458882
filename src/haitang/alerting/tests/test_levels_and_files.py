"""P4, 3.4.2: one warning with a colour for each area, and with files, from the composer to the message and the page."""

from __future__ import annotations

import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from haitang.accounts.verbs import Refused
from haitang.alerting import cap, composing, services
from haitang.alerting.colours import Colour, read_areas
from haitang.alerting.composing import Texts
from haitang.alerting.models import Warning
from haitang.alerting.national import to_national
from haitang.alerting.tests import factories as make
from haitang.journal.models import Entry

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
TWO = {"990002": "yellow"}


def _two(house, live, **fields):
    return make.published(house, live, places=[house.east, house.west], own_colours=TWO, **fields)


def _message(warning) -> cap.Alert:
    alert, findings = cap.parse(bytes(Warning.objects.get(pk=warning.pk).cap_xml))
    assert not findings and not cap.errors(cap.validate(alert, "cn", composing.event_codes()))
    return alert


def test_each_area_has_its_own_severity_words_and_colour_in_the_message(house, live):
    alert = _message(_two(house, live))
    got = [(i.language, i.severity, i.parameter("ColorCode"), [a.description for a in i.areas]) for i in alert.infos]
    assert got == [
        ("zh-CN", "Severe", "ORANGE", ["东镇"]), ("en-US", "Severe", "ORANGE", ["东镇 EN"]),
        ("zh-CN", "Moderate", "YELLOW", ["西镇"]), ("en-US", "Moderate", "YELLOW", ["西镇 EN"]),
    ]  # fmt: skip
    assert "橙色" in alert.infos[0].headline and "黄色" in alert.infos[2].headline
    assert alert.infos[0].description == alert.infos[2].description and "西镇为黄色" in alert.infos[0].description
    for info in alert.infos:
        assert read_areas(info.parameter("AreaColorCode")) == {"990001": Colour.ORANGE, "990002": Colour.YELLOW}
    assert {row["code"]: row["severity"] for row in to_national(alert)["areas"]} == {
        "990001": "orange", "990002": "yellow",
    }  # fmt: skip


def test_map_page_and_board_show_each_place_in_its_colour(house, live, client, sign_in):
    from haitang.alerting.mapping import picture

    warning = _two(house, live)
    assert {row.place.code: row.colour for row in warning.areas.all()} == {"990001": "orange", "990002": "yellow"}
    assert len(picture(warning)["layers"]) == 2
    assert "西镇 (黄色)" in client.get("/public/").content.decode()
    page = sign_in("duty").get(f"/alerting/{warning.pk}/").content.decode()
    assert page.count("c-yellow") >= 2


def test_an_update_keeps_the_colours_that_are_still_lesser(house, live):
    warning = _two(house, live)
    same = services.update(warning, by=house.duty)
    assert composing.where_of(same).levels == TWO
    services.discard(same, by=house.duty)
    lower = services.update(warning, by=house.duty, colour="yellow")
    assert composing.where_of(lower).levels == {} and lower.levels == {}
    assert len(_message(make.follow(house, lower)).infos) == 2


def test_a_cancellation_ends_all_areas_at_once(house, live):
    warning = _two(house, live)
    alert = _message(make.follow(house, services.cancel(warning, by=house.duty)))
    assert [len(info.areas) for info in alert.infos] == [2, 2]


def test_a_graver_place_or_one_inside_an_area_chosen_whole_is_refused(house, live):
    with pytest.raises(Refused):
        make.draft(house, live, places=[house.east, house.west], own_colours={"990002": "red"})
    with pytest.raises(Refused):
        make.draft(house, live, places=[house.root, house.west], own_colours=TWO)


def test_a_change_of_a_places_colour_after_approval_is_not_published(house, live):
    warning = make.approved(house, live, places=[house.east, house.west], own_colours=TWO)
    warning.areas.filter(place=house.west).update(colour="orange")
    with pytest.raises(Refused):
        services.publish(warning, by=house.duty)


def test_the_composer_takes_and_shows_single_places_colours(house, live, sign_in):
    client = sign_in("duty")
    form = {
        "kind": house.typhoon.pk, "colour": "orange", "places": ["990001", "990002"], "own_990002": "yellow", "audiences": ["responsible"],
        "headline_zh": "示范区发布台风橙色预警", "description_zh": "将受台风影响", "instruction_zh": "减少外出", "then": "save",
    }  # fmt: skip
    panel = client.post("/alerting/compose/", form, headers={"HX-Request": "true"}).content.decode()
    assert "YELLOW" in panel
    assert client.post("/alerting/compose/", form).status_code == 302
    warning = Warning.objects.get()
    assert composing.where_of(warning).levels == TWO and set(warning.levels) == {"yellow"}
    page = client.get(f"/alerting/{warning.pk}/edit/").content.decode()
    assert '<option value="yellow" selected' in page


# Files.


def test_a_file_goes_with_the_message_and_is_fetched_by_everybody(house, live, client):
    warning = make.draft(house, live)
    services.attach(warning, by=house.duty, content=PNG, description_zh="影响范围图", description_en="Map")
    services.submit(warning, by=house.duty)
    services.approve(warning, by=house.chief)
    services.publish(warning, by=house.duty)
    zh, en = (info.resources[0] for info in _message(warning).infos)
    assert (zh.description, en.description, zh.mime_type, zh.size) == ("影响范围图", "Map", "image/png", str(len(PNG)))
    assert zh.digest == hashlib.sha1(PNG).hexdigest() and zh.uri.endswith(f"/public/warnings/{warning.pk}/files/1")
    answer = client.get(f"/public/warnings/{warning.pk}/files/1")
    assert (
        answer.content == PNG
        and answer["Content-Type"] == "image/png"
        and answer["X-Content-Type-Options"] == "nosniff"
    )
    assert "影响范围图" in client.get(f"/public/warnings/{warning.pk}/").content.decode()
    assert Entry.objects.filter(verb="alerting.attach").count() == 1


def test_a_file_of_a_draft_is_not_public_and_can_be_taken_away(house, live, client, sign_in):
    warning = make.draft(house, live)
    client = sign_in("duty")
    data = {"file": SimpleUploadedFile("a.html", PNG, "text/html"), "description_zh": "图"}
    assert client.post(f"/alerting/{warning.pk}/files/", data).status_code == 302
    assert client.get(f"/alerting/{warning.pk}/files/1")["Content-Type"] == "image/png"
    assert client.get(f"/public/warnings/{warning.pk}/files/1").status_code == 404
    assert sign_in("resident").get(f"/alerting/{warning.pk}/files/1").status_code == 404
    sign_in("duty").post(f"/alerting/{warning.pk}/files/1/remove/")
    assert not warning.resources.exists()


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "空"), (b"<svg onload=x>", "PNG"), (b"\x89PNG\r\n\x1a\n" + b"0" * 2_000_001, "2 MB")]
)
def test_other_kinds_and_large_files_are_refused(house, live, content, words):
    warning = make.draft(house, live)
    with pytest.raises(Refused):
        services.attach(warning, by=house.duty, content=content, description_zh="图")


def test_a_file_added_after_approval_is_not_published(house, live):
    warning = make.draft(house, live, texts=Texts(headline_zh="示范区发布台风橙色预警"))
    services.submit(warning, by=house.duty)
    services.approve(warning, by=house.chief)
    with pytest.raises(Refused):
        services.attach(warning, by=house.duty, content=PNG, description_zh="图")
