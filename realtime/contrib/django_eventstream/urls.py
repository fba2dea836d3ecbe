"""In place of ``django_eventstream.urls``, wherever that is included."""

from django.urls import path

from realtime.contrib.django_eventstream.views import events

urlpatterns = [path("", events)]
