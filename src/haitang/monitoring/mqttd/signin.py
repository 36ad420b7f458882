"""Who publishes: user name = number or name of an access token, password = its secret; or a client certificate.

The common name (CN) of a certificate's subject is the token's number, or its name if no other valid token has that
name. The certificate authority is the operator's (HAITANG_MQTT_CLIENT_CA); whoever holds a key that it signed is let in
without the secret, until the token is revoked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from haitang.accounts import tokens
from haitang.accounts.models import ApiToken
from haitang.monitoring import door
from haitang.monitoring.batch import Allowed
from haitang.spaces.models import Space

RIGHT = "readings:write"


@dataclass(frozen=True)
class Sender:
    """Somebody who may publish readings."""

    token: int
    space: Space
    source: str
    allowed: Allowed | None


class NotLetIn(Exception):
    """The sign-in is refused. `known` says that it is a valid token's, which only lacks the right."""

    def __init__(self, text: str, *, known: bool = False) -> None:
        super().__init__(text)
        self.known = known


def by_password(user: str, password: str) -> Sender:
    """Find the sender. One query."""
    token = tokens.find(password)
    if token is None or user not in {str(token.pk), token.name}:
        raise NotLetIn("user name and password are not the number (or name) and the secret of a valid access token")
    return _sender(token)


def by_certificate(name: str, user: str | None) -> Sender:
    """Find the sender by the common name of a certificate that TLS has verified. One query."""
    wanted = Q(name=name) | (Q(pk=int(name)) if name.isdecimal() and len(name) < 19 else Q())
    found = list(_valid().filter(wanted if name else Q(pk=None))[:3])
    exact = [token for token in found if str(token.pk) == name] or found
    if len(exact) != 1:
        raise NotLetIn(f"{len(exact)} valid access tokens are called {name!r}, the CN of the certificate")
    if user and user not in {str(exact[0].pk), exact[0].name}:
        raise NotLetIn("the user name is not that of the certificate")
    return _sender(exact[0])


def still_valid(numbers: Collection[int]) -> set[int]:
    """Which of these tokens may still publish. One query for a few hundred."""
    wanted, found = sorted(numbers), set[int]()
    for at in range(0, len(wanted), 500):
        rows = _valid().filter(pk__in=wanted[at : at + 500]).values_list("pk", "rights")
        found.update(pk for pk, rights in rows if RIGHT in rights)
    return found


def _valid() -> Any:
    rows = ApiToken.objects.select_related("space").filter(revoked_at=None, user__is_active=True, space__is_open=True)
    return rows.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now())).order_by("pk")


def _sender(token: ApiToken) -> Sender:
    if RIGHT not in token.rights:
        raise NotLetIn(f"the access token lacks the right {RIGHT}", known=True)
    if not token.space.is_open:
        raise NotLetIn("its exercise is closed", known=True)
    return Sender(token.pk, token.space, f"mqtt:{token.name}", door.by_prefix(token.prefix))


def common_name(certificate: Mapping[str, Any] | None) -> str:
    """The CN of what `SSLSocket.getpeercert()` gives; empty without a certificate."""
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""
