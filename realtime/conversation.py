"""One client's WebSocket, from its acceptance on: what the protocol asks for, done."""

import asyncio
import logging
import secrets

from django.db import DatabaseError, InterfaceError

from realtime import frames, pusher, sequencer, subscribing
from realtime.bridge import Bridge, Message, Receive, Send
from realtime.conf import settings
from realtime.events import Batch
from realtime.held import Writer, catch_up, hold
from realtime.signatures import App
from realtime.sockets import Socket
from realtime.stream import Opening
from realtime.subscriber import Subscription
from realtime.worker import Worker

logger = logging.getLogger(__name__)


class Conversation:
    """Belongs to one connection. What the client sends is done in order, one after the other."""

    def __init__(self, worker: Worker, bridge: Bridge, app: App) -> None:
        self._worker = worker
        self._hub = worker.hub
        self._bridge = bridge
        self._socket = Socket(limit=settings.STREAM_BUFFER, socket_id=_new_socket_id())
        self._protocol = pusher.Connection(
            app,
            self._socket.socket_id,
            self._socket.channels,
            pusher.Limits(
                message=settings.MAX_MESSAGE,
                channels=settings.MAX_CHANNELS_PER_STREAM,
                client_event=settings.MAX_CLIENT_EVENT,
                client_events=settings.MAX_CLIENT_EVENTS,
            ),
        )

    async def run(self, slot: int, receive: Receive, send: Send) -> None:
        """Goes on until either side leaves."""

        async def pass_on(texts: list[str]) -> None:
            for text in texts:
                await send({"type": "websocket.send", "text": text})

        self._writer = Writer(self._socket, pass_on)
        sending, receiving = self._send(send), self._receive(receive)
        await hold(self._worker, self._socket, slot, sending, receiving)

    async def _send(self, send: Send) -> None:
        socket = self._socket
        await send({"type": "websocket.accept"})
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

    async def _do(self, action: pusher.Action) -> None:
        socket = self._socket
        match action:
            case pusher.Reply(frame):
                socket.write(frame)
            case pusher.Ping():
                level = self._hub.is_level(socket)
                socket.write(frames.pong(self._hub.position if level else None))
            case pusher.Subscribe():
                await self._subscribe(action)
            case pusher.Unsubscribe(channel):
                self._hub.drop(socket, [channel])
            case pusher.Relay(event):
                sequencer.broker().publish(Batch((event,)))
            case pusher.Close(code, reason):
                socket.close(code, reason)

    async def _subscribe(self, wanted: pusher.Subscribe) -> None:
        here = self._hub.position
        try:
            if subscribing.is_immediate(wanted):
                start = subscribing.Start(Opening(here, here))
            else:
                start = await self._bridge.run(subscribing.prepare, wanted, here, self._hub)
        except subscribing.Forbidden:
            self._socket.forbid([wanted.channel])
        except (DatabaseError, InterfaceError) as error:
            # The client tries again, from where it is.
            logger.warning("A subscription could not be decided on: %s", error)
            self._socket.close(pusher.OVER_CAPACITY, "Come back later.")
        else:
            await self._begin(wanted.channel, start)
            self._worker.welcome(self._socket, here)

    async def _begin(self, channel: str, start: subscribing.Start) -> None:
        socket, opening = self._socket, start.opening
        socket.write(frames.subscription_succeeded(channel, opening.position))
        await self._replay(channel, opening)
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
        if page.events:
            await self._writer.flushed()
        for event in page.events:
            self._socket.replay(event)


def close(code: int, reason: str) -> Message:
    """How ASGI ends a WebSocket."""
    return {"type": "websocket.close", "code": code, "reason": reason}


def _new_socket_id() -> str:
    """Nobody can guess it, so nobody can have events exclude it, or sign for it beforehand."""
    return f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}"
