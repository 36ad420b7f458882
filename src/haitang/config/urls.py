"""The address book: every slice's urls under its own name, every slice's API under /api/v1/<slice>/."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from haitang.config.api import api

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", api.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("sta/", include("haitang.monitoring.sensorthings.urls")),
]

for _name in settings.INSTALLED_SLICES:
    if find_spec(f"haitang.{_name}.urls"):
        _module = import_module(f"haitang.{_name}.urls")
        # The frame and the public pages live at the root; everybody else under the slice's name.
        _prefix = getattr(_module, "PREFIX", f"{_name}/")
        urlpatterns.append(path(_prefix, include(_module)))

for _code in (400, 403, 404, 500):
    if "shell" in settings.INSTALLED_SLICES:
        globals()[f"handler{_code}"] = f"haitang.shell.errors.error_{_code}"
