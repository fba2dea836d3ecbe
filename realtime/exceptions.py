"""Every exception that this package raises; all descend from `RealtimeError`."""


class RealtimeError(Exception):
    """Base of the package's exceptions."""


class InvalidChannel(RealtimeError, ValueError):
    """A channel name has characters or a length that no channel may have."""


class InvalidEvent(RealtimeError, ValueError):
    """An event's type or data cannot be put on the wire."""


class InvalidBody(RealtimeError, ValueError):
    """A request to Pusher's HTTP API does not say what it should."""


class TooMuchData(RealtimeError, ValueError):
    """An event's data is larger than an application may send."""


class NoEncryptionKey(RealtimeError):
    """Encrypted channels need Django's setting ``PUSHER_ENCRYPTION_MASTER_KEY``."""


class InvalidEventId(RealtimeError, ValueError):
    """A text is not an event id that this project ever gave out."""


class PositionLost(RealtimeError):
    """The log cannot be replayed from a position; the client must refetch.

    `reason` is one of ``pruned``, ``unknown-id`` and ``restored``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProxyUnavailable(RealtimeError):
    """A GRIP proxy does not take what is published to it."""


class DatabaseUnfit(RealtimeError):
    """The database can't be served from as it is, however long one waits."""


class NotRegistered(RealtimeError, LookupError):
    """A model has no publisher."""


class AlreadyRegistered(RealtimeError):
    """A model has a publisher already, or a channel pattern a rule."""


class UncoveredWrite(RealtimeError):
    """A bulk write whose changed rows cannot be known, so it could not be published."""


class InvalidMember(RealtimeError, ValueError):
    """Who wants to join a presence channel has no usable id, or too much information."""


class InvalidTab(RealtimeError, ValueError):
    """A tab in which somebody edits can't be called so."""


class PresenceFull(RealtimeError):
    """A presence channel has as many members as it may have."""


class InvalidCondition(RealtimeError, ValueError):
    """A conditional request's header is malformed."""
