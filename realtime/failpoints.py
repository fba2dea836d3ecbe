"""Named points of the code at which tests have a process die or stand still.

A served process passes them by: no setting and no variable arms them, only code that calls `arm`,
and that is in ``tests/torture/settings.py`` alone.
"""

from collections.abc import Callable


def _pass(name: str) -> None:
    """Nothing happens here."""


reach: Callable[[str], None] = _pass
"""Says that the point of this name was reached. Call it by its module, which `arm` changes."""


def arm(handler: Callable[[str], None]) -> None:
    """Has `handler` called with the name of each point that is reached from now on."""
    global reach
    reach = handler
