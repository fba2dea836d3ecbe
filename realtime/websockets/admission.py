"""A WebSocket's handshake, and what its view says of it."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from realtime import tracing, wire
from realtime.bridge import Bridge, Message, Receive, Response, Scope, Send, body, start
from realtime.conf import pusher_app
from realtime.pusher import codes
from realtime.websockets.conversation import Conversation, close
from realtime.worker import Worker

DECIDED = (b"grip-hold", b"websocket")
"""The header of an answer that is an `Admission`, as a JSON list."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What the handshake's view has decided."""

    slot: int = 0
    """What the connection is counted by."""
    code: int = 0
    """By what to close the connection at once; 0 lets it go on."""
    reason: str = ""

    @classmethod
    def of(cls, response: Response) -> Self | None:
        """What an answer says; None if the handshake is refused. Clients learn nothing from a
        refusal, so where a code says what to do it is told after accepting."""
        if DECIDED in response.headers:
            return cls(*json.loads(response.body))
        if response.status == 301:
            return cls(code=codes.TLS_ONLY, reason="Only by TLS.")
        if response.status >= 500:
            return cls(code=codes.OVER_CAPACITY, reason="Come back later.")
        if response.status < 400 or response.status == 404:
            return cls(code=codes.NO_PATH, reason="There is nothing to talk to at this path.")
        return None


def reporting(send: Send) -> Send:
    """A `send` that says of a client who is gone what asyncio says: uvloop says RuntimeError."""

    async def sent(message: Message) -> None:
        try:
            await send(message)
        except RuntimeError as error:
            if "closed" not in str(error):
                raise
            raise ConnectionResetError(str(error)) from error

    return sent


async def postpone(receive: Receive, send: Send) -> None:
    """Has a client try again a little later."""
    await receive()
    with suppress(OSError):
        await _send_away(codes.OVER_CAPACITY, "Come back later.", reporting(send))


async def serve(worker: Worker, bridge: Bridge, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a handshake, and serves the connection until it ends."""
    await receive()
    send = reporting(send)
    response = await bridge.handshake(scope, worker)
    admission, app = Admission.of(response), pusher_app()
    with suppress(OSError):
        if admission is None:
            await _refuse(response, scope, send)
        elif admission.code or app is None:
            await _send_away(admission.code or codes.NO_APP, admission.reason, send)
        else:
            lend = wire.lender(scope)
            await Conversation(worker, bridge, app).run(admission.slot, receive, send, lend)


async def _refuse(response: Response, scope: Scope, send: Send) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        for message in (start(response), body(response.body, more=False)):
            await send({**message, "type": f"websocket.{message['type']}"})
    else:
        await send({"type": "websocket.close"})


async def _send_away(code: int, reason: str, send: Send) -> None:
    await send({"type": "websocket.accept", "headers": tracing.signed([])})
    await send(close(code, reason))
