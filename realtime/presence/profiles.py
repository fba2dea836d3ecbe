"""What others may know of a user: who is on a presence channel, and whom somebody looks out for.

By default, a member shows its username. An application says otherwise in its ``realtime.py``::

    @realtime.user_info
    def shown(user):
        return {"name": user.get_full_name(), "color": user.profile.color}

    @realtime.watchlist
    def friends(user):
        return user.friends.values_list("pk", flat=True)
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from realtime.exceptions import AlreadyRegistered

UserInfo = Callable[[Any], dict[str, Any]]
Watchlist = Callable[[Any], Iterable[Any]]
Function = TypeVar("Function", bound=Callable[[Any], Any])

_declared: dict[str, Callable[[Any], Any]] = {}


def user_info(function: UserInfo) -> UserInfo:
    """Declares what members of presence channels see of a user: JSON-able, at most 1 KB of it.
    Raises `AlreadyRegistered` for a second one."""
    return _declare("user_info", function)


def watchlist(function: Watchlist) -> Watchlist:
    """Declares of which users, by primary key, somebody who has signed in is told whether they are
    online; at most 100. Raises `AlreadyRegistered` for a second one."""
    return _declare("watchlist", function)


def user_id(user: Any) -> str:
    """What a user is called in Pusher's protocol, which wants a text."""
    return str(user.pk)


def channel_data(user: Any) -> dict[str, Any]:
    """A member of a presence channel."""
    return {"user_id": user_id(user), "user_info": _info(user)}


def user_data(user: Any) -> dict[str, Any]:
    """Somebody who signs in."""
    data = {"id": user_id(user), "user_info": _info(user)}
    if watched := _declared.get("watchlist"):
        data["watchlist"] = [str(pk) for pk in watched(user)]
    return data


def _info(user: Any) -> Any:
    declared = _declared.get("user_info")
    return declared(user) if declared else {"name": user.get_username()}


def _declare(what: str, function: Function) -> Function:
    if what in _declared:
        raise AlreadyRegistered(f"There is a function for {what} already.")
    _declared[what] = function
    return function
