"""WSGI entry point: pages and API."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "haitang.config.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

# Pages, forms and the API's schemas are loaded before the first visitor comes, not while he waits.
from haitang.config import urls  # noqa: E402, F401
