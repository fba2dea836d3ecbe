"""The stream and its tickets; include this at ``api/events/``."""

from django.urls import path

from realtime.views import StreamView, TicketView

app_name = "realtime"
urlpatterns = [
    path("", StreamView.as_view(), name="stream"),
    path("ticket/", TicketView.as_view(), name="ticket"),
]
