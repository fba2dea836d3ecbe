"""A project of django-eventstream's, moved here by docs/from-django-eventstream.md, and its own
client in a browser."""

import json
import re
from urllib.parse import quote

import httpx
import pytest
from httpx_sse import connect_sse

from tests.own_project import OwnProject, commands, files
from tests.ports import DEADLINE, wait_until

DOCUMENT = "from-django-eventstream.md"
PAGE = """{% load static %}<!doctype html><title>Page</title>
<script src="{% static 'django_eventstream/eventsource.min.js' %}"></script>
<script src="{% static 'django_eventstream/reconnecting-eventsource.js' %}"></script>
"""
MANAGER = """
from django_eventstream.channelmanager import DefaultChannelManager
from realtime.contrib.django_eventstream.channelmanager import ChannelManager


class Own(ChannelManager):
    def can_read_channel(self, user, channel):
        if channel.startswith("_") and user is not None:
            return user.groups.filter(name=channel[1:]).exists()
        return super().can_read_channel(user, channel)

    def is_channel_reliable(self, channel):
        return channel != "room-passing"


class Everything(DefaultChannelManager):
    pass
"""
VIEWS = """
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django_eventstream import get_current_event_id, send_event


@csrf_exempt
def send(request):
    send_event(**__import__("json").loads(request.body))
    return JsonResponse({})


def position(request):
    return JsonResponse({"id": get_current_event_id(request.GET.getlist("channel"))})
"""


@pytest.fixture(scope="module")
def project(packages, tmp_path_factory):
    """The project as its own documentation makes it, and then moved."""
    folder = tmp_path_factory.mktemp("moved")
    project = OwnProject(folder / "mysite", packages, alone=False)
    project.run("django-admin", "startproject", "mysite", folder=folder)
    project.write("chat/__init__.py", "")
    project.write("chat/templates/page.html", PAGE)
    project.write("chat/channelmanager.py", MANAGER)
    project.write("chat/views.py", VIEWS)
    project.write("mysite/settings.py", 'INSTALLED_APPS += ["django_eventstream", "chat"]\n')
    for name, text in files(DOCUMENT).items():
        project.write(name, text)
    project.write("mysite/settings.py", 'ROOT_URLCONF = "chat.routes"\n')
    project.write(
        "chat/routes.py",
        "from django.urls import path\nfrom chat import views\nfrom mysite.urls import *\n"
        'urlpatterns += [path("send/", views.send), path("position/", views.position)]\n',
    )
    project.write(
        "mysite/settings.py",
        "REALTIME_KEEP_ALIVE = 1\nREALTIME_RECHECK_INTERVAL = 3600\n"
        'EVENTSTREAM_CHANNELMANAGER_CLASS = "chat.channelmanager.Own"\n'
        'EVENTSTREAM_ALLOW_ORIGINS = ["https://example.org"]\n',
    )
    check, migrate, _ = (command[2] for command in commands(DOCUMENT)[1:])
    project.manage(
        "shell", "-v0", "-c",
        "from django.contrib.auth.models import Group, User\n"
        "from django.core.management import call_command\n"
        f"call_command('{check}'), call_command('{migrate}')\n"
        "alice = User.objects.create_superuser('alice', password='realtime')\n"
        "alice.groups.add(Group.objects.create(name='team'))",
    )  # fmt: skip
    return project


def serve(project, address=""):
    return project.serving(*commands(DOCUMENT)[-1], "--bind", "{address}", address=address)


@pytest.fixture(scope="module")
def server(project):
    with serve(project) as url:
        yield url


def send(url, channel, event_type, data, **options):
    body = {"channel": channel, "event_type": event_type, "data": data, **options}
    httpx.post(f"{url}/send/", json=body, timeout=DEADLINE).raise_for_status()


def position(url, *channels):
    answer = httpx.get(f"{url}/position/", params={"channel": channels}, timeout=DEADLINE)
    return answer.raise_for_status().json()["id"]


def send_numbered(url, channel, data):
    """Sends an event, and waits until it has its number; the channel's id then."""
    with Reader(f"{url}/events/{channel}/") as reader:
        reader.opened()
        send(url, channel, "message", data)
        while (event := reader.next()).data != str(data):
            pass
        return event.id


class Reader:
    """Reads a stream to the end or to where one is content."""

    def __init__(self, url, last_event_id="", auth=None):
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self.client = httpx.Client(timeout=DEADLINE, auth=auth, headers=headers)
        self.source = connect_sse(self.client, "GET", url)

    def __enter__(self):
        source = self.source.__enter__()
        self.response = source.response
        self.events = source.iter_sse()
        return self

    def __exit__(self, *exc_info):
        self.source.__exit__(*exc_info)
        self.client.close()

    def next(self, kind=None):
        for _ in range(int(DEADLINE)):
            event = next(self.events)
            if event.event != "keep-alive" or kind:
                return event
        raise AssertionError("Nothing came but keep-alives, one a second")

    def opened(self):
        event = self.next()
        assert (event.event, event.data) == ("stream-open", "")
        return self


# Its client


@pytest.fixture
def page(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()


LISTEN = """(url) => {
    const source = new ReconnectingEventSource(url, { max_retry_time: 100 });
    globalThis.heard = [];
    globalThis.opened = 0;
    for (const type of ["message", "stream-reset", "stream-error", "stream-open"])
        source.addEventListener(type, (event) => {
            if (type === "stream-open") globalThis.opened += 1;
            else globalThis.heard.push([type, event.data]);
        });
}"""


def listen(page, url, path):
    page.goto(f"{url}/page/")
    page.evaluate(LISTEN, path)
    wait_until(lambda: page.evaluate("opened") == 1, "the stream to open")


def expect_heard(page, *events):
    wait_until(lambda: len(page.evaluate("heard")) >= len(events), f"{events}")
    assert page.evaluate("heard") == [list(event) for event in events]


@pytest.mark.parametrize(
    "path", ["/news/events/", "/events/news/", "/events/?channel=room-x&channel=news"]
)
def test_its_client_hears_what_is_sent_at_each_kind_of_address(server, page, path):
    listen(page, server, path)
    send(server, "news", "message", {"text": "hello wörld"})
    expect_heard(page, ("message", json.dumps({"text": "hello wörld"})))


def test_its_client_resumes_over_a_restart(project, page):
    with serve(project) as url:
        listen(page, url, "/rooms/one/events/")
        send(url, "room-one", "message", 1)
        expect_heard(page, ("message", "1"))
    project.manage(
        "shell", "-v0", "-c",
        "from django_eventstream import send_event\n"
        "for n in (2, 3): send_event('room-one', 'message', n)",
    )  # fmt: skip
    with serve(project, url.removeprefix("http://")):
        send(url, "room-one", "message", 4)
        expect_heard(page, *(("message", str(n)) for n in (1, 2, 3, 4)))


def test_its_page_shows_what_is_sent(server, page):
    page.goto(f"{server}/browsable/")
    wait_until(lambda: page.locator("#sse-stream").count() == 1, "the page")

    def shown():
        send(server, "news", "message", "on its page")
        return "on its page" in page.locator("#sse-stream").inner_text()

    wait_until(shown, "the event")


# What is on the wire


def test_raw_texts_come_as_they_were_sent(server):
    with Reader(f"{server}/events/?channel=news") as reader:
        reader.opened()
        for data, options in {
            "hello": {},
            "as it is": {"json_encode": False},
            "two\nlines": {"json_encode": False},
            ' "quoted"': {"json_encode": False},
            '{"a":  1}': {"json_encode": False},
            "NaN": {"json_encode": False},
        }.items():
            send(server, "news", "message", data, **options)
            assert reader.next().data == (data if options else json.dumps(data))


def test_the_current_id_is_where_a_stream_begins(server):
    before = position(server, "room-a")
    send(server, "room-a", "message", 1)
    after = send_numbered(server, "room-b", 2)
    # Ids that were asked for at different moments: each counts for its own channel.
    ids = f"{before},{after}"
    send(server, "room-b", "message", 3)
    query = f"channel=room-a&channel=room-b&lastEventId={quote(ids)}"
    with Reader(f"{server}/events/?{query}") as reader:
        reader.opened()
        first, second = reader.next(), reader.next()
    assert [first.data, second.data] == ["1", "3"]
    assert re.fullmatch(r"room-b:\d+", second.id)
    # One id is enough for all channels of a stream.
    send(server, "room-a", "message", 4)
    url = f"{server}/events/?channel=room-a&channel=room-b"
    with Reader(url, last_event_id=first.id) as reader:
        reader.opened()
        assert [reader.next().data for _ in range(2)] == ["3", "4"]


def test_a_client_that_is_cut_off_before_its_first_event_misses_nothing(server):
    with Reader(f"{server}/events/room-c/") as reader:
        opened = reader.next()
    send(server, "room-c", "message", 1)
    with Reader(f"{server}/events/room-c/", last_event_id=opened.id) as reader:
        reader.opened()
        assert reader.next().data == "1"


@pytest.mark.parametrize(
    "old", ["room-d:42", "room-d:x", "room-d:-1", "room-e:1", f"room-d:{2**70}"]
)
def test_ids_that_are_none_of_ours_reset_the_stream(server, old):
    with Reader(f"{server}/events/?channel=room-d", old) as reader:
        reader.opened()
        event = reader.next()
        assert (event.event, json.loads(event.data)) == ("stream-reset", {"channels": ["room-d"]})
        send(server, "room-d", "message", 1)
        assert reader.next().data == "1"


def test_what_is_not_stored_goes_to_those_who_are_connected(server):
    before = position(server, "room-passing")
    with Reader(f"{server}/events/room-passing/") as reader:
        reader.opened()
        send(server, "room-passing", "message", {"a": 1})
        assert reader.next().data == '{"a": 1}'
    assert position(server, "room-passing") == before


def test_a_quiet_stream_is_kept_alive_and_moves_on(server):
    with Reader(f"{server}/events/room-f/") as reader:
        opened = reader.next()
        send(server, "room-g", "message", 1)
        now = position(server, "room-f")
        assert opened.id != now
        wait_until(lambda: reader.next(kind="keep-alive").id == now, "it to move on")


def test_errors_are_events_of_their_own_kind(server):
    for path, condition in {
        "/events/": "bad-request",
        "/events/?channel=a%2Fb": "bad-request",
        "/events/?channel=news&lastEventId=nonsense": "bad-request",
        "/events/?channel=news&recover=true": "bad-request",
        "/events/?channel=news&es-meta=x": "bad-request",
        "/events/?channel=secret": "forbidden",
        "/events/?channel=_team": "forbidden",
        "/events/?channel=realtime.control": "forbidden",
        "/events/?" + "&".join(f"channel=room-{n}" for n in range(101)): "bad-request",
    }.items():
        with Reader(f"{server}{path}") as reader:
            event = reader.next()
            assert reader.response.status_code == 200
            assert event.event == "stream-error"
            assert json.loads(event.data)["condition"] == condition, path
            assert list(reader.events) == []
    refused = httpx.get(f"{server}/events/?channel=news&lastEventId=error", timeout=DEADLINE)
    assert refused.status_code == 400
    assert httpx.get(f"{server}/events/?channel=news&x=%ff", timeout=DEADLINE).status_code == 400


def test_headers_for_other_origins_are_set_as_before(server):
    headers = {"Referer": "https://example.org/page"}
    answer = httpx.get(f"{server}/events/", headers=headers, timeout=DEADLINE)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"


# Rights


def test_a_lost_right_ends_streams_in_every_process(project, server):
    url = f"{server}/events/?channel=_team&channel=news"
    with Reader(url, auth=("alice", "realtime")) as reader:
        reader.opened()
        project.manage(
            "shell", "-v0", "-c",
            "from django.contrib.auth.models import User\n"
            "from django_eventstream import channel_permission_changed\n"
            "alice = User.objects.get()\n"
            "channel_permission_changed(alice, '_team')\n"
            "alice.groups.clear()\n"
            "channel_permission_changed(alice, '_team')",
        )  # fmt: skip
        event = reader.next()
        assert event.event == "stream-error"
        assert event.id == "error"
        told = json.loads(event.data)
        assert (told["condition"], told["channels"]) == ("forbidden", ["_team"])
        assert list(reader.events) == []


# Checks


def test_what_is_still_its_own_is_named(project):
    project.write(
        "chat/unmoved.py",
        "import django_eventstream\nfrom django.urls import include, path\n"
        "from django_eventstream.viewsets import EventsViewSet\n"
        "from mysite.urls import urlpatterns as moved\n"
        "urlpatterns = [*moved, path('old/<channel>/', include(django_eventstream.urls)),\n"
        "    path('view/', EventsViewSet.as_view({'get': 'list'}))]\n",
    )
    project.write(
        "chat/unmoved_settings.py",
        "from mysite.settings import *\nROOT_URLCONF = 'chat.unmoved'\n"
        "del EVENTSTREAM_STORAGE_CLASS, EVENTSTREAM_CHANNELMANAGER_CLASS\n"
        "EVENTSTREAM_REDIS = {}\n",
    )
    printed = project.manage("check", "--settings", "chat.unmoved_settings", fails=True)
    found = re.findall(r"\(realtime\.(\w+)\)", printed)
    assert sorted(found) == ["E009", "E009", "W006", "W007", "W008"]
    assert "old/<channel>/" in printed
