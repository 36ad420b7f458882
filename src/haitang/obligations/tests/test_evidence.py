"""Evidence is checked by its content, kept under its hash, and served only to whoever may see it. 3.4.3, P1."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.obligations import evidence, services
from haitang.obligations.models import Evidence
from haitang.obligations.tests import factories as make


def test_a_photograph_is_kept_with_its_hash_note_and_place(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space)
    [kept] = services.add_evidence(
        row, by=house.grid, files=[make.photo("../../etc/dyke.jpg")], note="堤顶", position=(121.4, 31.6)
    )
    assert (kept.name, kept.content_type, kept.size, kept.lon) == ("dyke.jpg", "image/jpeg", len(make.JPEG), 121.4)
    assert kept.sha256 == hashlib.sha256(make.JPEG).hexdigest()
    assert (Path(settings.MEDIA_ROOT) / kept.path).read_bytes() == make.JPEG
    assert Entry.objects.get(verb="obligations.evidence").after["evidence"] == [kept.sha256]


def test_the_same_photograph_again_is_passed_over(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space)
    services.add_evidence(row, by=house.grid, files=[make.photo()])
    services.complete(row, by=house.grid, photos=[make.photo("again.jpg"), make.photo("dyke.png", make.PNG)])
    assert list(row.evidence.values_list("name", flat=True)) == ["dyke.jpg", "dyke.png"]
    assert len(Entry.objects.get(verb="obligations.done").after["evidence"]) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg onload=alert(1)>", b"MZ\x90\0" * 10, b"GIF89a" + b"\0" * 20, b"RIFF\0\0\0\0AVI " + b"\0" * 20],
)
def test_what_is_no_photograph_or_pdf_is_refused_whatever_its_name(house: SimpleNamespace, content: bytes) -> None:
    row = make.issue(house.east, house.space)
    with pytest.raises(Refused, match=r"dyke\.jpg"):
        services.add_evidence(row, by=house.grid, files=[make.photo(content=content)])
    assert Evidence.objects.count() == 0


def test_too_large_and_too_many_are_refused(house: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    row = make.issue(house.east, house.space)
    monkeypatch.setattr(evidence, "MOST_BYTES", 100)
    with pytest.raises(Refused):
        services.add_evidence(row, by=house.grid, files=[make.photo(content=make.JPEG + b"\0" * 100)])
    monkeypatch.setattr(evidence, "MOST_FILES", 2)
    with pytest.raises(Refused):
        services.add_evidence(row, by=house.grid, files=[make.photo(content=make.JPEG + bytes([n])) for n in range(3)])
    assert Evidence.objects.count() == 0  # nothing half done


def test_only_the_owners_people_add_evidence_and_only_until_it_has_ended(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space)
    with pytest.raises(Forbidden):
        services.add_evidence(row, by=house.western, files=[make.photo()])
    services.complete(row, by=house.mayor)
    services.add_evidence(row, by=house.mayor, files=[make.photo()])
    services.withdraw(make.issue(house.west, house.space), by=house.duty)
    services.reopen(row, by=house.duty, reason="看不清")
    services.withdraw(row, by=house.duty)
    with pytest.raises(Refused):
        services.add_evidence(row, by=house.mayor, files=[make.photo(content=make.PNG)])


def test_it_is_served_by_scope_and_nothing_in_it_runs(house: SimpleNamespace, signed_in: Any) -> None:
    row = make.issue(house.east, house.space)
    [kept] = services.add_evidence(row, by=house.grid, files=[make.photo()])
    answer = signed_in("duty").get(kept.get_absolute_url())
    assert b"".join(answer.streaming_content) == make.JPEG
    assert answer["Content-Type"] == "image/jpeg" and answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"] and answer["Cache-Control"].startswith("private")
    assert signed_in("western").get(kept.get_absolute_url()).status_code == 404
    signed_in("duty").logout()
    assert signed_in("duty").get(f"/uploads/{kept.path}").status_code == 404


def test_a_pdf_is_downloaded(house: SimpleNamespace, signed_in: Any) -> None:
    row = make.issue(house.east, house.space)
    [kept] = services.add_evidence(row, by=house.grid, files=[make.photo("report.pdf", b"%PDF-1.7 ...")])
    answer = signed_in("mayor").get(kept.get_absolute_url())
    assert answer["Content-Disposition"].startswith("attachment")
