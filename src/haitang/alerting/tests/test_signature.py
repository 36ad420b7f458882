"""P4, 3.4.2: a message is trusted for who signed it, by a certificate pinned beforehand; nothing else makes it valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from haitang.alerting import cap, cap_signature
from haitang.alerting.cap_signature import KeyTrouble, Verdict, judge, load_certificate, load_signer, make_pair, sign
from haitang.alerting.tests.samples import alert

AT = datetime(2024, 9, 15, tzinfo=UTC)
NS = {"ds": "http://www.w3.org/2000/09/xmldsig#", "cap": "urn:oasis:names:tc:emergency:cap:1.2"}


def _signer(*, curve: bool = True, at: datetime = AT, years: int = 5):
    return load_signer(*make_pair("unit", at=at, years=years, curve=curve))


@pytest.fixture(scope="module")
def own():
    return _signer()


@pytest.fixture(scope="module")
def signed(own) -> bytes:
    return sign(cap.build(alert()), own, at=AT)


def _judge(data: bytes, *certificates, at: datetime = AT) -> str:
    return judge(data, certificates, at).verdict.value


@pytest.mark.parametrize("curve", [True, False], ids=["P-256", "RSA"])
def test_a_signed_message_is_valid_says_the_same_and_has_its_signature_last(curve):
    signer = _signer(curve=curve)
    data = sign(cap.build(alert()), signer, at=AT)
    found = judge(data, [signer.certificate], AT)
    assert found.verdict is Verdict.VALID and found.fingerprint == signer.fingerprint
    read, findings = cap.parse(data)
    assert read == alert() and read.signed and not findings
    assert etree.fromstring(data)[-1].tag == "{http://www.w3.org/2000/09/xmldsig#}Signature"


def test_an_unsigned_message_is_said_to_be_unsigned(own):
    assert _judge(cap.build(alert()), own.certificate) == "unsigned"


def test_any_changed_word_breaks_the_digest(own, signed):
    assert _judge(signed.replace("减少外出".encode(), "可以外出".encode()), own.certificate) == "bad_digest"
    assert _judge(signed.replace(b"Severe", b"Minor"), own.certificate) == "bad_digest"
    # A comment is left out by the canonical form, but it must not cut a text in two for readers either.
    commented = signed.replace(b"Severe", b"Sev<!-- x -->ere")
    assert _judge(commented, own.certificate) == "valid" and cap.parse(commented)[0] == alert()


def test_a_changed_signature_value_is_a_bad_signature(own, signed):
    root = etree.fromstring(signed)
    value = root.find(".//ds:SignatureValue", NS)
    value.text = ("B" if value.text[0] != "B" else "C") + value.text[1:]
    assert _judge(etree.tostring(root), own.certificate) == "bad_signature"


def test_an_attackers_own_certificate_in_the_message_is_never_trusted(own):
    attacker = _signer()
    forged = sign(cap.build(alert()), attacker, at=AT)
    assert _judge(forged, own.certificate) == "unknown_cert"
    assert _judge(forged) == "unknown_cert"
    # Nor does it help to pass off the pinned certificate as one's own, or to bring none.
    root = etree.fromstring(forged)
    root.find(".//ds:X509Certificate", NS).text = (
        etree.fromstring(sign(cap.build(alert()), own, at=AT)).find(".//ds:X509Certificate", NS).text
    )
    assert _judge(etree.tostring(root), own.certificate) == "bad_signature"
    signature = root.find("ds:Signature", NS)
    signature.remove(signature.find("ds:KeyInfo", NS))
    assert _judge(etree.tostring(root), own.certificate) == "bad_signature"


def test_an_expired_certificate_is_told_from_a_forgery_and_judged_as_of_receipt(own, signed):
    old = _signer(at=AT - timedelta(days=800), years=2)
    late = sign(cap.build(alert()), old, at=AT - timedelta(days=100))
    assert _judge(late, old.certificate) == "expired"
    assert _judge(late, old.certificate, at=AT - timedelta(days=100)) == "valid"
    assert _judge(signed, own.certificate, at=AT - timedelta(days=1)) == "expired"
    with pytest.raises(KeyTrouble, match="valid from"):
        sign(cap.build(alert()), old, at=AT)


def test_the_old_certificate_goes_on_beside_the_new_one(own, signed):
    assert _judge(signed, _signer().certificate, own.certificate) == "valid"


def _wrapped(signed: bytes, how: str) -> bytes:
    root = etree.fromstring(signed)
    signature = root.find("ds:Signature", NS)
    if how == "moved into info":
        root.find("cap:info", NS).append(signature)
    elif how == "twice":
        root.append(etree.fromstring(etree.tostring(signature)))
    elif how == "evil around good":
        evil = etree.fromstring(cap.build(alert(identifier="99000160000000_20240915080000_9")))
        inner = etree.SubElement(etree.SubElement(evil, f"{{{NS['ds']}}}Signature"), f"{{{NS['ds']}}}Object")
        inner.append(root)
        return etree.tostring(evil)
    elif how == "good inside object":
        held = etree.SubElement(signature, f"{{{NS['ds']}}}Object")
        held.append(etree.fromstring(cap.build(alert())))
        root.find("cap:info/cap:severity", NS).text = "Minor"
    elif how == "reference to a part":
        root.find("cap:info", NS).set("Id", "part")
        signature.find(".//ds:Reference", NS).set("URI", "#part")
    elif how == "xpath leaves something out":
        transforms = signature.find(".//ds:Transforms", NS)
        etree.SubElement(
            transforms, f"{{{NS['ds']}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"
        )
    elif how == "sha-1":
        signature.find(".//ds:SignatureMethod", NS).set("Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
    elif how == "shared secret":
        signature.find(".//ds:SignatureMethod", NS).set(
            "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
        )
    elif how == "no value":
        signature.remove(signature.find("ds:SignatureValue", NS))
    elif how == "value is no base64":
        signature.find("ds:SignatureValue", NS).text = "!"
    elif how == "certificate is none":
        signature.find(".//ds:X509Certificate", NS).text = "AAAA"
    return etree.tostring(root)


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ("moved into info", {"misplaced"}),
        ("twice", {"misplaced"}),
        ("evil around good", {"misplaced"}),
        ("good inside object", {"malformed"}),
        ("reference to a part", {"misplaced"}),
        ("xpath leaves something out", {"malformed"}),
        ("sha-1", {"weak"}),
        ("shared secret", {"weak"}),
        ("no value", {"malformed"}),
        ("value is no base64", {"malformed", "bad_signature"}),
        ("certificate is none", {"unknown_cert"}),
    ],
)
def test_a_signature_of_another_form_is_never_valid(own, signed, how, verdict):
    assert _judge(_wrapped(signed, how), own.certificate) in verdict


def test_a_signature_before_info_is_out_of_order_for_the_schema(own, signed):
    root = etree.fromstring(signed)
    root.insert(6, root.find("ds:Signature", NS))
    assert "INVALID_SEQUENCE" in {finding.code for finding in cap.parse(etree.tostring(root))[1]}


def test_a_key_that_does_not_belong_to_the_certificate_is_refused():
    (key, _), (_, other) = make_pair("a", at=AT, curve=True), make_pair("b", at=AT, curve=True)
    with pytest.raises(KeyTrouble, match="does not belong"):
        load_signer(key, other)
    with pytest.raises(KeyTrouble, match="private key"):
        load_certificate(key)
    with pytest.raises(KeyTrouble, match="no certificate"):
        load_certificate(b"nothing")


def test_what_is_signed_already_is_not_signed_again(own, signed):
    with pytest.raises(KeyTrouble, match="already"):
        cap_signature.sign(signed, own, at=AT)
