"""Our own signing key: where it stands, loaded once, and what is published only with its signature."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.verbs import Refused
from haitang.alerting import cap_signature
from haitang.alerting.cap_signature import KeyTrouble, Signer
from haitang.alerting.models import Warning
from haitang.config.env import env

KEY, CERTIFICATE = "cap_signing.key", "cap_signing.crt"
SOON = timedelta(days=60)


def is_on() -> bool:
    """Whether an actual public warning must be signed."""
    return bool(env("HAITANG_CAP_SIGN"))


def paths() -> tuple[Path, Path]:
    """Key and certificate: those of the settings, else the pair in the data folder."""
    folder = Path(settings.DATA)
    return Path(env("HAITANG_CAP_KEY") or folder / KEY), Path(env("HAITANG_CAP_CERTIFICATE") or folder / CERTIFICATE)


def signer() -> Signer | None:
    """The key with its certificate, loaded once; None where none is installed. Raises KeyTrouble for an unusable one."""
    key, certificate = paths()
    if not key.exists() and not certificate.exists():
        return None
    return _load(key, certificate)


@lru_cache(maxsize=4)
def _load(key: Path, certificate: Path) -> Signer:
    try:
        return cap_signature.load_signer(key.read_bytes(), certificate.read_bytes())
    except OSError as error:
        raise KeyTrouble(f"the signing key cannot be read: {error}") from error


def make_demonstration_pair(name: str) -> bool:
    """Put a self-made pair into the data folder, readable by the owner alone, where neither settings nor folder have one.

    Returns whether one was made. `haitang init` calls it.
    """
    key, certificate = Path(settings.DATA) / KEY, Path(settings.DATA) / CERTIFICATE
    if env("HAITANG_CAP_KEY") or env("HAITANG_CAP_CERTIFICATE") or key.exists() or not is_on():
        return False
    private, public = cap_signature.make_pair(name, at=timezone.now())
    certificate.write_bytes(public)
    # Nobody else reads it, not even for the moment between making the file and closing it.
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    return True


def signed(data: bytes, warning: Warning) -> tuple[bytes, str]:
    """The message with our signature, and the certificate's fingerprint; unsigned with "" where none is needed or to be had.

    An actual public warning is refused rather than returned unsigned while signing is on: it fails closed.
    """
    if not is_on():
        return data, ""
    try:
        own = signer()
        if own is None:
            if warning.may_reach_public:
                raise KeyTrouble(_("no signing key is installed (HAITANG_CAP_KEY, or haitang init)"))
            return data, ""
        # The certificate is valid in the world's time, whatever clock an exercise keeps.
        return cap_signature.sign(data, own, at=timezone.now()), own.fingerprint
    except (KeyTrouble, ImportError) as error:
        raise Refused(_("The warning cannot be signed, so it is not published: %(why)s") % {"why": error}) from error


@dataclass(frozen=True)
class Standing:
    """How it stands with signing, for the page of rules and for `haitang check`."""

    is_on: bool
    trouble: str = ""
    subject: str = ""
    fingerprint: str = ""
    valid_until: datetime | None = None
    is_self_made: bool = False
    ends_soon: bool = False


def standing() -> Standing:
    """Look at the key without using it."""
    if not is_on():
        return Standing(False)
    try:
        own = signer()
    except KeyTrouble as error:
        return Standing(True, str(error))
    if own is None:
        return Standing(True, _("no signing key is installed (HAITANG_CAP_KEY, or haitang init)"))
    until = own.certificate.not_valid_after_utc
    at = timezone.now()
    trouble = _("the signing certificate has expired") if until < at else ""
    subject = own.certificate.subject.rfc4514_string()
    return Standing(True, trouble, subject, own.fingerprint, until, own.is_self_made, until < at + SOON)
