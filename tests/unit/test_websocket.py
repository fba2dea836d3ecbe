"""An open WebSocket as the worker sees it, and how frames are sent. These tests have no server."""

import asyncio
import json

import pytest

from realtime.bridge import Response
from realtime.events import MEMBER_JOINED, Event, EventId
from realtime.held import Writer
from realtime.pusher import codes
from realtime.subscriber import Subscription
from realtime.websockets.admission import DECIDED, Admission
from realtime.websockets.sockets import Socket


def run(test):
    asyncio.run(test())


def socket():
    return Socket(limit=1000, socket_id="1.1")


def joined(version, channel="presence-a"):
    data = json.dumps({"id": f"u{version}", "info": None, "version": version})
    return Event(channel, MEMBER_JOINED, data, id=EventId(version, "n" * 8))


def names(one):
    return [json.loads(frame)["event"] for frame in one.take()]


def test_members_that_the_first_answer_has_shown_are_not_shown_again():
    async def main():
        one = socket()
        for name in ("presence-a", "presence-b"):
            one.channels[name] = Subscription(EventId(0, "n" * 8))
        one.versions["presence-a"] = 2
        for version in (1, 2, 3):
            one.deliver(joined(version))
        one.deliver(joined(1, "presence-b"))
        one.deliver(Event("presence-a", "x", "1"))
        shown = [json.loads(frame) for frame in one.take()]
        assert [frame["channel"] for frame in shown] == ["presence-a", "presence-b", "presence-a"]
        assert json.loads(shown[0]["data"])["user_id"] == "u3"

    run(main)


def test_an_event_skips_the_connection_that_caused_it_and_no_other():
    async def main():
        for cause, shown in (("1.1", ["y"]), ("1.2", ["x", "y"])):
            one = socket()
            one.channels["a"] = Subscription(EventId(0, "n" * 8))
            one.deliver(Event("a", "x", "1", id=EventId(1, "n" * 8), exclude=cause))
            one.deliver(Event("a", "y", "1", id=EventId(2, "n" * 8)))
            assert names(one) == shown

    run(main)


def test_a_user_s_connections_end_with_the_user_s_grounds_or_on_request():
    async def main():
        for end in (lambda one: one.revoke("grant"), lambda one: one.terminate("u1")):
            one = socket()
            one.user_id, one.grant = "u1", "grant"
            assert one.grants == {"grant"}
            one.revoke("another")
            one.terminate("u2")
            assert not one.ended
            end(one)
            assert (one.ended, one.code) == (True, codes.UNAUTHORIZED)

    run(main)


def test_the_silent_are_pinged_then_sent_away(settings):
    settings.REALTIME_ACTIVITY_TIMEOUT = 10.0

    async def main():
        one = socket()
        now = asyncio.get_running_loop().time()
        for silence, pinged, frames, ended in (
            (5, 100, [], False),
            (35, 100, ["pusher:ping"], False),  # Not asked yet, however long it was silent.
            (25, 5, [], False),
            (25, 15, [], True),
        ):
            one.heard, one.pinged = now - silence, now - pinged
            one.keep_alive(None)
            assert (names(one), one.ended) == (frames, ended)
        assert one.code == codes.SILENT

    run(main)


def test_the_first_reason_to_end_counts():
    async def main():
        one = socket()
        one.close(codes.UNAUTHORIZED, "first")
        one.close(codes.OVER_CAPACITY, "second")
        assert (one.code, one.reason) == (codes.UNAUTHORIZED, "first")

    run(main)


def test_who_has_much_to_write_waits_until_all_is_sent():
    async def main():
        one, sent, taking = socket(), [], asyncio.Event()

        async def send(frames):
            await taking.wait()
            sent.extend(frames)

        writer = Writer(one, send)
        await writer.flushed()
        one.write("a")
        sending = asyncio.create_task(writer.run())
        flushed = asyncio.create_task(writer.flushed())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert one.stalled_since is not None
        one.write("b")
        assert not flushed.done()
        taking.set()
        await flushed
        assert sent == ["a", "b"]
        one.end()
        await sending

    run(main)


def test_a_reader_that_takes_nothing_is_cut():
    async def main():
        one = socket()
        writer = Writer(one, lambda frames: asyncio.Event().wait())
        one.write("a")
        sending = asyncio.create_task(writer.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        one.stalled_since -= 60
        one.write("x" * 1001)
        assert one.cut
        assert one.take() == []
        sending.cancel()

    run(main)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, codes.TLS_ONLY),
        (302, codes.NO_PATH),
        (200, codes.NO_PATH),
        (404, codes.NO_PATH),
        (500, codes.OVER_CAPACITY),
        (503, codes.OVER_CAPACITY),
    ],
)
def test_an_answer_that_is_no_decision_still_says_by_which_code_to_close(status, code):
    assert Admission.of(Response(status, [], b"<html>")).code == code


def test_a_decision_is_read_and_a_refusal_is_none():
    decided = Response(200, [(b"content-type", b"application/json"), DECIDED], b'[7,0,""]')
    assert Admission.of(decided) == Admission(slot=7)
    for status in (400, 403, 406):
        assert Admission.of(Response(status, [], b"")) is None
