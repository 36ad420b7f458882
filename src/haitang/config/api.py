"""The machine interface: one NinjaAPI, one router per slice, one form of error."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError
from ninja.errors import ValidationError as NinjaValidationError
from ninja.security import SessionAuth

from haitang import __version__
from haitang.accounts.tokens import TokenAuth
from haitang.accounts.verbs import Forbidden, Refused

api = NinjaAPI(
    title="Haitang",
    version=__version__,
    description="Machine interface of the Haitang emergency-management platform.",
    auth=[TokenAuth(), SessionAuth(csrf=True)],
    docs_url="docs",
    urls_namespace="api",
)


def _answer(request: HttpRequest, status: int, code: str, detail: Any) -> HttpResponse:
    return api.create_response(request, {"error": code, "detail": detail}, status=status)


@api.exception_handler(Forbidden)
def _forbidden(request: HttpRequest, error: Forbidden) -> HttpResponse:
    return _answer(request, 403, "forbidden", str(error))


@api.exception_handler(Refused)
def _refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return _answer(request, 409, "refused", str(error))


@api.exception_handler(AuthenticationError)
def _unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return _answer(request, 401, "unauthorized", "Send a valid access token (Authorization: Bearer ...), or sign in")


@api.exception_handler(HttpError)
def _refused_by_framework(request: HttpRequest, error: HttpError) -> HttpResponse:
    return _answer(request, error.status_code, "invalid", str(error))


@api.exception_handler(Http404)
@api.exception_handler(ObjectDoesNotExist)
def _missing(request: HttpRequest, error: Exception) -> HttpResponse:
    return _answer(request, 404, "not_found", "Not found, or not in your scope")


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    detail = error.message_dict if hasattr(error, "error_dict") else error.messages
    return _answer(request, 422, "invalid", detail)


@api.exception_handler(NinjaValidationError)
def _malformed(request: HttpRequest, error: NinjaValidationError) -> HttpResponse:
    return _answer(request, 422, "invalid", error.errors)


for _name in settings.INSTALLED_SLICES:
    if find_spec(f"haitang.{_name}.api"):
        api.add_router(f"/{_name}", import_module(f"haitang.{_name}.api").router, tags=[_name])
