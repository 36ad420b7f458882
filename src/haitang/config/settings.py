"""Django's settings, made from the environment (see env.py for what can be set)."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.utils.translation import gettext_lazy as _

from haitang.config.env import ROOT, env

DATA: Path = env("HAITANG_DATA")
PACKS: Path = env("HAITANG_PACKS")
WEB: Path = env("HAITANG_WEB")
PACKAGE = Path(__file__).resolve().parents[1]
DEBUG = env("HAITANG_DEBUG")
DEMO = env("HAITANG_DEMO")
# Of the invented accounts that a demonstration is loaded with, and of no other; the sign-in page prints it.
DEMO_PASSWORD = "haitang-demo-2024"  # noqa: S105
HTTPS = env("HAITANG_HTTPS")


def _secret_key() -> str:
    given = env("HAITANG_SECRET_KEY")
    if given:
        return str(given)
    path = DATA / "secret_key"
    DATA.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as new:
            path.chmod(0o600)
            new.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env("HAITANG_HOSTS")

# Lower slices first; the import-linter contract in pyproject.toml keeps the same order.
SLICES = (
    "geo",
    "spaces",
    "accounts",
    "journal",
    "delivery",
    "obligations",
    "registry",
    "monitoring",
    "resources",
    "plans",
    "alerting",
    "incidents",
    "duty",
    "risks",
    "hazchem",
    "survey",
    "fire",
    "community",
    "indicators",
    "exchange",
    "onemap",
    "replay",
    "shell",
)
INSTALLED_SLICES = [name for name in SLICES if (PACKAGE / name / "apps.py").exists()]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_filters",
    "django_htmx",
    "django_vite",
    "django_tasks",
    "django_tasks_db",
    "haitang.config",
    *(f"haitang.{name}" for name in INSTALLED_SLICES),
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "haitang.config.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "haitang.accounts.middleware.SecondFactorMiddleware",
    "haitang.spaces.middleware.SpaceMiddleware",
    "haitang.accounts.middleware.ErrorMiddleware",
]

ROOT_URLCONF = "haitang.config.urls"
WSGI_APPLICATION = "haitang.config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        # The frame's own templates go before allauth's plain ones.
                        ("django.template.loaders.filesystem.Loader", [PACKAGE / "shell" / "templates"]),
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                *(["haitang.shell.context.shell"] if "shell" in INSTALLED_SLICES else []),
            ],
        },
    }
]

# synchronous=FULL: a reading or an acknowledgement that was answered has reached the disk, also through a power cut.
_SQLITE = {
    "ENGINE": "haitang.config.sqlite3",  # Django's own, with writers that wait fairly
    "NAME": DATA / "haitang.sqlite3",
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;"
            "PRAGMA mmap_size=268435456;PRAGMA cache_size=-20000;"
        ),
    },
}


def _database() -> dict[str, object]:
    url = env("HAITANG_DATABASE_URL")
    if not url:
        return dict(_SQLITE)
    parsed: dict[str, object] = dict(dj_database_url.parse(url, conn_health_checks=True))
    if "postgresql" in str(parsed["ENGINE"]):
        # A pool, because persistent connections leak one per thread (measured in docs/benchmarks.md).
        parsed["CONN_MAX_AGE"] = 0
        parsed["OPTIONS"] = {**parsed.get("OPTIONS", {}), "pool": {"min_size": 1, "max_size": 8}}  # type: ignore[dict-item]
    else:
        parsed["OPTIONS"] = _SQLITE["OPTIONS"]
    return parsed


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": DATA / "cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["haitang.accounts.backend.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_ADAPTER = "haitang.accounts.adapter.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_LOGOUT_ON_GET = False
# A duty room's computer is shared: a session lasts a shift and no longer.
ACCOUNT_SESSION_REMEMBER = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Haitang"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS: list[str] = []
USE_I18N = True
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [WEB / "dist"] if (WEB / "dist").exists() else []
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
DJANGO_VITE = {
    "default": {
        "dev_mode": not (WEB / "dist" / "manifest.json").exists(),
        "manifest_path": WEB / "dist" / "manifest.json",
    }
}
MEDIA_ROOT = DATA / "uploads"
MEDIA_URL = "/uploads/"
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 20_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


LIVE_URL = env("HAITANG_LIVE_URL")
LIVE_PORT = env("HAITANG_LIVE_PORT")
PUBLIC_URL = env("HAITANG_PUBLIC_URL") or f"http://{env('HAITANG_ADDRESS')}:{env('HAITANG_PORT')}"
CSRF_TRUSTED_ORIGINS = [_origin(PUBLIC_URL)]
BASEMAP = {"url": env("HAITANG_BASEMAP_URL"), "key": env("HAITANG_BASEMAP_KEY"), "crs": env("HAITANG_BASEMAP_CRS")}
_BASEMAP_ORIGINS = [_origin(BASEMAP["url"])] if BASEMAP["url"] else []
_LIVE_ORIGINS = [_origin(LIVE_URL)] if LIVE_URL else [f"http://127.0.0.1:{LIVE_PORT}", f"http://localhost:{LIVE_PORT}"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:", *_BASEMAP_ORIGINS],
        "style-src": ["'self'", "'unsafe-inline'"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'", *_LIVE_ORIGINS, *_BASEMAP_ORIGINS],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'self'"],
        "object-src": ["'none'"],
    }
}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env("HAITANG_LOG_LEVEL")},
}
SILENCED_SYSTEM_CHECKS: list[str] = []
__all__ = ["ROOT"]
