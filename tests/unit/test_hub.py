import random

import pytest

from realtime.events import Batch, Event, EventId
from realtime.hub import Hub
from realtime.subscriber import Subscriber, Subscription


def numbered(seq, channel="a"):
    return Event(channel, "x", "1", id=EventId(seq, "n" * 8))


def at(seq):
    return EventId(seq, "n" * 8)


def batch(events):
    return Batch(tuple(events), at(events[0].id.seq - 1))


class Plain(Subscriber[bytes]):
    """A transport that says nothing but events."""

    def encode(self, event):
        return f"{event.channel}{event.id.seq if event.id else '~'} ".encode()

    def forbid(self, channels): ...
    def reset(self, position, reason): ...
    def keep_alive(self, position): ...
    def retire(self): ...


def subscriber(seq=0, channels=("a",), **options):
    one = Plain(**options)
    one.wanted = channels, Subscription(at(seq))
    return one


def subscribe(hub, one):
    return hub.subscribe(one, *one.wanted)


def taken(one):
    return b"".join(one.take())


@pytest.fixture
def hub():
    return Hub(at(0), ring=4)


def test_events_reach_the_subscribers_of_their_channel(hub):
    one, other = subscriber(), subscriber(channels=("b",))
    subscribe(hub, one)
    subscribe(hub, other)
    hub.receive(batch([numbered(1), numbered(2, "b")]))
    assert taken(one) == b"a1 "
    assert taken(other) == b"b2 "


def test_replay_from_the_ring_and_live_events_join_without_gap_or_repeat(hub):
    hub.receive(batch([numbered(n) for n in range(1, 4)]))
    late = subscriber(seq=1)
    assert subscribe(hub, late)
    hub.receive(batch([numbered(4)]))
    assert taken(late) == b"a2 a3 a4 "


def test_a_position_older_than_the_ring_is_left_to_the_log(hub):
    hub.receive(batch([numbered(n) for n in range(1, 7)]))
    assert not subscribe(hub, subscriber(seq=1))
    assert len(hub) == 0
    oldest_known = subscriber(seq=2)
    assert subscribe(hub, oldest_known)
    assert taken(oldest_known) == b"a3 a4 a5 a6 "


def test_a_subscriber_ahead_of_the_hub_gets_nothing_twice(hub):
    ahead = subscriber(seq=2)
    subscribe(hub, ahead)
    hub.receive(batch([numbered(1), numbered(2), numbered(3)]))
    assert taken(ahead) == b"a3 "


def test_a_repeated_or_late_message_changes_nothing(hub):
    one = subscriber()
    subscribe(hub, one)
    hub.receive(batch([numbered(1), numbered(2)]))
    assert hub.receive(batch([numbered(1), numbered(2)])) == ([], False)
    assert taken(one) == b"a1 a2 "


def test_at_a_hole_delivery_waits(hub):
    one = subscriber()
    subscribe(hub, one)
    hub.receive(batch([numbered(1)]))
    assert hub.receive(batch([numbered(3), numbered(4)])) == ([], True)
    assert taken(one) == b"a1 "
    dispatched, missing = hub.receive(batch([numbered(2)]))
    assert not missing
    assert [event.id.seq for event in dispatched] == [2, 3, 4]
    assert taken(one) == b"a2 a3 a4 "


def test_what_came_too_early_waits_through_several_holes(hub):
    one = subscriber()
    subscribe(hub, one)
    for number in (5, 3, 2, 4):
        assert hub.receive(batch([numbered(number)])) == ([], True)
    # As the log is read: what waits is part of it.
    hub.receive(batch([numbered(1), numbered(2), numbered(3)]))
    assert taken(one) == b"a1 a2 a3 a4 a5 "
    assert hub.receive(batch([numbered(6)]))[1] is False


def test_events_of_another_log_are_not_dispatched(hub):
    one = subscriber()
    subscribe(hub, one)
    stranger = Event("a", "x", "1", id=EventId(1, "stranger"))
    assert hub.receive(Batch((stranger,), EventId(0, "stranger"))) == ([], True)
    assert hub.receive(Batch((numbered(1), stranger), at(0)))[0] == [numbered(1)]
    assert hub.receive(Batch((stranger, numbered(2)), EventId(0, "stranger"))) == ([], True)
    assert hub.receive(batch([numbered(2)]))[1] is False
    assert taken(one) == b"a1 a2 "


def test_ephemeral_events_take_no_position(hub):
    one = subscriber()
    subscribe(hub, one)
    hub.broadcast(Event("a", "typing", "1"))
    assert taken(one) == b"a~ "
    assert one.channels["a"].position == at(0)


def test_a_reader_that_leaves_too_much_is_cut_and_others_are_not(hub):
    slow, quick = subscriber(limit=5), subscriber()
    subscribe(hub, slow)
    subscribe(hub, quick)
    slow.stalled_since = 0.0
    hub.receive(batch([numbered(1), numbered(2)]))
    assert slow.ended
    assert slow.cut
    assert taken(slow) == b""
    assert taken(quick) == b"a1 a2 "


def test_a_burst_does_not_cut_a_reader_that_keeps_up(hub):
    quick = subscriber(limit=5)
    subscribe(hub, quick)
    hub.receive(batch([numbered(1), numbered(2), numbered(3)]))
    assert taken(quick) == b"a1 a2 a3 "
    assert not quick.ended


def test_after_the_end_nothing_is_written(hub):
    one = subscriber()
    subscribe(hub, one)
    one.end()
    hub.receive(batch([numbered(1)]))
    assert taken(one) == b""


def test_dropped_channels_are_silent_and_the_others_go_on(hub):
    one = subscriber(channels=("a", "b"))
    subscribe(hub, one)
    hub.drop(one, {"a", "unknown"})
    hub.receive(batch([numbered(1), numbered(2, "b")]))
    assert taken(one) == b"b2 "
    assert set(hub.channels) == {"b"}


def test_unsubscribing_forgets_everything_and_may_be_repeated(hub):
    one = subscriber()
    subscribe(hub, one)
    hub.unsubscribe(one)
    hub.unsubscribe(one)
    hub.receive(batch([numbered(1)]))
    assert taken(one) == b""
    assert len(hub) == 0
    assert not hub.channels


def test_after_a_restart_nothing_old_is_remembered(hub):
    one = subscriber()
    subscribe(hub, one)
    hub.receive(batch([numbered(1)]))
    hub.restart(EventId(0, "other000"))
    taken(one)
    first = Event("a", "x", "1", id=EventId(1, "other000"))
    assert hub.receive(Batch((first,), EventId(0, "other000"))) == ([first], False)
    assert taken(one) == b"a1 "


def test_writing_wakes_who_sends():
    woken = []
    one = subscriber()
    one.on_write(lambda: woken.append(1))
    one.write(b"x")
    one.end()
    assert len(woken) == 2


def test_who_has_left_can_still_lose_channels(hub):
    # A check of rights may end after the connection did.
    one = subscriber()
    subscribe(hub, one)
    hub.unsubscribe(one)
    hub.drop(one, {"a"})
    assert not one.channels
    assert not hub.channels


def test_a_hub_remembers_positions_by_number_and_nonce(hub):
    hub.receive(batch([numbered(n) for n in range(1, 7)]))
    remembered = [seq for seq in range(9) if hub.remembers(at(seq))]
    assert remembered == [2, 3, 4, 5, 6]
    assert not hub.remembers(EventId(4, "foreign_"))
    assert not hub.remembers(EventId(6, "foreign_"))
    hub.restart(EventId(5, "other___"))
    assert not hub.remembers(at(4))
    assert hub.remembers(EventId(5, "other___"))


def test_a_hub_tells_which_subscriptions_begin_and_end(hub):
    told = []
    hub.on_change(lambda channel, one, begins: told.append((channel, one.socket_id, begins)))
    one, other = subscriber(socket_id="1.1"), subscriber(socket_id="1.2", channels=("a", "b"))
    subscribe(hub, one)
    subscribe(hub, other)
    hub.drop(other, {"b", "c"})
    hub.unsubscribe(other)
    assert told == [
        ("a", "1.1", True),
        ("a", "1.2", True),
        ("b", "1.2", True),
        ("b", "1.2", False),
        ("a", "1.2", False),
    ]


def test_channels_are_added_one_by_one_each_from_its_own_position(hub):
    one = subscriber(channels=())
    hub.attach(one)
    hub.receive(batch([numbered(1), numbered(2, "b"), numbered(3)]))
    assert hub.subscribe(one, ["a"], Subscription(at(1)))
    assert taken(one) == b"a3 "
    # Another channel may be further than the hub, by another worker: that holds back none but it.
    assert hub.subscribe(one, ["b"], Subscription(at(5)))
    hub.receive(batch([numbered(4, "b"), numbered(5), numbered(6, "b")]))
    assert taken(one) == b"a5 b6 "


def test_a_connection_is_level_with_all_its_channels_or_not_at_all(hub):
    one = subscriber(channels=())
    assert not hub.is_level(one)
    hub.attach(one)
    assert hub.is_level(one)
    hub.subscribe(one, ["a"], Subscription(at(0)))
    hub.subscribe(one, ["b"], Subscription(at(2)))
    assert not hub.is_level(one)
    hub.receive(batch([numbered(1), numbered(2)]))
    assert hub.is_level(one)


def test_each_channel_rests_on_its_own_grounds(hub):
    one = subscriber(channels=())
    for name, grant in (("a", "session"), ("b", "token"), ("c", None), ("d", "token")):
        hub.subscribe(one, [name], Subscription(at(0), grant))
    assert one.grants == {"session", "token"}
    assert one.on_grant("token") == {"b", "d"}
    hub.drop(one, {"a"})
    assert one.grants == {"token"}


class Signed(Plain):
    """One that rests on the grant of its user, too."""

    grant = None

    @property
    def grants(self):
        return super().grants | ({self.grant} if self.grant else set())


@pytest.mark.parametrize("seed", range(20))
def test_all_grants_that_connections_rest_on_are_known_whoever_comes_and_goes(hub, seed):
    dice = random.Random(seed)
    known = [dice.choice((Plain, Signed))() for _ in range(6)]
    for _ in range(300):
        one = dice.choice(known)
        some = dice.sample("abc", dice.randint(1, 3))
        match dice.randrange(6):
            case 0 | 1:
                hub.subscribe(one, some, Subscription(at(0), dice.choice(["x", "y", "z", None])))
            case 2:
                hub.drop(one, some)
            case 3:
                hub.unsubscribe(one)
            case 4:
                hub.attach(one)
            case 5:
                one.grant = dice.choice(["u", "v", None])
        assert hub.grants == {grant for other in hub for grant in other.grants}
