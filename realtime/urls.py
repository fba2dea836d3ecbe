"""The stream and its tickets; include this at ``api/events/``."""

from django.urls import path

from realtime.proxied import ProxiedView
from realtime.views import StreamView, TicketView

app_name = "realtime"
urlpatterns = [
    path("", StreamView.as_view(), name="stream"),
    path("ticket/", TicketView.as_view(), name="ticket"),
    path("proxied/", ProxiedView.as_view(), name="proxied"),
    # In the path and not in a query: proxies share answers to addresses that differ only there.
    path("proxied/<str:feed>/<str:position>/", ProxiedView.as_view(), name="proxied-page"),
]
