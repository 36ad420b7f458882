"""XML signatures of CAP messages: made enveloped, and judged against certificates that were pinned beforehand. Pure.

Source: W3C XML Signature 1.1, OASIS CAP 1.2 section 3.3.2.1. The certificate inside a message only hints which of the
pinned ones was meant; it is never trusted. The heavy libraries are imported where they are used.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from haitang.alerting.cap_schema import SIGNATURE_NAMESPACE

if TYPE_CHECKING:
    from cryptography import x509

_DS: Final = f"{{{SIGNATURE_NAMESPACE}}}"
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_C14N: Final = frozenset(
    {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    }
)
_METHODS: Final = frozenset(
    f"http://www.w3.org/2001/04/xmldsig-more#{name}"
    for name in ("rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512")
)
_DIGESTS: Final = frozenset(
    {
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    }
)


class Verdict(StrEnum):
    """What is to be thought of a message's signature."""

    UNSIGNED = "unsigned"
    VALID = "valid"
    BAD_DIGEST = "bad_digest"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_CERTIFICATE = "unknown_cert"
    EXPIRED = "expired"
    MISPLACED = "misplaced"
    WEAK = "weak"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the fingerprint of the pinned certificate that decided it (empty where none did), and what was wrong."""

    verdict: Verdict
    fingerprint: str = ""
    detail: str = ""


class KeyTrouble(ValueError):
    """A key or certificate that cannot be used; the text says which and what to do."""


@dataclass(frozen=True)
class Signer:
    """A private key with its certificate, loaded once."""

    key: Any
    certificate: x509.Certificate

    def __repr__(self) -> str:
        return f"Signer({fingerprint(self.certificate)[:16]})"

    @property
    def fingerprint(self) -> str:
        """The certificate's SHA-256 in hex."""
        return fingerprint(self.certificate)

    @property
    def is_self_made(self) -> bool:
        """Whether the certificate vouches for itself: receivers must be given it by hand."""
        return self.certificate.issuer == self.certificate.subject


def load_signer(key_pem: bytes, certificate_pem: bytes) -> Signer:
    """Read a private key (PEM, not encrypted) and its certificate. Raises KeyTrouble where they do not belong together."""
    from cryptography.hazmat.primitives import serialization

    certificate = load_certificate(certificate_pem)
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyTrouble(f"the signing key is no unencrypted PEM private key: {error}") from error
    if _public_bytes(key.public_key()) != _public_bytes(certificate.public_key()):
        raise KeyTrouble("the signing key does not belong to the signing certificate: give a pair")
    return Signer(key, certificate)


def load_certificate(pem: bytes) -> x509.Certificate:
    """Read one certificate, PEM. Raises KeyTrouble for anything else, also for key kinds that sign no CAP message."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if b"PRIVATE KEY" in pem:
        raise KeyTrouble("this holds a private key: give the certificate alone, and keep the key where it is")
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise KeyTrouble(f"this is no certificate in PEM form: {error}") from error
    if len(found) != 1:
        raise KeyTrouble(f"give the one certificate that signs, not a chain; found {len(found)}")
    key = found[0].public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        raise KeyTrouble(f"an RSA key of {key.key_size} bits is too short: 2048 at least")
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise KeyTrouble("only RSA and elliptic-curve keys sign CAP messages here")
    return found[0]


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, hex."""
    from cryptography.hazmat.primitives import hashes

    return certificate.fingerprint(hashes.SHA256()).hex()


def _public_bytes(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    made: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return made


def make_pair(name: str, *, at: datetime, years: int = 5, curve: bool = False) -> tuple[bytes, bytes]:
    """A new private key and a certificate that vouches for itself, both PEM; `curve` for P-256 instead of RSA-3072."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID

    key: Any = (
        ec.generate_private_key(ec.SECP256R1())
        if curve
        else rsa.generate_private_key(public_exponent=65537, key_size=3072)
    )
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "self-made, for demonstration"),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(minutes=5))
        .not_valid_after(at + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, made.public_bytes(serialization.Encoding.PEM)


def sign(data: bytes, signer: Signer, *, at: datetime) -> bytes:
    """The message with its signature as last child of `alert`; nothing else of it changes.

    Raises KeyTrouble where the certificate is not valid at that time, or where the outcome does not verify.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
    from signxml.signer import XMLSigner

    _in_time(signer.certificate, at)
    root = _tree(data)
    if next(root.iter(f"{_DS}Signature"), None) is not None:
        raise KeyTrouble("the message is signed already")
    curve = isinstance(signer.key, ec.EllipticCurvePrivateKey)
    method = XMLSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256 if curve else SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = method.sign(root, key=signer.key, cert=[signer.certificate])
    made = etree.tostring(signed, encoding="UTF-8", xml_declaration=True) + b"\n"
    found = judge(made, [signer.certificate], at)
    if found.verdict is not Verdict.VALID:
        raise KeyTrouble(f"the signature just made does not verify: {found.verdict} {found.detail}")
    return made


def _in_time(certificate: x509.Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise KeyTrouble(
            f"the signing certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d} "
            f"until {certificate.not_valid_after_utc:%Y-%m-%d} only: install a new one"
        )


def judge(data: bytes, pinned: Sequence[x509.Certificate], at: datetime) -> Judgement:
    """What to think of a message's signature at the time of its receipt, given the certificates pinned for its sender.

    Only the plain form is accepted: one signature, child of `alert`, one reference to the whole document, transforms
    that leave nothing out. What such a signature covers is the whole message, so nothing can be wrapped around it.
    """
    root = _tree(data)
    signatures = list(root.iter(f"{_DS}Signature"))
    if not signatures:
        return Judgement(Verdict.UNSIGNED)
    if len(signatures) > 1:
        return Judgement(Verdict.MISPLACED, detail=f"{len(signatures)} signatures, one is expected")
    signature = signatures[0]
    if signature.getparent() is not root:
        return Judgement(Verdict.MISPLACED, detail="the signature is no child of alert")
    wrong = _form(signature)
    if wrong:
        return Judgement(*wrong)
    hinted = _hinted(signature)
    candidates = list(pinned)
    if hinted is not None:
        candidates = [one for one in pinned if _public_bytes(one.public_key()) == hinted]
    if not candidates:
        return Judgement(Verdict.UNKNOWN_CERTIFICATE, detail="no certificate pinned for the sender belongs to it")
    return _best(_verified(root, one, at) for one in candidates)


def _best(found: Iterable[Judgement]) -> Judgement:
    order = (Verdict.VALID, Verdict.EXPIRED, Verdict.BAD_DIGEST, Verdict.BAD_SIGNATURE, Verdict.MALFORMED)
    return min(found, key=lambda one: order.index(one.verdict))


def _verified(root: etree._Element, certificate: x509.Certificate, at: datetime) -> Judgement:
    from signxml.exceptions import InvalidDigest, InvalidSignature, SignXMLException
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    name = fingerprint(certificate)
    # Whether the certificate was in time is judged apart, so that "expired" is told from "forged".
    config = SignatureConfiguration(location="./", verification_time=certificate.not_valid_before_utc)
    try:
        XMLVerifier().verify(root, x509_cert=certificate, validate_schema=False, expect_config=config)
    except InvalidDigest as error:
        return Judgement(Verdict.BAD_DIGEST, name, str(error)[:200])
    except InvalidSignature as error:
        return Judgement(Verdict.BAD_SIGNATURE, name, str(error)[:200])
    except (SignXMLException, ValueError, TypeError, AttributeError, etree.LxmlError) as error:
        return Judgement(Verdict.MALFORMED, name, f"{type(error).__name__}: {error}"[:200])
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        until = certificate.not_valid_after_utc
        return Judgement(Verdict.EXPIRED, name, f"certificate valid until {until.astimezone(UTC):%Y-%m-%d}")
    return Judgement(Verdict.VALID, name)


def _form(signature: etree._Element) -> tuple[Verdict, str, str] | None:
    """What keeps a signature from being of the plain form, None where nothing does."""
    known = {f"{_DS}{tag}" for tag in ("SignedInfo", "SignatureValue", "KeyInfo")}
    strange = [str(child.tag) for child in signature if isinstance(child.tag, str) and child.tag not in known]
    infos = signature.findall(f"{_DS}SignedInfo")
    if strange or len(infos) != 1 or signature.find(f"{_DS}SignatureValue") is None:
        return Verdict.MALFORMED, "", f"unexpected parts: {' '.join(strange) or 'SignedInfo, SignatureValue'}"[:200]
    references = infos[0].findall(f"{_DS}Reference")
    if len(references) != 1 or references[0].get("URI") != "":
        return Verdict.MISPLACED, "", "the signature must refer once, to the whole document"
    transforms = [str(one.get("Algorithm")) for one in references[0].iterfind(f"{_DS}Transforms/{_DS}Transform")]
    # The canonical form alone may follow; XPath and XSLT could leave out what was changed.
    if transforms[:1] != [_ENVELOPED] or len(transforms) > 2 or any(one not in _C14N for one in transforms[1:]):
        return Verdict.MALFORMED, "", f"transforms {' '.join(transforms)}"[:200]
    method, digest = infos[0].find(f"{_DS}SignatureMethod"), references[0].find(f"{_DS}DigestMethod")
    used = ("" if method is None else method.get("Algorithm"), "" if digest is None else digest.get("Algorithm"))
    if used[0] not in _METHODS or used[1] not in _DIGESTS:
        return Verdict.WEAK, "", f"{used[0]} {used[1]}"[:200]
    return None


def _hinted(signature: etree._Element) -> bytes | None:
    """The public key of the certificate that the message brings along, to find the pinned one by; None without one."""
    from cryptography import x509

    text = signature.findtext(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    if not text:
        return None
    try:
        found = x509.load_der_x509_certificate(base64.b64decode("".join(text.split())))
        return _public_bytes(found.public_key())
    except (ValueError, TypeError, binascii.Error):
        return b""  # a certificate that is none matches nothing


def _tree(data: bytes) -> etree._Element:
    """The message as a tree, comments and all; `cap_xml.parse` has refused document types and sizes before."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        collect_ids=False,
    )
    root = etree.fromstring(data, parser)
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise ValueError("a document type: such a message is refused before its signature is looked at")
    return root
