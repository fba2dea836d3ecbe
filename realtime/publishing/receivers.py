"""The places of this package's receivers among those of others, who may write in theirs."""

from typing import Any

from django.db.models.signals import ModelSignal

_PREFIX = "realtime "


def uid(name: str) -> str:
    """The ``dispatch_uid`` by which a receiver is known to be of this package."""
    return _PREFIX + name


def stand_first(signal: ModelSignal) -> None:
    """Has what was written told before others, on hearing of it, write again."""
    _sort(signal, lambda entry: not _is_ours(entry))


def stand_last(signal: ModelSignal) -> None:
    """Has what is about to be written looked at when others have written what they had to before
    it. They may be connected at any time: it is to be called again."""
    # There are none at all where tests mute them.
    if signal.receivers and not _is_ours(signal.receivers[-1]):
        _sort(signal, _is_ours)


def _is_ours(entry: Any) -> bool:
    lookup_key = entry[0]
    return str(lookup_key[0]).startswith(_PREFIX)


def _sort(signal: ModelSignal, key: Any) -> None:
    with signal.lock:
        # Not in place: to others that send meanwhile, a list that is being sorted is empty.
        signal.receivers = sorted(signal.receivers, key=key)
        signal.sender_receivers_cache.clear()
