"""What every broker does."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from realtime.events import Batch


class Broker(ABC):
    """Carries batches of events to every listener, in this process and perhaps in others.

    It is an accelerator, not the truth: it may lose batches, repeat them and swap them. Listeners
    see by the events' positions what is missing and read it from the log; an empty batch tells them
    to look there. What is ephemeral may be lost for good.
    """

    @abstractmethod
    def publish(self, batch: Batch) -> None:
        """Hands `batch` to every listener. From any thread; never blocks, never raises."""

    @abstractmethod
    def listen(self) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """Everything published from entering the context on, until it is left.

        Only for other processes' batches it may take a moment until they arrive; an empty batch
        says that they do from now on."""

    @abstractmethod
    def describe(self) -> str:
        """How, and how soon, other processes hear of what is published; a line for the log."""

    def trouble(self) -> str:
        """What is wrong with it, if something is: words for everybody, without names and addresses.
        From any thread; never blocks."""
        return ""
