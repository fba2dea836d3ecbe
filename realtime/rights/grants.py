"""Grants: on what grounds a stream is open, and whether these still hold.

An open stream has no request that Django would authenticate anew. So that a logout, a deleted
token, a disabled user or a changed password ends it, all grants of a worker are checked together
every few seconds, by one query for each kind of ground.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from importlib import import_module
from typing import Any, Self

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from realtime.database.chunks import chunked


@dataclass(frozen=True, slots=True)
class Grant:
    """Who has opened a stream, and by which credential. All fields are JSON's own types."""

    user: int | str | None = None
    """Primary key, None for somebody who is not logged in."""
    session: str = ""
    token: str = ""
    password: str = ""
    """A hash that changes with the user's password, if the credential ends with it."""
    address: str = ""
    """Of somebody who is not logged in, to count their streams."""

    @property
    def owner(self) -> str:
        """Against whose quota the stream counts."""
        return f"address {self.address}" if self.user is None else f"user {self.user}"

    @property
    def ends(self) -> bool:
        """Whether it is noticed when the credential ends; that of a project's own authentication
        may end without a trace."""
        return self.user is None or bool(self.session or self.token or self.password)

    def dump(self) -> str:
        """JSON that `load` reads."""
        return json.dumps(astuple(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """Reads what `dump` wrote."""
        return cls(*json.loads(text))

    @classmethod
    def of(cls, request: Request) -> Self:
        """The grounds on which a request of REST framework was authenticated."""
        user, auth = request.user, request.auth
        if not user.is_authenticated:
            return cls(address=BaseThrottle().get_ident(request))
        if isinstance(auth, cls):
            return auth
        pk = user.pk if isinstance(user.pk, int) else str(user.pk)
        authenticator = request.successful_authenticator
        if isinstance(authenticator, SessionAuthentication):
            session = request._request.session.session_key or ""
            return cls(pk, session=session, password=user.get_session_auth_hash())
        if isinstance(authenticator, BasicAuthentication):
            return cls(pk, password=user.get_session_auth_hash())
        return cls(pk, token=getattr(auth, "key", ""))


def users(grants: Iterable[Grant]) -> dict[Grant, Any]:
    """The users of those grants that hold, as the database has them now."""
    grants = set(grants)
    by_pk = _users({grant.user for grant in grants if grant.user is not None})
    sessions = _sessions({grant.session for grant in grants if grant.session})
    tokens = _tokens({grant.token for grant in grants if grant.token})
    found: dict[Grant, Any] = {}
    for grant in grants:
        user: Any = AnonymousUser() if grant.user is None else by_pk.get(str(grant.user))
        if (
            user is not None
            and (not grant.session or grant.session in sessions)
            and (not grant.token or grant.token in tokens)
            and (not grant.password or grant.password == user.get_session_auth_hash())
        ):
            found[grant] = user
    return found


def revoke(grants: Iterable[Grant]) -> set[Grant]:
    """Ends the sessions and tokens of these grants; answers those that rest on neither, and so on
    nothing that could be ended without ending the user."""
    grants = set(grants)
    store = import_module(django_settings.SESSION_ENGINE).SessionStore
    for grant in grants:
        if grant.session:
            store().delete(grant.session)
    if keys := {grant.token for grant in grants if grant.token}:
        from rest_framework.authtoken.models import Token  # noqa: PLC0415 - as in `_tokens`

        for chunk in chunked(keys):
            Token.objects.filter(key__in=chunk).delete()
    return {grant for grant in grants if not (grant.session or grant.token)}


def _users(pks: Collection[Any]) -> dict[str, Any]:
    manager = get_user_model()._default_manager
    active = [
        user for chunk in chunked(pks) for user in manager.filter(pk__in=chunk) if user.is_active
    ]
    return {str(user.pk): user for user in active}


def _sessions(keys: Collection[str]) -> set[str]:
    if not keys:
        return set()
    store = import_module(django_settings.SESSION_ENGINE).SessionStore
    if not hasattr(store, "get_model_class"):
        return {key for key in keys if store().exists(key)}
    rows = store.get_model_class().objects.filter(expire_date__gt=timezone.now())
    return _stored(rows, "session_key", keys)


def _tokens(keys: Collection[str]) -> set[str]:
    if not keys:
        return set()
    # Imported here: a project without token authentication need not install its app.
    from rest_framework.authtoken.models import Token  # noqa: PLC0415

    return _stored(Token.objects.all(), "key", keys)


def _stored(rows: Any, column: str, keys: Collection[str]) -> set[str]:
    return {
        key
        for chunk in chunked(keys)
        for key in rows.filter(**{f"{column}__in": chunk}).values_list(column, flat=True)
    }
