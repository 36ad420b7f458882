"""Pages for everybody, without sign-in: the warnings in force and what to do, the feed, being told by message.

Only `Warning.objects.public()` is read here: Actual, Public, meant for the public page, in the live space. An exercise
cannot stand here whatever its fields say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.db.models import Q
from django.db.models.functions import Length
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.http import http_date, parse_http_date_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from haitang.alerting import services, signing, subscriptions
from haitang.alerting.cap_signature import KeyTrouble
from haitang.alerting.colours import Colour
from haitang.alerting.feed import CAP_TYPE, FeedItem, atom, rss
from haitang.alerting.forms import SubscribeForm
from haitang.alerting.mapping import picture
from haitang.alerting.models import (
    ColourChoice,
    EventKind,
    Policy,
    State,
    Warning,
    WarningPlace,
    WarningQuerySet,
    place_chain,
)
from haitang.alerting.views.common import language_of
from haitang.geo.models import Place
from haitang.spaces.clock import now

RECENT = timedelta(days=3)
FEED_DAYS, FEED_MOST = timedelta(days=30), 100
SUBSCRIPTIONS_PER_HOUR = 10


def _public() -> WarningQuerySet:
    rows: WarningQuerySet = Warning.objects.public().select_related("kind", "space", "place", "owner", "parent")
    return rows.defer("cap_xml", "parent__cap_xml", "parent__geometry")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The warnings in force, gravest first, with what to do."""
    at = now()
    standing = sorted(_public().in_force(at).prefetch_related("areas__place"), key=lambda one: (-one.hue.rank, -one.pk))
    ended = (
        _public()
        .filter(ended_at__gt=at - RECENT)
        .exclude(state__in=(State.PUBLISHED, State.UPDATED))
        .order_by("-ended_at")[:5]
    )
    context = {
        "warnings": standing,
        "ended": list(ended),
        "district": Place.objects.filter(parent=None).order_by("path").first(),
        "at": at,
    }
    part = request.headers.get("HX-Target") == "warnings"
    return render(request, "alerting/public/parts/warnings.html" if part else "alerting/public/home.html", context)


@require_safe
def warning(request: HttpRequest, pk: int) -> HttpResponse:
    """One warning, as everybody may read it; whoever came by a message finds here how to stop being told."""
    found = get_object_or_404(_public().prefetch_related("areas__place"), pk=pk)
    key = request.GET.get("s", "")
    subscription = subscriptions.of_token(key) if key else None
    chain = services.chain_of(found, Warning.objects.public())
    successor = next((one for one in chain if one.parent_id == found.pk), None)
    return render(request, "alerting/public/warning.html", {
        "files": list(found.resources.defer("content")), "warning": found, "own": picture(found), "chain": chain, "successor": successor, "in_force": found.is_in_force and found.expires > now(),
        "key": key if subscription and not subscription.ended_at else "", "issuer": Policy.objects.first(),
    })  # fmt: skip


@require_safe
def cap_xml(request: HttpRequest, pk: int) -> HttpResponse:
    """The message as it went out, byte for byte."""
    found = get_object_or_404(Warning.objects.public().only("cap_xml", "sha256", "identifier"), pk=pk)
    if not found.cap_xml:
        raise Http404
    headers = {"ETag": f'"{found.sha256}"', "Content-Disposition": f'inline; filename="{found.identifier}.xml"'}
    return HttpResponse(bytes(found.cap_xml), content_type=CAP_TYPE, headers=headers)


@require_safe
def certificate(request: HttpRequest) -> HttpResponse:
    """The certificate that our messages are signed with, for receivers to pin."""
    try:
        own = signing.signer()
    except KeyTrouble:
        own = None
    if own is None:
        raise Http404
    from cryptography.hazmat.primitives.serialization import Encoding

    headers = {"Content-Disposition": 'attachment; filename="haitang-cap.pem"'}
    return HttpResponse(
        own.certificate.public_bytes(Encoding.PEM), content_type="application/x-pem-file", headers=headers
    )


FORMS: dict[str, tuple[Callable[..., bytes], str]] = {
    "atom": (atom, "application/atom+xml; charset=utf-8"),
    "rss": (rss, "application/rss+xml; charset=utf-8"),
}


@require_safe
def feed(request: HttpRequest, form: str = "atom") -> HttpResponse:
    """A feed of the public messages of the last thirty days, updates and cancellations among them.

    `?kind=` (an event code or hazard), `?place=` (the code of a place, and what lies in or around it) and `?colour=`
    (that and graver) choose among them.
    """
    if form not in FORMS:
        raise Http404
    write, content_type = FORMS[form]
    since = now() - FEED_DAYS
    chosen, said = _feed_filters(request)
    rows = list(
        chosen.filter(published_at__gt=since)
        .annotate(size=Length("cap_xml"))
        .order_by("-published_at", "-pk")[:FEED_MOST]
    )
    updated = max((row.ended_at or row.published_at for row in rows if row.published_at), default=since)
    header = request.headers.get("If-Modified-Since")
    asked = parse_http_date_safe(header) if header else None
    if rows and asked is not None and int(updated.timestamp()) <= asked:
        return HttpResponse(status=304)
    language = language_of(request)
    unit = Policy.objects.first()
    author = "Haitang"
    if unit is not None:
        author = unit.sender_name_en if language == "en" and unit.sender_name_en else unit.sender_name_zh

    def absolute(name: str, *args: Any) -> str:
        return request.build_absolute_uri(reverse(name, args=args))

    items = [
        FeedItem(
            identifier=row.identifier, title=row.headline, summary=row.description, updated=row.published_at,
            cap_url=absolute("alerting:public_cap", row.pk), page_url=absolute("alerting:public_warning", row.pk), author=author,
            msg_type=row.msg_type, event=row.kind.name, severity=row.hue.severity, expires=row.expires, size=row.size or 0,
        )
        for row in rows if row.published_at
    ]  # fmt: skip
    title = " · ".join([_("Warnings of %(author)s") % {"author": author}, *said])
    data = write(
        title=title, self_url=request.build_absolute_uri(), page_url=absolute("alerting:public"), updated=updated,
        items=items, language="en" if language == "en" else "zh-CN",
    )  # fmt: skip
    answer = HttpResponse(data, content_type=content_type)
    answer["Last-Modified"] = http_date(updated.timestamp())
    patch_cache_control(answer, public=True, max_age=30)
    return answer


def _feed_filters(request: HttpRequest) -> tuple[WarningQuerySet, list[str]]:
    """The messages that the address asks for, and that in words. 404 for a kind, place or colour that is none."""
    rows, said = _public(), []
    if kind := request.GET.get("kind", "")[:40]:
        found = list(EventKind.objects.filter(Q(code=kind) | Q(hazard=kind)))
        if not found:
            raise Http404("no such kind of event")
        rows = rows.filter(kind__in=found)
        said.append(found[0].name)
    if code := request.GET.get("place", "")[:40]:
        place = get_object_or_404(Place, code=code)
        near = WarningPlace.objects.filter(
            Q(place__path__startswith=place.path) | Q(place__path__in=place_chain(place.path))
        )
        rows = rows.filter(pk__in=near.values("warning"))
        said.append(place.name)
    if colour := request.GET.get("colour", ""):
        if colour not in list(Colour):
            raise Http404("no such colour")
        rows = rows.filter(colour__in=[one.value for one in Colour if one.rank >= Colour(colour).rank])
        said.append(str(ColourChoice(colour).label))
    return rows, said


@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest) -> HttpResponse:
    """A resident asks to be told of warnings for where he lives."""
    if request.method == "POST":
        if not _within_limit(request):
            form = SubscribeForm(request.POST)
            context = {"form": form, "limited": True}
            return render(request, "alerting/public/subscribe.html", context, status=429)
        form = SubscribeForm(request.POST)
        if form.is_valid():
            subscriptions.subscribe(**form.cleaned_data)
            # The same words whether the number was known or not: the page does not tell who is subscribed.
            messages.success(
                request,
                _("You will be told of warnings for %(place)s. Every message says how to stop.")
                % {"place": form.cleaned_data["place"]},
            )
            return redirect("alerting:public")
    else:
        language = getattr(request, "LANGUAGE_CODE", "zh-hans")
        form = SubscribeForm(initial={"language": language, "place": request.GET.get("place", "")})
    return render(request, "alerting/public/subscribe.html", {"form": form}, status=200 if not form.is_bound else 422)


@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop being told; the address stands in every message and works once."""
    found = subscriptions.of_token(token)
    if found is None:
        raise Http404
    if request.method == "POST":
        subscriptions.end(found)
        messages.success(request, _("You will not be told any more. Your number has been deleted."))
        return redirect("alerting:public")
    return render(request, "alerting/public/unsubscribe.html", {"subscription": found, "token": token})


def _within_limit(request: HttpRequest) -> bool:
    """Whether this address has asked seldom enough. Counted per hour, so that nobody enters a telephone book."""
    key = f"alerting:subscribe:{request.META.get('REMOTE_ADDR', '')}"
    cache.add(key, 0, 3600)
    try:
        return int(cache.incr(key)) <= SUBSCRIPTIONS_PER_HOUR
    except ValueError:  # expired between the two
        return True
