"""One client's WebSocket, from its acceptance on: what the protocol asks for, done."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from django.db import DatabaseError, InterfaceError

from realtime import meters, sequencer, tracing, webhooks
from realtime.bridge import Bridge, Message, Receive, Send
from realtime.conf import settings
from realtime.events import Batch, Event, EventId, data_to_text
from realtime.exceptions import InvalidMember, PresenceFull
from realtime.held import Writer, catch_up, hold
from realtime.names import is_cache
from realtime.pusher import actions, codes, frames, protocol
from realtime.signatures import App
from realtime.stream import Opening
from realtime.subscriber import Subscription
from realtime.websockets import subscribing
from realtime.websockets.sockets import Socket, SocketWire
from realtime.wire import Lend
from realtime.worker import Worker

logger = logging.getLogger(__name__)


class Conversation:
    """Belongs to one connection. What the client sends is done in order, one after the other."""

    def __init__(self, worker: Worker, bridge: Bridge, app: App) -> None:
        self._worker = worker
        self._hub = worker.hub
        self._bridge = bridge
        self._socket = Socket(limit=settings.STREAM_BUFFER, socket_id=_new_socket_id())
        self._protocol = protocol.Connection(
            app,
            self._socket.socket_id,
            self._socket.channels,
            protocol.Limits(
                message=settings.MAX_MESSAGE,
                channels=settings.MAX_CHANNELS_PER_STREAM,
                client_event=settings.MAX_CLIENT_EVENT,
                client_events=settings.MAX_CLIENT_EVENTS,
            ),
        )
        self._writer: Writer[str] | SocketWire
        self._unwatch: Callable[[], None] = _nothing

    async def run(self, slot: int, receive: Receive, send: Send, lend: Lend | None = None) -> None:
        """Goes on until either side leaves."""

        async def pass_on(texts: list[str]) -> None:
            for text in texts:
                await send({"type": "websocket.send", "text": text})

        self._writer = (
            SocketWire(self._worker.flusher, self._socket, lend)
            if lend is not None
            else Writer(self._socket, pass_on)
        )
        sending, receiving = self._send(send), self._receive(receive)
        try:
            await hold(self._worker, self._socket, slot, sending, receiving)
        finally:
            self._unwatch()
            if user := self._protocol.user:
                self._worker.roster.sign_out(self._socket.socket_id, user.user_id)

    async def _send(self, send: Send) -> None:
        socket = self._socket
        await send({"type": "websocket.accept", "headers": tracing.signed([])})
        self._hub.attach(socket)
        socket.write(frames.connection_established(socket.socket_id, settings.ACTIVITY_TIMEOUT))
        if self._worker.draining:
            socket.retire()
        await self._writer.run()
        if not socket.cut:
            await send(close(socket.code, socket.reason))

    async def _receive(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        while (message := await receive())["type"] == "websocket.receive":
            now = self._socket.heard = loop.time()
            action = self._protocol.receive(message.get("text"), now)
            if action is not None and not self._socket.ended:
                await self._do(action)

    async def _do(self, action: actions.Action) -> None:
        socket = self._socket
        match action:
            case actions.Reply(frame):
                socket.write(frame)
            case actions.Ping(after):
                socket.write(frames.pong(self._level(after)))
            case actions.Subscribe():
                await self._try(self._subscribe(action))
            case actions.Unsubscribe(channel):
                self._hub.drop(socket, [channel])
            case actions.Relay(event):
                self._relay(event)
            case actions.SignIn():
                await self._try(self._sign_in(action))
            case actions.Close(code, reason):
                socket.close(code, reason)

    def _level(self, after: EventId | None) -> EventId | None:
        position = self._hub.position
        far = after is None or after.seq <= position.seq
        return position if far and self._hub.is_level(self._socket) else None

    async def _try(self, asking: Coroutine[Any, Any, None]) -> None:
        try:
            await asking
        except (DatabaseError, InterfaceError) as error:
            # The client tries again, from where it is.
            logger.warning("What a client asks for can't be decided on: %s", error)
            self._socket.close(codes.OVER_CAPACITY, "Come back later.", "unavailable")

    # Subscriptions

    async def _subscribe(self, wanted: actions.Subscribe) -> None:
        here = self._hub.position
        try:
            if subscribing.is_immediate(wanted):
                start = subscribing.Start(Opening(here, here))
            else:
                start = await self._bridge.run(subscribing.prepare, wanted, here, self._hub)
        except subscribing.Forbidden:
            meters.count(meters.REFUSED.slot("forbidden"))
            self._socket.forbid([wanted.channel])
            return
        if wanted.last_event_id and not start.opening.reset:
            meters.count(meters.RESUMED.slot("websocket"))
        if wanted.member is None:
            await self._begin(wanted.channel, start)
        else:
            await self._join(wanted.channel, wanted.member, start)
        self._worker.guard.welcome(self._socket, here)

    async def _join(self, channel: str, member: actions.Member, start: subscribing.Start) -> None:
        roster, socket = self._worker.roster, self._socket
        try:
            snapshot = await roster.join(channel, socket.socket_id, member.user_id, member.info)
        except PresenceFull as error:
            meters.count(meters.REFUSED.slot("quota"))
            socket.write(frames.subscription_error(channel, *codes.FULL, str(error)))
            return
        except InvalidMember as error:
            socket.write(frames.subscription_error(channel, *codes.TOO_LARGE, str(error)))
            return
        self._protocol.members[channel] = member.user_id
        socket.versions[channel] = snapshot.version
        try:
            await self._begin(channel, start, snapshot.presence)
        except BaseException:
            # Only who is subscribed leaves by itself.
            roster.leave(channel, socket.socket_id)
            raise

    async def _begin(self, channel: str, start: subscribing.Start, data: str = "{}") -> None:
        socket, opening = self._socket, start.opening
        socket.write(frames.subscription_succeeded(channel, opening.position, data))
        await self._replay(channel, opening)
        if start.cached is not None:
            # Also to who once caused it: it is what the channel begins with.
            socket.write(socket.encode(start.cached))
        elif start.anew and is_cache(channel):
            socket.write(frames.cache_miss(channel))
            webhooks.notify("cache_miss", channel=channel)
        subscription = Subscription(opening.upto, start.grant)
        async for page in catch_up(
            self._hub, self._bridge, socket, [channel], subscription.position
        ):
            await self._replay(channel, page)
            subscription.position = page.upto
        self._hub.subscribe(socket, [channel], subscription)

    async def _replay(self, channel: str, page: Opening) -> None:
        """What is sent here waits for the reader."""
        if page.reset:
            self._socket.write(frames.stream_reset(channel, page.upto, page.reset))
        for event in page.events:
            self._socket.replay(event)
        # Before it is live: what comes then would be too much for who is still busy with a page.
        if page.events:
            await self._writer.flushed()

    # Users

    async def _sign_in(self, wanted: actions.SignIn) -> None:
        socket = self._socket
        try:
            socket.grant = await self._bridge.run(subscribing.grounds_of, wanted)
        except subscribing.Forbidden:
            socket.write(frames.error(codes.UNAUTHORIZED, "You are not logged in any more."))
            return
        socket.user_id = wanted.user.user_id
        self._protocol.user = wanted.user
        self._worker.slots.touch(socket)
        self._worker.roster.sign_in(socket.socket_id, socket.user_id)
        socket.write(frames.signin_success(wanted.user_data))
        self._unwatch()
        if wanted.watchlist:
            self._unwatch = self._worker.watchlists.watch(wanted.watchlist, self._show)

    def _show(self, online: list[str], offline: list[str]) -> None:
        self._socket.write(frames.watchlist_events(online, offline))

    # Client events

    def _relay(self, event: Event) -> None:
        sequencer.broker().publish(Batch((event,)))
        sender = {"user_id": event.user_id} if event.user_id else {}
        webhooks.notify(
            "client_event",
            channel=event.channel,
            event=event.type,
            data=data_to_text(event.data),
            socket_id=event.exclude,
            **sender,
        )


def close(code: int, reason: str) -> Message:
    """How ASGI ends a WebSocket."""
    return {"type": "websocket.close", "code": code, "reason": reason}


def _nothing() -> None:
    """There is no watchlist yet."""


def _new_socket_id() -> str:
    """Nobody can guess it, so nobody can have events exclude it, or sign for it beforehand."""
    return f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}"
