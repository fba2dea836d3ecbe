"""A user who is renamed changes each list that shows the name: it is written anew and published."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from todos.models import Membership, TodoList

_RENAMED = "_todos_renamed"


def connect() -> None:
    """Watches the saves of users. Bulk updates of usernames are no way that anybody takes."""
    user = get_user_model()
    pre_save.connect(_before_save, sender=user, dispatch_uid="todos renamed user")
    post_save.connect(_after_save, sender=user, dispatch_uid="todos renamed user")


def _before_save(
    sender: Any, instance: Any, update_fields: Collection[str] | None, using: str, **kwargs: Any
) -> None:
    name = sender.USERNAME_FIELD
    if instance._state.adding or (update_fields is not None and name not in update_fields):
        return
    same = sender._base_manager.using(using).filter(pk=instance.pk)
    setattr(instance, _RENAMED, not same.filter(**{name: instance.get_username()}).exists())


def _after_save(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    if not instance.__dict__.pop(_RENAMED, False):
        return
    shared = Membership.objects.using(using).filter(user=instance.pk).values("todo_list")
    lists = TodoList.objects.using(using).filter(Q(owner=instance.pk) | Q(pk__in=shared))
    lists.update(updated_at=timezone.now())
