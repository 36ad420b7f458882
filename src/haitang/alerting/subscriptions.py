"""Residents who asked to be told: asking, and stopping by the signed link that every message carries."""

from __future__ import annotations

import re

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.verbs import Refused
from haitang.alerting.models import Subscription, Warning
from haitang.geo.models import Place

SALT = "haitang.alerting.subscription"
_PHONE = re.compile(r"1\d{10}", re.ASCII)


def plain_phone(text: str) -> str:
    """A mobile number as it is stored: eleven digits. Refused for anything else."""
    digits = re.sub(r"[\s\-()（）]", "", text).removeprefix("+86").removeprefix("0086")
    if not _PHONE.fullmatch(digits):
        raise Refused(_("This is not a mobile telephone number: write eleven digits, as 13800000000"))
    return digits


def subscribe(
    place: Place, *, phone: str = "", email: str = "", language: str = "zh-hans"
) -> tuple[Subscription, bool]:
    """Note who wants to be told; returns the row and whether it is new. Asking twice changes nothing but the language."""
    if not phone and not email:
        raise Refused(_("Give a mobile number or an e-mail address"))
    phone = plain_phone(phone) if phone else ""
    email = email.strip().lower()
    known = Subscription.objects.filter(place=place, phone=phone, email=email, ended_at=None).first()
    if known is not None:
        if known.language != language:
            known.language = language
            known.save(update_fields=["language"])
        return known, False
    return Subscription.objects.create(place=place, phone=phone, email=email, language=language), True


def token(subscription: Subscription) -> str:
    """Signs for whoever holds it: it can end this subscription and nothing else."""
    return signing.Signer(sep="~", salt=SALT).sign(str(subscription.pk))


def of_token(text: str) -> Subscription | None:
    """The subscription a token names; None where it is forged."""
    try:
        pk = int(signing.Signer(sep="~", salt=SALT).unsign(text[:120]))
    except (signing.BadSignature, ValueError):
        return None
    return Subscription.objects.select_related("place").filter(pk=pk).first()


def end(subscription: Subscription) -> None:
    """Stop telling, and forget how to."""
    if subscription.ended_at is None:
        subscription.ended_at, subscription.phone, subscription.email = timezone.now(), "", ""
        subscription.save(update_fields=["ended_at", "phone", "email"])


def link(subscription: Subscription | None, warning: Warning) -> str:
    """Where a resident's message leads: the warning's public page, with the key that ends the subscription."""
    page = reverse("alerting:public_warning", args=[warning.pk]) if warning.may_leave else reverse("alerting:public")
    key = f"?s={token(subscription)}" if subscription is not None else ""
    return f"{settings.PUBLIC_URL}{page}{key}"
