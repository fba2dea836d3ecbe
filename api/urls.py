"""Every address of the project."""

from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_safe
from rest_framework.routers import DefaultRouter

import api.openapi  # noqa: F401 - describes the streams when it is loaded
from api.views import DocsView, SchemaView, TokenView
from realtime.operations.views import MetricsView
from realtime.websockets.handshake import HandshakeView
from todos.views import TodoItemViewSet, TodoListViewSet

router = DefaultRouter()
router.register("todo-lists", TodoListViewSet, basename="todo-list")
router.register("todo-items", TodoItemViewSet, basename="todo-item")

handler400 = "api.views.bad_request"
handler404 = "api.views.not_found"
handler500 = "api.views.server_error"

urlpatterns = [
    path("", include("frontend.urls")),
    path("compare/", include("compare.urls")),
    path("accounts/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("api/events/", include("realtime.urls")),
    path("app/<key>", HandshakeView.as_view(), name="websocket"),
    path("api/token/", TokenView.as_view(), name="token"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", require_safe(DocsView.as_view()), name="docs"),
    path("api/", include(router.urls)),
    path("", include("realtime.pusher_http.urls")),
    path("api-auth/", include("rest_framework.urls")),
]
