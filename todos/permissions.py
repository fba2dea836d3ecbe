"""What the users of a list may do; whether they see it at all is the querysets' business."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

NOT_OWNER = "Only the list's owner may do this."


class OwnerDeletes(BasePermission):
    """Members edit a list; only its owner deletes it."""

    message = NOT_OWNER

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return view.action != "destroy" or obj.owner_id == request.user.pk
