"""Who is subscribed to a channel, and which of them an event can simply be written to.

What a delivery costs beside the system's write is mostly that its connection's memory is far away.
Of most connections nothing needs to be known: they have got everything that came before, and
nothing waits for them. So they are in line: an event is written to their descriptors, one after the
other, and nothing else of them is touched. Who is to be sent anything in another way, or is about
to close its descriptor, steps out of line first.
"""

import os
from collections.abc import Callable, Iterator
from itertools import chain

from realtime.events import Event
from realtime.subscriber import AnySubscriber, Outlet

FEW = 16
"""Subscribers of a channel for whom a line is not worth its memory."""

_MANY = 16
"""Channels of a subscriber that is in no line: to step out of more would take too long."""

_GAPS = 0.1
"""Places of nobody, for each of somebody, that are not worth giving all places anew: it takes a
tenth of the time that writing to nobody does."""

_NOBODY = -1
"""The descriptor of one that has stepped out."""


class Line:
    """Subscribers of one kind that are written the same bytes, one after the other. Each has a
    place, from which it may step out at any moment: it has been told of the event that is being
    told, then, or is told in the ordinary way."""

    __slots__ = ("_descriptors", "_end", "_event", "_outlets", "_places", "_told")

    def __init__(self) -> None:
        self._places: dict[AnySubscriber, int] = {}
        self._descriptors: list[int] = []
        self._outlets: list[Outlet | None] = []
        self._event: Event | None = None
        self._told = self._end = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, subscriber: object) -> bool:
        return subscriber in self._places

    def __iter__(self) -> Iterator[AnySubscriber]:
        return iter(self._places)

    def add(self, subscriber: AnySubscriber, outlet: Outlet, descriptor: int) -> None:
        """Takes in a subscriber that has been told of everything, the event that is being told
        included."""
        # Also while there are no events, but keep-alives that everyone steps out for, and in again.
        if self._told == self._end and len(self._outlets) > 2 * len(self._places):
            self._close_ranks()
        self._places[subscriber] = len(self._outlets)
        self._outlets.append(outlet)
        self._descriptors.append(descriptor)

    def remove(self, subscriber: AnySubscriber) -> None:
        """Lets a subscriber step out; from then on, its descriptor is forgotten."""
        place = self._places.pop(subscriber)
        self._outlets[place], self._descriptors[place] = None, _NOBODY
        # Not one that stepped in later: it has been told, and may be off the channel by now.
        if self._event is not None and self._told <= place < self._end:
            subscriber.deliver(self._event)

    def begin(self, event: Event) -> None:
        """From now on, `tell` and `send` tell of this event."""
        if len(self._outlets) > (1 + _GAPS) * len(self._places):
            self._close_ranks()
        self._event, self._told, self._end = event, 0, len(self._outlets)

    def tell(self, data: bytes, limit: int) -> bool:
        """Writes what the event is encoded as to so many of them; whether some are left. Each
        write lets other threads run."""
        write, size, begin = os.write, len(data), self._told
        # Before they are: who steps out because of what it is written has been told.
        self._told = min(begin + limit, self._end)
        for place, descriptor in enumerate(self._descriptors[begin : self._told], begin):
            try:
                sent = write(descriptor, data)
            except OSError:
                sent = 0
            if sent != size and (outlet := self._outlets[place]) is not None:
                outlet.complete(data[sent:])
        return self._told < self._end

    def send(self, data: bytes, limit: int) -> bool:
        """As `tell`, but no other thread runs meanwhile."""
        begin = self._told
        self._told = min(begin + limit, self._end)
        for outlet in self._outlets[begin : self._told]:
            if outlet is not None:
                # Nothing has to go before, in line: if it does nothing, there is nobody any more.
                outlet.send(data)
        return self._told < self._end

    def settle(self) -> None:
        """Whoever is left is told in the ordinary way."""
        event, self._event = self._event, None
        if event is not None:
            for subscriber in [
                one for one, place in self._places.items() if self._told <= place < self._end
            ]:
                subscriber.deliver(event)

    def _close_ranks(self) -> None:
        kept = list(self._places.values())
        self._outlets = [self._outlets[place] for place in kept]
        self._descriptors = [self._descriptors[place] for place in kept]
        self._places = {subscriber: place for place, subscriber in enumerate(self._places)}


def is_agile(subscriber: AnySubscriber) -> bool:
    """Whether a subscriber could step out of the lines of its channels in no time."""
    return len(subscriber.channels) <= _MANY


class Audience:
    """The subscribers of one channel: some in line, the others not."""

    __slots__ = ("_lines", "_others", "_step_out")

    def __init__(self, step_out: Callable[[AnySubscriber], None]) -> None:
        """`step_out` is called with a subscriber that can't be in any line for now."""
        self._others: dict[AnySubscriber, None] = {}
        self._lines: dict[type[AnySubscriber], Line] | None = None
        self._step_out = step_out

    def __len__(self) -> int:
        return len(self._others) + sum(map(len, self.lines))

    def __iter__(self) -> Iterator[AnySubscriber]:
        return chain(self._others, *self.lines)

    @property
    def lines(self) -> list[Line]:
        """The lines that somebody is in."""
        return [line for line in self._lines.values() if line] if self._lines else []

    @property
    def others(self) -> list[AnySubscriber]:
        """Those that are in no line."""
        return list(self._others)

    def add(self, subscriber: AnySubscriber) -> None:
        """Takes in a subscriber; safe to repeat."""
        if self._line_of(subscriber) is None:
            self._others[subscriber] = None

    def remove(self, subscriber: AnySubscriber) -> None:
        """Forgets a subscriber; safe to repeat."""
        self.step_out(subscriber)
        self._others.pop(subscriber, None)

    def step_in(self, subscriber: AnySubscriber) -> None:
        """Puts one that has been told of everything in line, if that can be; safe to repeat."""
        if subscriber not in self._others or not is_agile(subscriber):
            return
        if self._lines is None and len(self._others) <= FEW:
            return
        outlet = subscriber.outlet
        descriptor = outlet.straight(self._step_out) if outlet is not None else None
        if outlet is not None and descriptor is not None:
            del self._others[subscriber]
            if self._lines is None:
                self._lines = {}
            if (line := self._lines.get(subscriber.__class__)) is None:
                line = self._lines[subscriber.__class__] = Line()
            line.add(subscriber, outlet, descriptor)

    def step_out(self, subscriber: AnySubscriber) -> None:
        """Takes one out of its line, if it is in one."""
        if (line := self._line_of(subscriber)) is not None:
            self._others[subscriber] = None
            line.remove(subscriber)

    def _line_of(self, subscriber: AnySubscriber) -> Line | None:
        line = self._lines.get(subscriber.__class__) if self._lines else None
        return line if line is not None and subscriber in line else None
