"""Who is editing an object, for Django's class-based views: whoever opens a form is shown to."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.crypto import get_random_string

from realtime.conf import settings
from realtime.editing import marks
from realtime.exceptions import InvalidTab

TAB = "editing"
"""In the query or in a form, what a tab is called."""


class EditingFormMixin:
    """First base of an ``UpdateView`` of a published model, after those that decide on who may use
    it: a user who opens the form is shown as editing the object, from then on until it is saved.

    The form's page has to send ``POST ?editing=<tab>`` again and again, each time well before
    `expires_in` seconds have passed, and ``DELETE ?editing=<tab>`` when it is left. The context's
    ``editing`` has the tab's name, `expires_in`, and the ``editors``: all who are editing the
    object, this user included. A form that has the tab as its field ``editing`` ends it when it is
    saved.
    """

    request: HttpRequest
    object: Any
    get_object: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As the base class; and what tabs say."""
        tab = request.GET.get(TAB)
        if tab is None or request.method not in ("POST", "DELETE"):
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
            return response
        if not request.user.is_authenticated:
            raise PermissionDenied
        obj = self.get_object()
        try:
            if request.method == "DELETE":
                marks.end(obj, request.user, tab)
                return HttpResponse(status=204)
            people = marks.begin(obj, request.user, tab)
        except InvalidTab as error:
            return JsonResponse({TAB: [str(error)]}, status=400)
        return JsonResponse(_answer(people))

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        """As the base class; a form that is shown, also one that was refused, is being edited."""
        if self.request.user.is_authenticated and self.request.method in ("GET", "POST", "PUT"):
            tab = self._tab() or get_random_string(22)
            people = marks.begin(self.object, self.request.user, tab)
            context[TAB] = {"tab": tab, **_answer(people)}
        response: HttpResponse = super().render_to_response(context, **options)  # type: ignore[misc]
        return response

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """As the base class; that ends it."""
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        if self.request.user.is_authenticated and (tab := self._tab()):
            marks.end(self.object, self.request.user, tab)
        return response

    def _tab(self) -> str:
        """The tab whose form was sent, if it says so."""
        try:
            return marks.check_tab(self.request.POST.get(TAB, ""))
        except InvalidTab:
            return ""


def _answer(people: list[marks.Person]) -> dict[str, Any]:
    return {
        "expires_in": settings.EDITING_LEASE,
        "editors": [person.as_dict() for person in people],
    }
