"""How a sensor is connected: where to, with which token, an example to copy; a token is made and its secret shown once."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from haitang.accounts.models import ApiToken, User
from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.services import mint_token
from haitang.accounts.verbs import may
from haitang.config.env import env
from haitang.monitoring.models import Series
from haitang.monitoring.mqttd import status
from haitang.monitoring.views.stations import space_of
from haitang.monitoring.way_forms import TokenForm

RIGHT = "readings:write"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def connect(request: HttpRequest) -> HttpResponse:
    """The addresses and examples; a POST makes a token."""
    if request.user.role not in OFFICIALS:
        raise PermissionDenied
    may_mint = may(request.user, "accounts.mint_token")
    form = TokenForm(request.POST or None)
    token, secret = None, ""
    if request.method == "POST":
        if not may_mint:
            raise PermissionDenied
        if form.is_valid():
            token, secret = mint_token(
                name=form.cleaned_data["name"], user=_owner(request.user), space=space_of(request),
                rights=[RIGHT], prefix=form.cleaned_data["only"], by=request.user,
            )  # fmt: skip
    series = Series.objects.visible_to(request.user).filter(is_active=True, station__is_active=True).order_by("code")
    if token is not None and token.prefix:
        series = series.filter(code__startswith=token.prefix)
    host = urlsplit(env("HAITANG_PUBLIC_URL")).hostname or request.get_host().rsplit(":", 1)[0]
    context = {
        "form": form, "may_mint": may_mint, "token": token, "secret": secret, "series": series.first(),
        "tokens": ApiToken.objects.visible_to(request.user).filter(space=space_of(request), revoked_at=None).order_by("pk"),
        "host": host, "mqtt": _port("HAITANG_MQTT_LISTEN"), "right": RIGHT,
        "mqtts": _port("HAITANG_MQTT_TLS_LISTEN") if env("HAITANG_MQTT_CERT") else "",
        "certificates": bool(env("HAITANG_MQTT_CLIENT_CA")), "status": status.read(), "only_here": _only_here(),
        "site": f"{'https' if settings.HTTPS else request.scheme}://{request.get_host()}",
    }  # fmt: skip
    return render(request, "monitoring/connect.html", context)


def _owner(user: User) -> User:
    """A machine account if there is one in the same body, else whoever asks: the token has only the right to write."""
    machines = User.objects.filter(role=Role.MACHINE, is_active=True, organisation=user.organisation).order_by("pk")
    return machines.first() or user


def _port(name: str) -> str:
    return str(env(name)).rpartition(":")[2]


def _only_here() -> bool:
    host = str(env("HAITANG_MQTT_LISTEN")).rpartition(":")[0] or env("HAITANG_ADDRESS")
    return host in {"127.0.0.1", "localhost", "[::1]", "::1"}
