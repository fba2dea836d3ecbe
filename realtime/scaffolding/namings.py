"""What a model's events, channels and addresses are called, where nobody has named them."""

from dataclasses import dataclass

from django.core.management.base import CommandError
from django.db.models import Model
from django.urls import reverse
from django.utils.text import slugify

from realtime.channels import registry as channels
from realtime.publishing.publisher import kebab, registry

_USUAL = "/api/events/"
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_UNCHANGED = ("series", "species", "news")


@dataclass(frozen=True, slots=True)
class Names:
    """All in kebab-case."""

    event: str
    """First half of the events' types, and what the addresses' names begin with."""
    plural: str
    """The list's address, and what is behind the prefix of the channel."""


def names_of(model: type[Model]) -> Names:
    """Names that no other model has, nor the streams: the model's own, or with the application's
    label before them.

    Raises `CommandError` if these are taken, too.
    """
    names = Names(kebab(model.__name__), plural(model))
    if _is_free(names):
        return names
    label = model._meta.app_label.replace("_", "-")
    longer = Names(f"{label}-{names.event}", f"{label}-{names.plural}")
    if _is_free(longer):
        return longer
    raise CommandError(
        f"Other models have the events or channels of {names.event} and of {longer.event} already."
    )


def _is_free(names: Names) -> bool:
    channel = f"private-{names.plural}"
    declared = any(channels.is_declared(name) for name in (channel, f"{channel}.1"))
    return registry.named(names.event) is None and not declared and names.plural != of_streams()


def of_streams() -> str:
    """The last part of the streams' address, which no list may have beside them."""
    try:
        address = reverse("realtime:stream")
    except Exception:
        # There is none yet, or what has it cannot be imported yet.
        address = _USUAL
    return address.strip("/").rpartition("/")[2]


def plural(model: type[Model]) -> str:
    """What several objects of a model are called: its ``verbose_name_plural``, else as English has
    it. Django's own default only adds an *s*."""
    given = model._meta.original_attrs.get("verbose_name_plural")
    text = str(given) if given else _pluralized(str(model._meta.verbose_name))
    return slugify(text) or f"{kebab(model.__name__)}s"


def _pluralized(name: str) -> str:
    if name.endswith(_UNCHANGED):
        return name
    if name.endswith(_SIBILANTS):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in tuple("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}s"
