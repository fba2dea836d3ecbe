"""Channels with Redis, as its tutorial says, under daphne; one group, no rights."""

import json
import os
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-benchmarks",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["daphne", "channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # By default, all but 100 of the messages for one process's consumers are dropped.
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]], "capacity": 100_000},
        }
    },
)
django.setup()

from asgiref.sync import async_to_sync
from channels.generic.websocket import WebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def publish(request: HttpRequest) -> HttpResponse:
    """Sends the body to all."""
    note = {"type": "note", "data": request.body.decode()}
    async_to_sync(get_channel_layer().group_send)("one", note)
    return HttpResponse()


class Consumer(WebsocketConsumer):
    """A reader of the group."""

    def connect(self) -> None:
        """Joins."""
        async_to_sync(self.channel_layer.group_add)("one", self.channel_name)
        self.accept()

    def disconnect(self, code: int) -> None:
        """Leaves."""
        async_to_sync(self.channel_layer.group_discard)("one", self.channel_name)

    def note(self, event: dict[str, Any]) -> None:
        """Passes an event on."""
        self.send(text_data=json.dumps({"event": "note", **json.loads(event["data"])}))


urlpatterns = [path("pub", publish)]
application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("", Consumer.as_asgi())]),
    }
)
