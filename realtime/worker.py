"""What runs beside the requests in each serving process: hub, sequencer, checks, keep-alives."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from django.db import DatabaseError, InterfaceError

from realtime import location, log, meters, readiness, sequencer
from realtime.bookkeeping.books import Books
from realtime.conf import settings
from realtime.database.connections import with_connection
from realtime.events import Batch, EventId
from realtime.exceptions import PositionLost
from realtime.fanout import FanOut
from realtime.grip.feeder import Feeders
from realtime.hub import Hub, jittered
from realtime.publishing import keys
from realtime.rights import evictions, revocation
from realtime.rights.guard import Guard
from realtime.subscriber import AnySubscriber
from realtime.wire import Flusher

logger = logging.getLogger(__name__)

_HOLE_PATIENCE = 0.02
"""Seconds that an event may come later than its successor before it is looked for in the log."""

_PATIENCE = 1.0
"""Seconds for which somebody who comes back waits for the hub."""

_SLOTS = 10
"""Keep-alives are spread over this many moments of their interval."""

_MARGIN = 0.1
"""Share of their interval by which they are early, so that a busy loop still keeps the promise."""


class Worker:
    """The real-time side of one process. Belongs to one event loop."""

    def __init__(self) -> None:
        self.hub: Hub
        self.guard: Guard
        self._books = Books()
        self.slots = self._books.slots
        self.roster = self._books.roster
        self.watchlists = self._books.watchlists
        self.draining = False
        self._loop = asyncio.get_running_loop()
        self.flusher = Flusher()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sequencer = sequencer.Sequencer(self._follow)
        self.pulse = self._sequencer.pulse
        self._feeders = Feeders()
        # Threads of their own, so that slow checks of rights never delay delivery or requests; and
        # one for each kind, so that a check of thousands, or pruning, never delays another.
        self._checks = ThreadPoolExecutor(4, thread_name_prefix="realtime-checks")
        self._moved = asyncio.Event()
        self._slots: list[dict[AnySubscriber, Callable[[], object]]] = [{} for _ in range(_SLOTS)]
        self._next_slot = 0
        self._lag: tuple[int, float] | None = None
        self._looking: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begins to deliver; returns once streams may be opened. Waits for a database that can't be
        reached; raises `DatabaseUnfit` if waiting won't help."""
        position = await readiness.position(self._checks)
        self.hub = Hub(position, settings.RING, FanOut(self.flusher))
        self.flusher.on_idle = self.hub.step_in
        self.guard = Guard(self.hub, self._checks, self._look, self._books.lose)
        logger.info("Database: %s. Broker: %s.", location.describe(), sequencer.broker().describe())
        listening = asyncio.Event()
        for job in (
            self._listen(listening),
            *self._books.open(self.hub),
            self._keep_alive(),
            *self.guard.jobs(),
            self._prune(),
        ):
            task = self._loop.create_task(job)
            self._tasks.add(task)
            task.add_done_callback(self._on_done)
        await listening.wait()
        self._sequencer.start()
        self._feeders.start()
        self._chain_signals()

    async def stop(self) -> None:
        """Ends everything that `start` began."""
        self.drain()
        for task in self._tasks:
            task.remove_done_callback(self._on_done)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._sequencer.stop)
        await asyncio.to_thread(self._feeders.stop)
        await self._books.close()
        self._checks.shutdown()

    def attend(self, subscriber: AnySubscriber, cut: Callable[[], object]) -> Callable[[], None]:
        """Gives a subscriber its turn for keep-alives; `cut` is called if its transport stalls.
        Answers what ends that."""
        slot = self._slots[self._next_slot]
        self._next_slot = (self._next_slot + 1) % _SLOTS
        slot[subscriber] = cut
        return partial(slot.__delitem__, subscriber)

    async def reaches(self, position: EventId) -> bool:
        """Waits until everything up to a position has been handed out; False if that takes long."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while self.hub.position.seq < position.seq:
                    self._look_soon()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def drain(self) -> None:
        """Ends all streams, and every one that opens from now on, telling the clients when to come
        back."""
        self.draining = True
        self._books.drain()
        for subscriber in self.hub:
            subscriber.retire()

    # The log and the broker

    async def _listen(self, listening: asyncio.Event) -> None:
        async with sequencer.broker().listen() as batches:
            listening.set()
            async for batch in batches:
                self._receive(batch)

    def _receive(self, batch: Batch) -> None:
        self._feeders.receive(batch)
        if not self.guard.is_sure():
            return  # What is in the log is read when it is known again who may hear of it.
        if batch.events and batch.after is None:
            for event in batch.events:
                self._books.receive(event)
                self.hub.broadcast(event)
            return
        dispatched, missing = self.hub.receive(batch)
        if missing or not batch.events:
            self._look_soon()
        now = time.time()
        for event in dispatched:
            if event.at:
                meters.LAG.observe(max(0.0, now - event.at))
            self._books.receive(event)
            if user_id := revocation.terminated(event):
                self._terminate(user_id)
            self._evict(*evictions.of(event, self.slots.worker_id))
        self.guard.heed(dispatched)
        if dispatched:
            self._moved.set()
            self._moved.clear()

    def _terminate(self, user_id: str) -> None:
        for subscriber in self.hub:
            subscriber.terminate(user_id)

    def _evict(self, kind: str, numbers: list[int]) -> None:
        if kind == evictions.REVOKE:
            self.guard.hasten()
        # Those that are still being told what they have missed are not at the hub yet.
        everybody = [one for slot in self._slots for one in slot] if numbers else []
        for subscriber in everybody:
            if subscriber.slot in numbers and not subscriber.ended:
                if kind == evictions.REVOKE:
                    self.guard.expel(subscriber)
                else:
                    subscriber.kick()

    def _look_soon(self) -> None:
        """Has the log read, unless in a moment nothing is missing any more: what several processes
        number at the same time may well arrive in another order."""
        if self._looking is None:
            self._looking = self._loop.call_later(_HOLE_PATIENCE, self._look)

    def _look(self) -> None:
        self._looking = self._lag = None
        self._sequencer.wake()

    def _follow(self, numbered: EventId | None) -> None:
        """Reads from the log what the broker did not bring. Runs on the sequencer's thread."""
        now, seen = log.extent(), self.hub.position
        head = now.head
        self.pulse.see(head, now.floor, seen.seq)
        if head == seen or (head == numbered and not self._lags(seen.seq, head.seq)):
            return
        complete = False
        meters.count(meters.HEALED.first)
        while not complete:
            try:
                page = log.read_after(seen)
            except PositionLost as lost:
                reason = "pruned" if lost.reason == "pruned" else "restored"
                self._loop.call_soon_threadsafe(self._restart, head, reason)
                return
            meters.count(meters.HEALED_EVENTS.first, len(page.events))
            self._loop.call_soon_threadsafe(self._receive, Batch(tuple(page.events), seen))
            seen, complete = page.upto, page.complete

    def _lags(self, seen: int, head: int) -> bool:
        """Whether the hub has been without an event, which the broker should bring, for a tick."""
        now = self._loop.time()
        if self._lag is None or seen >= self._lag[0]:
            self._lag = head, now
        return now > self._lag[1] + float(settings.TICK)

    def _restart(self, position: EventId, reason: str) -> None:
        logger.warning("The log can't be continued (%s): all streams are reset", reason)
        meters.values[meters.RESET.slot(reason)] += len(self.hub)
        self.hub.restart(position)
        self.guard.memory.clear()
        self._books.restart()
        for subscriber in self.hub:
            subscriber.reset(position, reason)

    # Time

    async def _keep_alive(self) -> None:
        margin = settings.KEEP_ALIVE * _MARGIN
        step = (settings.KEEP_ALIVE - margin) / _SLOTS
        slot, due = 0, self._loop.time()
        while True:
            due = max(due + step, self._loop.time())
            await asyncio.sleep(due - self._loop.time())
            await self._lull(due + margin)
            slot = (slot + 1) % _SLOTS
            for subscriber, cut in list(self._slots[slot].items()):
                if self._is_stalled(subscriber):
                    subscriber.abort("stalled")
                    cut()
                else:
                    # Not the hub's position for one that is still reading the log, which would be
                    # sent past what it lacks, nor for one that has read further, and be sent back.
                    level = self.hub.is_level(subscriber)
                    subscriber.keep_alive(self.hub.position if level else None)

    async def _lull(self, end: float) -> None:
        """Waits while an event is on its way to many, whom it takes longer to tell when something
        else comes between; but not for ever, for there may always be one."""
        while not self.hub.is_settled and self._loop.time() < end:  # noqa: ASYNC110 - ends soon
            await asyncio.sleep(0)

    def _is_stalled(self, subscriber: AnySubscriber) -> bool:
        since = subscriber.stalled_since
        return since is not None and self._loop.time() > since + float(settings.STALL_TIMEOUT)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(jittered(settings.PRUNE_INTERVAL))
            try:
                await self._loop.run_in_executor(self._checks, with_connection, _prune_tables)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The log can't be pruned, trying again: %s", error)

    # Life cycle

    def _on_done(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and (error := task.exception()):
            # Without this task, delivery would be incomplete, silently: better to start anew.
            logger.critical("A task of the worker failed, stopping the process", exc_info=error)
            signal.raise_signal(signal.SIGTERM)

    def _chain_signals(self) -> None:
        """Drains before the server's own handling of the signals that end it. Servers wait for open
        connections, and streams never end by themselves."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            try:
                previous = signal.getsignal(number)
                signal.signal(number, partial(self._on_signal, previous))
            except ValueError:  # Not in the main thread: whoever started us stops us.
                return

    def _on_signal(self, previous: Any, number: int, frame: Any) -> None:
        self._loop.call_soon_threadsafe(self.drain)
        if callable(previous):
            previous(number, frame)


def _prune_tables() -> None:
    log.prune()
    keys.prune(log.database())
