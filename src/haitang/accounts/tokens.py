"""Access tokens of machines."""

from __future__ import annotations

import hashlib
import secrets

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from haitang.accounts.models import ApiToken


def digest(secret: str) -> str:
    """What is kept of a token. Tokens are 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """A fresh token secret."""
    return f"ht_{secrets.token_urlsafe(32)}"


def find(secret: str) -> ApiToken | None:
    """The valid token of this secret. One query."""
    token = (
        ApiToken.objects.select_related("user__organisation__place", "space")
        .filter(digest=digest(secret), revoked_at=None, user__is_active=True)
        .first()
    )
    if token is None or (token.expires_at and token.expires_at <= timezone.now()):
        return None
    return token


class TokenAuth(HttpBearer):
    """`Authorization: Bearer ht_...`; the token's user acts, in the token's space."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """Find the token and become its user."""
        found = find(token)
        if found is not None:
            request.user = found.user
            request.space = found.space  # type: ignore[attr-defined]
        return found
