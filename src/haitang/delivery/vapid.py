"""The platform's identity towards push services: one P-256 key, made at first use and kept in the data folder."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

FILE = "vapid.pem"


def _path() -> Path:
    path = Path(settings.DATA) / FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # Written aside and linked into place: of two processes that make one at once, both use the first.
        fresh = path.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(pem)
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path


def private_key() -> str:
    """The file of the private key."""
    return str(_path())


def public_key() -> str:
    """The public key as browsers want it: the uncompressed point, base64url without padding."""
    key = serialization.load_pem_private_key(_path().read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()
