"""What every broker does."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from realtime.events import Event


class Broker(ABC):
    """Carries events to every listener, in this process and perhaps in others.

    It is an accelerator, not the truth: it may lose messages, repeat them and swap them. Listeners
    see by the events' numbers what is missing and read it from the log. What is ephemeral may be
    lost for good.
    """

    @abstractmethod
    def publish(self, events: Sequence[Event]) -> None:
        """Hands `events` to every listener, as one message. From any thread; never blocks, never
        raises."""

    @abstractmethod
    def listen(self) -> AbstractAsyncContextManager[AsyncIterator[list[Event]]]:
        """Everything published from entering the context on, until it is left."""
