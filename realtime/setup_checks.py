"""System checks of a project's settings: what the stream needs, and what is misspelt."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.urls import (
    NoReverseMatch,
    URLResolver,
    get_resolver,
    get_script_prefix,
    resolve,
    reverse,
)

from realtime.brokers import PACKAGES
from realtime.conf import (
    BROKERS,
    known_settings,
    pusher_encryption_key,
    pusher_fault,
    pusher_values,
    settings,
)

_APPS = {
    "django.contrib.auth": "Streams are opened by users, and rights are theirs.",
    "django.contrib.contenttypes": "django.contrib.auth needs it.",
    "rest_framework": "Streams are views of REST framework's, and shown by its pages.",
}

_BROWSABLE = Path("templates/rest_framework")


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Names missing applications, addresses and packages, templates and views that are never
    found, and settings that are none."""
    found = [*_applications(), *_hidden_templates(), *_misspelt(), *_pusher()]
    try:
        settings.TICK  # noqa: B018 - reads them all
    except ImproperlyConfigured as error:
        return [*found, Error(str(error), id="realtime.E007")]
    return [*found, *_packages(), *_lacking_metrics(), *_addresses()]


def _applications() -> Iterator[CheckMessage]:
    for name, reason in _APPS.items():
        if not apps.is_installed(name):
            yield Error(
                f"{name} is not in INSTALLED_APPS.", hint=f"Add it. {reason}", id="realtime.E005"
            )


def _hidden_templates() -> Iterator[CheckMessage]:
    """By a template of REST framework's name, an application makes the browsable API live, and
    Django takes the first one that it finds."""
    configs = {config.name: Path(config.path) for config in apps.get_app_configs()}
    names = list(configs)
    if "rest_framework" not in configs:
        return
    theirs = configs["rest_framework"] / _BROWSABLE
    for name in names[names.index("rest_framework") + 1 :]:
        for path in sorted((configs[name] / _BROWSABLE).glob("*.html")):
            if (theirs / path.name).exists():
                yield Warning(
                    f"{name}'s template rest_framework/{path.name} is never found: REST framework"
                    " has one of that name, and stands before it in INSTALLED_APPS.",
                    hint=f"Put {name} before rest_framework.",
                    id="realtime.W010",
                )


def _misspelt() -> Iterator[CheckMessage]:
    known = known_settings()
    for name in dir(django_settings):
        if name.startswith("REALTIME_") and name not in known:
            yield Warning(
                f"{name} is not a setting.",
                hint=f"There are: {', '.join(sorted(known))}.",
                id="realtime.W005",
            )


def _pusher() -> Iterator[CheckMessage]:
    if fault := pusher_fault(pusher_values()):
        yield Error(
            fault,
            hint="Until then, none of Pusher's clients and servers is let in.",
            id="realtime.E011",
        )


def _packages() -> Iterator[CheckMessage]:
    needed = []
    if url := settings.BROKER_URL:
        broker = BROKERS[urlsplit(url).scheme].rpartition(".")[2]
        needed.append(("REALTIME_BROKER_URL", *PACKAGES[broker]))
    if settings.GRIP_URL:
        needed.append(("REALTIME_GRIP_URL", "gripcontrol", "grip"))
    if pusher_encryption_key():
        needed.append(("PUSHER_ENCRYPTION_MASTER_KEY", "nacl", "pusher"))
    for setting, module, extra in needed:
        if find_spec(module) is None:
            yield Error(
                f"{setting} needs {module}, which is not installed.",
                hint=f"Install this package with the extra `{extra}`.",
                id="realtime.E008",
            )


def _lacking_metrics() -> Iterator[CheckMessage]:
    """No error: all else works."""
    if settings.METRICS_TOKEN and find_spec("prometheus_client") is None:
        yield Warning(
            "REALTIME_METRICS_TOKEN is set, but /metrics answers 501: it needs prometheus_client,"
            " which is not installed.",
            hint="Install this package with the extra `metrics`.",
            id="realtime.W012",
        )


def _addresses() -> Iterator[CheckMessage]:
    try:
        address = reverse("realtime:stream")
    except NoReverseMatch:
        # No error: makemigrations comes before the addresses.
        yield Warning(
            "The streams have no address: nobody can subscribe, and lists can't say where to.",
            hint='Add path("api/events/", include("realtime.urls")) to the urlpatterns of'
            f" {django_settings.ROOT_URLCONF}.",
            id="realtime.W009",
        )
        return
    path = f"/{address.removeprefix(get_script_prefix())}"
    found = resolve(path)
    if found.view_name != "realtime:stream":
        yield Warning(
            f"{address} is the streams' address, but {_called(found.func)} answers there.",
            hint='Put include("realtime.urls") before it in the urlpatterns.',
            id="realtime.W011",
        )
        return
    for view in _answering(get_resolver(), path):
        if view is not found.func:
            yield Warning(
                f"{_called(view)} has the address {address}, at which the streams answer.",
                hint="Give it another address: whoever asks for it does not reach it.",
                id="realtime.W011",
            )


def _answering(resolver: URLResolver, path: str) -> Iterator[Any]:
    """The views that were meant for just this path, not for all that nobody else answers."""
    rest = _rest(resolver, path)
    if rest is None:
        return
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            yield from _answering(one, rest)
        elif _rest(one, rest) is not None and _rest(one, f"{rest}~") is None:
            yield one.callback


def _rest(pattern: Any, path: str) -> str | None:
    """What of the path is behind a pattern; None if it is for other paths, or for any."""
    match = pattern.pattern.match(path)
    return match[0] if match and not (match[1] or match[2]) else None


def _called(view: Any) -> str:
    view = getattr(view, "cls", None) or getattr(view, "view_class", view)
    return f"{view.__module__}.{getattr(view, '__qualname__', type(view).__name__)}"
