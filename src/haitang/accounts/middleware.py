"""Second factor for privileged roles, and plain answers for refused verbs."""

from __future__ import annotations

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from haitang.accounts.verbs import Forbidden, Refused

Handler = Callable[[HttpRequest], HttpResponse]


class SecondFactorMiddleware:
    """A privileged person without a second factor reaches only the page that sets one up."""

    FREE = ("/accounts/", "/static/", "/i18n/", "/public/")

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Send those who need it to set up a second factor."""
        user = request.user
        if (
            user.is_authenticated
            and user.is_privileged
            and not (settings.DEMO and user.is_demo)
            and not request.path.startswith(self.FREE)
            and not is_mfa_enabled(user)
        ):
            messages.warning(request, _("Your role needs a second factor. Set it up to go on."))
            return redirect(reverse("mfa_activate_totp"))
        return self.get_response(request)


class ErrorMiddleware:
    """Turn Forbidden into 403 and Refused into a message on the page the person came from."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for errors that a person caused and can mend."""
        if isinstance(error, Forbidden):
            raise PermissionDenied(str(error)) from error
        if isinstance(error, Refused) and request.method == "POST":
            messages.error(request, str(error))
            back = request.headers.get("Referer", "")
            safe = url_has_allowed_host_and_scheme(back, {request.get_host()})
            return HttpResponseRedirect(back if safe else "/")
        if isinstance(error, Refused):
            raise BadRequest(str(error)) from error
        return None
