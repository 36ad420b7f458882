"""WSGI entry point: pages and API."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "haitang.config.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
