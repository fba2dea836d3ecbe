"""How events travel between the processes of a project; see `base`."""

from urllib.parse import urlsplit

from django.utils.module_loading import import_string

from realtime.brokers.base import Broker as Broker
from realtime.brokers.memory import MemoryBroker as MemoryBroker
from realtime.conf import BROKERS


def connect(url: str, topic: str) -> Broker:
    """The broker at a URL, or without one that of a single process. Those of one `topic` hear each
    other."""
    if not url:
        return MemoryBroker()
    broker: Broker = import_string(BROKERS[urlsplit(url).scheme])(url, topic)
    return broker
