"""``EVENTSTREAM_CHANNELMANAGER_CLASS``: the rules that are declared by ``realtime.channel``."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django_eventstream.channelmanager import DefaultChannelManager

from realtime.channels import registry


class ChannelManager(DefaultChannelManager):  # type: ignore[misc]
    """Channels are chosen as django-eventstream does; who may read them, rules decide. Where a
    subclass allows more, that counts for channels that no rule is declared for."""

    def can_read_channel(self, user: Any, channel: str) -> bool:
        """Whether the user, None for somebody who is not logged in, may read a channel."""
        return registry.ruled(user or AnonymousUser(), [channel]) == {channel}
