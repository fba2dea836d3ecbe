"""What a transaction has told so far: one write may go on within another, by a receiver's hand.

It is kept with the hooks that Django calls after the commit, for of these it forgets what was
rolled back to a savepoint.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import connections

from realtime.publishing.publisher import Image, ModelPublisher

Images = dict[tuple[ModelPublisher, Any], Image | None]
"""What the world sees of objects; None of those that don't exist."""

_moments = count()


def moment() -> int:
    """Now: later than all that was told, and sooner than what will be."""
    return next(_moments)


def keep(images: Images, hook: Callable[[], None]) -> None:
    """Keeps what was told with the hook, which is to be called after the commit."""
    vars(hook).update(realtime_told=images, realtime_moment=moment())


def since(earlier: int, using: str) -> Images:
    """What was told last of objects, of all that was told since a moment."""
    found = []
    for _, hook, *_ in reversed(connections[using].run_on_commit):
        told_at = getattr(hook, "realtime_moment", None)
        if told_at is None:
            continue
        if told_at < earlier:
            break
        found.append(vars(hook)["realtime_told"])
    return {known: image for images in reversed(found) for known, image in images.items()}
