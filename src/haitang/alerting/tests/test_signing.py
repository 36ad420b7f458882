"""P4, 3.4.2: an actual public warning never goes out unsigned; what cannot be signed is not published."""

from __future__ import annotations

import stat
from datetime import timedelta

import pytest
from django.utils import timezone

from haitang.accounts.verbs import Refused
from haitang.alerting import cap_signature, services, signing
from haitang.alerting.models import Warning
from haitang.alerting.tests import factories as make


@pytest.fixture
def folder(settings, tmp_path):
    settings.DATA = tmp_path
    return tmp_path


def test_the_published_bytes_carry_our_signature_wherever_they_are_served(house, live, client):
    warning = make.published(house, live)
    data = bytes(Warning.objects.get(pk=warning.pk).cap_xml)
    own = signing.signer()
    assert cap_signature.judge(data, [own.certificate], timezone.now()).verdict == "valid"
    assert warning.signer == own.fingerprint
    assert client.get(f"/public/warnings/{warning.pk}/cap.xml").content == data
    page = client.get(f"/public/warnings/{warning.pk}/").content.decode()
    assert own.fingerprint[:16] in page


@pytest.mark.parametrize("fault", ["no key", "broken key", "other certificate", "expired"])
def test_without_a_usable_key_an_actual_public_warning_stays_approved(house, live, folder, fault):
    private, public = cap_signature.make_pair("x", at=timezone.now(), curve=True)
    if fault == "broken key":
        private = b"nothing"
    elif fault == "other certificate":
        public = cap_signature.make_pair("y", at=timezone.now(), curve=True)[1]
    elif fault == "expired":
        private, public = cap_signature.make_pair("x", at=timezone.now() - timedelta(days=900), years=1, curve=True)
    if fault != "no key":
        (folder / signing.KEY).write_bytes(private)
        (folder / signing.CERTIFICATE).write_bytes(public)
    warning = make.approved(house, live)
    with pytest.raises(Refused):
        services.publish(warning, by=house.duty)
    kept = Warning.objects.get(pk=warning.pk)
    assert kept.state == "approved" and not kept.cap_xml and not kept.identifier


def test_an_exercise_goes_on_without_a_key_but_not_with_a_broken_one(house, exercise, folder):
    assert make.published(house, exercise).signer == ""
    (folder / signing.KEY).write_bytes(b"nothing")
    (folder / signing.CERTIFICATE).write_bytes(b"nothing")
    with pytest.raises(Refused):
        make.published(house, exercise, places=[house.west])


def test_signing_can_be_switched_off_and_says_so(house, live, folder, monkeypatch):
    monkeypatch.setenv("HAITANG_CAP_SIGN", "0")
    assert make.published(house, live).signer == ""
    assert not signing.standing().is_on


def test_init_makes_a_key_once_that_only_its_owner_reads(folder):
    assert signing.make_demonstration_pair("haitang 99000060000000")
    key = folder / signing.KEY
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert not signing.make_demonstration_pair("again") and key.read_bytes() == before
    standing = signing.standing()
    assert standing.is_self_made and not standing.trouble and "99000060000000" in standing.subject
