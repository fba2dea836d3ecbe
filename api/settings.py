"""The project's settings, from the environment (12-factor). Safe for production by default."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.env import Environment
from realtime.conf import from_environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()

DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret_key("SECRET_KEY", DEBUG)
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])

# gunicorn.conf.py's. Read here, a wrong one already ends `migrate`; from WEB_CONCURRENCY=x gunicorn
# itself makes a traceback before it reads any file of ours.
PORT = env.number("PORT", 8000, most=65535)
WEB_CONCURRENCY = env.number("WEB_CONCURRENCY", 1, least=1)

INSTALLED_APPS = [
    "api",  # before those whose templates it extends
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "realtime",
    "accounts",
    "todos",
    "frontend",
    "compare",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "api.middleware.CleanCookiesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "api.middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "api.urls"
WSGI_APPLICATION = "api.wsgi.application"
ASGI_APPLICATION = "api.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database, cache

DATABASE_POOL_SIZE = env.number("DATABASE_POOL_SIZE", 10, least=2)
DATABASES: dict[str, Any] = {
    "default": env.database(
        "DATABASE_URL",
        f"sqlite:///{quote(str(BASE_DIR / 'db.sqlite3'))}",
        pool_size=DATABASE_POOL_SIZE,
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis("REDIS_URL")
# Seconds that a request may wait for Redis, once, when it falls silent; it takes a hundredth of
# that when it is well. Connecting may need a handshake of TLS.
_REDIS_TIMEOUT, _REDIS_CONNECT_TIMEOUT = 0.1, 0.25
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "api.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            "socket_timeout": _REDIS_TIMEOUT,
            "socket_connect_timeout": _REDIS_CONNECT_TIMEOUT,
        },
    }
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # Throttles count in it: what is thrown out is forgiven.
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

# Who somebody is

AUTHENTICATION_BACKENDS = ["api.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"

# Language, time

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Static files: served by this process. Once they are collected (a PaaS does so when it builds), by
# names that change with them, compressed; until then as they are.

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "api.storage.StaticStorage"
    },
}
WHITENOISE_USE_FINDERS = True

# Transport. A PaaS ends TLS in its router, which sets X-Forwarded-Proto itself; where nothing in
# front does, that header must not be believed: set SECURE_PROXY_SSL_HEADER=0 there.

SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", not DEBUG)
PROXIED = env.flag("SECURE_PROXY_SSL_HEADER", SECURE_SSL_REDIRECT)
if PROXIED:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# A GRIP proxy asks inside of the data centre, in its own name, and by no redirect.
SECURE_REDIRECT_EXEMPT = [r"^api/events/proxied/"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if SECURE_SSL_REDIRECT else 0
# Whether the domain's other hosts are ready for HTTPS only is not for this one to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", wildcards=True)

CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_CREDENTIALS = True
CORS_URLS_REGEX = r"^/(api|pusher|broadcasting)/"
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "cache-control",
    "content-type",
    "if-match",
    "if-none-match",
    "last-event-id",
    "prefer",
    "x-csrftoken",
    "x-mutation-id",
]
CORS_EXPOSE_HEADERS = ["etag", "link", "location", "preference-applied", "retry-after"]

# data: is for the pictures in the browsable API's and the admin's style sheets.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

# REST

REST_FRAMEWORK = {
    # The first decides what somebody who is not logged in is answered: 401, without a browser's
    # password dialog.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.BasicAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "api.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "api.parsers.MultiPartParser",
    ],
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.SearchFilter",
        "api.filters.StableOrderingFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": "todos.pagination.Pagination",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.UserRateThrottle",
        "rest_framework.throttling.AnonRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "user": env.rate("THROTTLE_USER", "6000/min"),
        "anon": env.rate("THROTTLE_ANON", "300/min"),
    },
    # How many of the last addresses in X-Forwarded-For were written by proxies of ours: one wrong
    # way lets clients choose the address they are throttled by, the other throttles all together.
    "NUM_PROXIES": env.number("NUM_PROXIES", 1 if PROXIED else 0),
    "EXCEPTION_HANDLER": "api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Real-time todos",
    "DESCRIPTION": "REST for reading and writing; Server-Sent Events for what changed since.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.document_common_answers",
    ],
}

# Pusher's protocol: without these three, there is no WebSocket path.

PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET = env.pusher(DEBUG)
PUSHER_ENCRYPTION_MASTER_KEY = env.encryption_key("PUSHER_ENCRYPTION_MASTER_KEY")
PUSHER_WEBHOOK_URLS = env.urls("PUSHER_WEBHOOK_URLS")

# Real-time: every REALTIME_… of the environment.

if REDIS_URL:
    REALTIME_BROKER_URL = REDIS_URL
if GRIP_URL := env.proxies("GRIP_URL"):
    REALTIME_GRIP_URL = GRIP_URL
if METRICS_TOKEN := env.token("METRICS_TOKEN"):
    REALTIME_METRICS_TOKEN = METRICS_TOKEN
globals().update(from_environ(env.environ))

# Where logs go to a program, it wants JSON, and a line for each request and each stream.
LOG_FORMAT = env.choice("LOG_FORMAT", "text", ("text", "json"))
_TRAFFIC = "INFO" if LOG_FORMAT == "json" else "WARNING"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {
            "()": "api.logs.TextFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
        "json": {"()": "api.logs.JSONFormatter"},
    },
    "filters": {
        "unrepeated": {"()": "api.logs.Unrepeated"},
        "identified": {"()": "api.logs.Identified"},
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": LOG_FORMAT,
            "filters": ["unrepeated", "identified"],
        }
    },
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {
        # Its warnings are clients' mistakes, one line for each 4xx.
        "django.request": {"level": "ERROR"},
        # Likewise: of bots that ask for hosts by other names, and of requests that are too large.
        "django.security": {"level": "CRITICAL"},
        "realtime.requests": {"level": _TRAFFIC},
        "realtime.streams": {"level": _TRAFFIC},
    },
}
