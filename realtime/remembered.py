"""What is remembered of streams that have just opened, or just ended.

A network that breaks has thousands of clients ask for the same again, all at once, and somebody
with many tabs asks for the same in each of them: the database would be asked thousands of questions
whose answers are known.

What may be remembered is what would end a stream if it were still open: whoever loses a right, or
the grounds of one, is forgotten at the moment in which their stream would have ended.
"""

import time
from collections.abc import Callable, Collection, Hashable, KeysView
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]

_SECONDS = 30.0
"""For how long. A connection that comes back later is checked like any other."""
_LIMIT = 20_000
_KINDS = 100
"""Different headers of answers: there is one for each origin that may read them."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream as it was opened."""

    channels: tuple[str, ...]
    grant: Any
    headers: Headers
    """Those of the answer."""
    member: str = ""
    """Whom it made a member, as JSON text."""


class Memory:
    """Openings by the requests that asked for them. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Oldest first.
        self._opened: dict[Hashable, tuple[float, Opened]] = {}
        self._by_channel: dict[str, set[Hashable]] = {}
        self._headers: dict[Headers, Headers] = {}

    def __len__(self) -> int:
        return len(self._opened)

    def remember(self, request: Hashable, opened: Opened) -> None:
        """Keeps an opening for a while; one that is known already stays the same object: whoever
        has it and finds it again knows that it was never forgotten."""
        known = self._forget(request)
        opened = known if known == opened else opened
        self._opened[request] = self._clock() + _SECONDS, opened
        for channel in opened.channels:
            self._by_channel.setdefault(channel, set()).add(request)
        self._tidy()

    def recall(self, request: Hashable) -> Opened | None:
        """The opening by the same request, if there was one lately and its rights have not ended
        since."""
        self._tidy()
        found = self._opened.get(request)
        return found[1] if found else None

    @property
    def channels(self) -> KeysView[str]:
        """The channels that openings are remembered of."""
        return self._by_channel.keys()

    @property
    def grants(self) -> set[Any]:
        """The grants that openings rest on."""
        return {opened.grant for _, opened in self._opened.values()}

    def forget_channels(self, names: Collection[str]) -> None:
        """Rights to these channels may have ended."""
        for name in names:
            for request in list(self._by_channel.get(name, ())):
                self._forget(request)

    def forget_grants(self, grants: Collection[Any]) -> None:
        """These grants have ended."""
        for request, (_, opened) in list(self._opened.items()):
            if opened.grant in grants:
                self._forget(request)

    def shared(self, headers: Headers) -> Headers:
        """The same headers, held once for the thousands of answers that have them."""
        if len(self._headers) >= _KINDS:
            self._headers.clear()
        return self._headers.setdefault(headers, headers)

    def clear(self) -> None:
        """Forgets everything."""
        self._opened.clear()
        self._by_channel.clear()

    def _tidy(self) -> None:
        while self._opened:
            oldest = next(iter(self._opened))
            if len(self._opened) <= _LIMIT and self._opened[oldest][0] > self._clock():
                return
            self._forget(oldest)

    def _forget(self, request: Hashable) -> Opened | None:
        if (found := self._opened.pop(request, None)) is None:
            return None
        for channel in found[1].channels:
            requests = self._by_channel[channel]
            requests.discard(request)
            if not requests:
                del self._by_channel[channel]
        return found[1]
