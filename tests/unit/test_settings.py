"""Settings from the environment: each by its kind, a wrong one named in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from api.env import POSTGRES_OPTIONS, SQLITE_OPTIONS, Environment

ROOT = Path(__file__).resolve().parent.parent.parent

KINDS = {
    "DEBUG": lambda env: env.flag("DEBUG", False),
    "NUM_PROXIES": lambda env: env.number("NUM_PROXIES", 0, most=100),
    "ALLOWED_HOSTS": lambda env: env.hosts("ALLOWED_HOSTS", []),
    "CORS_ALLOWED_ORIGINS": lambda env: env.origins("CORS_ALLOWED_ORIGINS"),
    "CSRF_TRUSTED_ORIGINS": lambda env: env.origins("CSRF_TRUSTED_ORIGINS", wildcards=True),
    "THROTTLE_USER": lambda env: env.rate("THROTTLE_USER", "1/s"),
    "REDIS_URL": lambda env: env.redis("REDIS_URL"),
    "PUSHER_ENCRYPTION_MASTER_KEY": lambda env: env.encryption_key("PUSHER_ENCRYPTION_MASTER_KEY"),
    "PUSHER_WEBHOOK_URLS": lambda env: env.urls("PUSHER_WEBHOOK_URLS"),
    "DATABASE_URL": lambda env: env.database("DATABASE_URL", "sqlite:///db.sqlite3"),
}


def read(name, value):
    return KINDS[name](Environment({name: value}))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DEBUG", "On", True),
        ("DEBUG", "0", False),
        ("DEBUG", "", False),
        ("NUM_PROXIES", " 2 ", 2),
        ("ALLOWED_HOSTS", "example.org, .example.com,[::1],*", None),
        ("CORS_ALLOWED_ORIGINS", "https://Example.org,http://localhost:3000", None),
        ("CORS_ALLOWED_ORIGINS", "http://[::1]:8000", None),
        ("CSRF_TRUSTED_ORIGINS", "https://*.example.org", None),
        ("PUSHER_ENCRYPTION_MASTER_KEY", "QUJD" * 10 + "QUI=", b"ABC" * 10 + b"AB"),
        ("PUSHER_ENCRYPTION_MASTER_KEY", "", b""),
        ("PUSHER_WEBHOOK_URLS", "http://a:8/b?c=d, https://[::1]/", None),
        ("THROTTLE_USER", "6000/min", "6000/min"),
        ("REDIS_URL", "rediss://u:p@example.org:6380/1", "rediss://u:p@example.org:6380/1"),
    ],
)
def test_a_value_is_read_by_its_kind(name, value, expected):
    if expected is None:
        expected = [part.strip().lower() for part in value.split(",")]
    assert read(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DEBUG", value) for value in ("maybe", "2", "-1")),
        *(("NUM_PROXIES", value) for value in ("-1", "x", "1.5", "101", "1_0", "\u0663")),
        *(
            ("ALLOWED_HOSTS", value)
            for value in ("https://example.org", "example.org:80", "a b", "a/b", "*.example.org")
        ),
        *(
            ("CORS_ALLOWED_ORIGINS", value)
            for value in (
                "*", "null", "example.org", "https://example.org/", "https://example.org/path",
                "ftp://example.org", "https://a:port", "https://u@example.org", "https://",
                "https://*.example.org", "https://a,b", "https://a:0", "https://[", "https://a b",
            )
        ),
        *(("CSRF_TRUSTED_ORIGINS", value) for value in ("*", "https://*", "https://a.*.org")),
        *(
            ("THROTTLE_USER", value)
            for value in ("6000", "0/min", "-1/min", "x/min", "5/year", "5/", "1e3/s", "5/min/s")
        ),
        *(
            ("REDIS_URL", value)
            for value in ("localhost:6379", "http://example.org", "redis://a:b/0", "redis://a:99999")
        ),
        *(
            ("PUSHER_ENCRYPTION_MASTER_KEY", value)
            for value in ("x", "QUJD", "QUJD" * 11, "QUJD" * 10 + "QU I=", "\u00e9" * 44)
        ),
        *(
            ("PUSHER_WEBHOOK_URLS", value)
            for value in (
                "example.org", "ftp://a/", "http://", "http://a:port/", "http://a:0/", "http://a b",
                "http://u:p@a/", "http://a/#b", "http://a/\u00e9", "http://a/,b", "http://[",
            )
        ),
        *(
            ("DATABASE_URL", value)
            for value in (
                "nonsense", "mysql://u:p@example.org/name", "postgres://", "postgres://a:b/name",
                "sqlite://", "sqlite://:memory:", "sqlite:///:memory:",
                "sqlite:////there/is/no/such/folder/db.sqlite3",
            )
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_in_one_line(name, value):
    with pytest.raises(ImproperlyConfigured) as caught:
        read(name, value)
    assert str(caught.value).startswith(f"{name} is ")
    assert "it must be" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://user:s3cret@example.org:port/name"),
        ("DATABASE_URL", "oracle://user:s3cret@example.org/name"),
        ("REDIS_URL", "redis://user:s3cret@example.org:port/0"),
    ],
)
def test_a_password_is_not_shown(name, value):
    with pytest.raises(ImproperlyConfigured) as caught:
        read(name, value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_secret_key_is_only_invented_for_development():
    assert Environment({}).secret_key("SECRET_KEY", True)
    assert Environment({"SECRET_KEY": "x"}).secret_key("SECRET_KEY", False) == "x"
    for environ in ({}, {"SECRET_KEY": ""}):
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY must be set"):
            Environment(environ).secret_key("SECRET_KEY", False)


def test_sqlite_waits_for_its_turn_and_takes_the_lock_at_once(tmp_path):
    database = read("DATABASE_URL", f"sqlite:///{tmp_path}/db.sqlite3")
    assert database["NAME"] == f"{tmp_path}/db.sqlite3"
    assert database["OPTIONS"] == SQLITE_OPTIONS
    assert SQLITE_OPTIONS["transaction_mode"] == "IMMEDIATE"


def test_postgresql_keeps_its_connections_and_its_options():
    database = read("DATABASE_URL", "postgres://u:p@example.org:5433/name?sslmode=require")
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], str(database["PORT"])) == ("example.org", "5433")
    assert database["OPTIONS"].pop("pool")["max_size"] == 10
    assert database["OPTIONS"] == POSTGRES_OPTIONS | {"sslmode": "require"}
    assert database["CONN_HEALTH_CHECKS"]


def manage(*arguments, **environ):
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=inherited | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({}, "SECRET_KEY must be set when DEBUG is off."),
        ({"DEBUG": "perhaps"}, "DEBUG is 'perhaps': it must be 1 or 0."),
        (
            {"DEBUG": "1", "PORT": "80000"},
            "PORT is '80000': it must be a whole number from 0 to 65",
        ),
        ({"DEBUG": "1", "WEB_CONCURRENCY": "x"}, "WEB_CONCURRENCY is 'x': it must be a whole"),
        ({"DEBUG": "1", "WEB_CONCURRENCY": "-1"}, "WEB_CONCURRENCY is '-1': it must be a whole"),
        ({"DEBUG": "1", "THROTTLE_ANON": "many"}, "THROTTLE_ANON is 'many': it must be a rate"),
        ({"DEBUG": "1", "DATABASE_URL": "nonsense"}, "DATABASE_URL is wrong: it must be a URL"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(environ, line):
    answer = manage("check", **environ)
    assert answer.returncode == 1
    (printed,) = answer.stderr.splitlines()
    assert printed.startswith(f"Wrong settings: {line}")


def test_production_is_safe_by_default():
    code = (
        "from django.conf import settings as s;"
        "print(s.DEBUG, s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,"
        " s.SESSION_COOKIE_HTTPONLY, s.SECURE_HSTS_SECONDS > 0, s.ALLOWED_HOSTS)"
    )
    answer = manage("shell", "-v0", "-c", code, SECRET_KEY="x" * 60)
    assert answer.stdout.split() == ["False", *["True"] * 5, "[]"]


def test_the_log_goes_to_standard_output():
    code = "import logging; logging.getLogger('todos').warning('hello')"
    answer = manage("shell", "-v0", "-c", code, DEBUG="1")
    assert answer.stdout.endswith("WARNING todos: hello\n")
    assert answer.stderr == ""


APP = {"PUSHER_APP_ID": "3", "PUSHER_KEY": "a-b_C9", "PUSHER_SECRET": "anything: at all"}


def test_pushers_application_is_given_whole_or_not_at_all():
    assert Environment(APP).pusher(debug=False) == tuple(APP.values())
    assert Environment({}).pusher(debug=False) == ("", "", "")
    assert all(Environment({}).pusher(debug=True))
    for name in APP:
        with pytest.raises(ImproperlyConfigured, match=f"missing: {name}\\."):
            Environment({**APP, name: ""}).pusher(debug=True)


@pytest.mark.parametrize(("name", "value"), [("PUSHER_APP_ID", "app"), ("PUSHER_KEY", "a/b")])
def test_pushers_application_has_names_that_its_clients_can_use(name, value):
    with pytest.raises(ImproperlyConfigured, match=name):
        Environment({**APP, name: value}).pusher(debug=False)
