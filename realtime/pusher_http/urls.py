"""The addresses that Pusher's clients and servers know; include them at the root."""

from django.urls import path

from realtime.pusher_http.api import (
    BatchView,
    ChannelsView,
    ChannelView,
    EventsView,
    TerminateView,
    UsersView,
)
from realtime.pusher_http.auth import ChannelAuthView, UserAuthView

app_name = "pusher"
urlpatterns = [
    path("apps/<app_id>/events", EventsView.as_view(), name="events"),
    path("apps/<app_id>/batch_events", BatchView.as_view(), name="batch"),
    path("apps/<app_id>/channels", ChannelsView.as_view(), name="channels"),
    path("apps/<app_id>/channels/<channel>", ChannelView.as_view(), name="channel"),
    path("apps/<app_id>/channels/<channel>/users", UsersView.as_view(), name="users"),
    path("apps/<app_id>/users/<user_id>/terminate_connections", TerminateView.as_view()),
    # So does `pusher` 3.3.4 for Python ask for it.
    path("users/<user_id>/terminate_connections", TerminateView.as_view()),
    path("pusher/auth", ChannelAuthView.as_view(), name="auth"),
    path("pusher/user-auth", UserAuthView.as_view(), name="user-auth"),
    # So do Laravel and its client Echo call them.
    path("broadcasting/auth", ChannelAuthView.as_view()),
    path("broadcasting/user-auth", UserAuthView.as_view()),
]
