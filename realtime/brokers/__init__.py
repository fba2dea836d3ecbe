"""How events travel between the processes of a project; see `base`."""

from importlib.util import find_spec
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from realtime.brokers.base import Broker as Broker
from realtime.brokers.memory import MemoryBroker as MemoryBroker
from realtime.conf import BROKERS

PACKAGES = {"RedisBroker": ("redis", "redis"), "PostgresBroker": ("psycopg", "postgres")}
"""What brokers import, and the extra that it comes with."""


def lacking(url: str) -> tuple[str, str] | None:
    """The package that the broker at a URL needs and that is not installed, and the extra that it
    comes with; None if nothing is missing."""
    package, extra = PACKAGES[BROKERS[urlsplit(url).scheme].rpartition(".")[2]]
    return (package, extra) if find_spec(package) is None else None


def connect(url: str, topic: str) -> Broker:
    """The broker at a URL, or without one that of a single process. Those of one `topic` hear each
    other. Raises `ImproperlyConfigured` if what it needs is not installed."""
    if not url:
        return MemoryBroker()
    if missing := lacking(url):
        raise ImproperlyConfigured(
            f"REALTIME_BROKER_URL needs {missing[0]}, which is not installed. Install this package"
            f" with the extra `{missing[1]}`."
        )
    broker: Broker = import_string(BROKERS[urlsplit(url).scheme])(url, topic)
    return broker
