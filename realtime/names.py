"""Channel names, and what their prefixes say. Pure.

Characters, length and prefixes are those of Pusher's protocol, "Channel naming conventions".
"""

import re

from realtime.exceptions import InvalidChannel

MAX_LENGTH = 164
"""As Pusher limits channel names."""

USER = "#server-to-user-"
"""Before a user's id: the channel on which servers reach that user's signed-in connections."""

CONTROL = "realtime.control"
"""Channel on which workers tell each other what is none of a client's business. It has no rule, so
nobody can subscribe to it, and no application can send to it."""

_USER_CHANNEL = re.compile(USER + r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")
_NAME = re.compile(r"[-a-zA-Z0-9_=@,.;]{1,164}", re.ASCII)
_PRIVATE = ("private-", "presence-")
_PRESENCE = "presence-"
_ENCRYPTED = "private-encrypted-"
_CACHE = ("cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-")


def check_name(name: str) -> str:
    """Returns `name` if a channel may be called so, else raises `InvalidChannel`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidChannel(
            f"A channel's name is 1 to {MAX_LENGTH} characters out of letters, digits and -_=@,.;"
        )
    return name


def check_target(name: str) -> str:
    """Returns `name` if an application may send events there, else raises `InvalidChannel`: to any
    channel but the workers' own, and to users."""
    if isinstance(name, str) and _USER_CHANNEL.fullmatch(name):
        return name
    if name == CONTROL:
        raise InvalidChannel(f"The channel {CONTROL} belongs to the workers.")
    return check_name(name)


def is_private(name: str) -> bool:
    """Whether the channel needs a right, whatever the project declares."""
    return name.startswith(_PRIVATE)


def is_presence(name: str) -> bool:
    """Whether the channel shows who is there."""
    return name.startswith(_PRESENCE)


def is_encrypted(name: str) -> bool:
    """Whether the channel's events can be read by its subscribers alone."""
    return name.startswith(_ENCRYPTED)


def is_cache(name: str) -> bool:
    """Whether who subscribes gets the channel's last event at once."""
    return name.startswith(_CACHE)
