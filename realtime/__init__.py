"""Real-time events for Django: one ordered log, pushed over Server-Sent Events.

The names below are the public API. They are loaded on first use, so that ``import realtime`` works
while Django is still loading its applications.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.application import get_asgi_application as get_asgi_application
    from realtime.channels import channel as channel
    from realtime.presence.profiles import user_info as user_info
    from realtime.presence.profiles import watchlist as watchlist
    from realtime.publishing.publisher import ModelPublisher as ModelPublisher
    from realtime.publishing.publisher import register as register
    from realtime.rights.revocation import recheck as recheck
    from realtime.triggers import trigger as trigger

__all__ = [
    "ModelPublisher",
    "channel",
    "get_asgi_application",
    "recheck",
    "register",
    "trigger",
    "user_info",
    "watchlist",
]

_MODULES = {
    "ModelPublisher": "realtime.publishing.publisher",
    "channel": "realtime.channels",
    "get_asgi_application": "realtime.application",
    "recheck": "realtime.rights.revocation",
    "register": "realtime.publishing.publisher",
    "trigger": "realtime.triggers",
    "user_info": "realtime.presence.profiles",
    "watchlist": "realtime.presence.profiles",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
