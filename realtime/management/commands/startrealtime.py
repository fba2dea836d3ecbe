"""``manage.py startrealtime``: makes a model live."""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import CompositePrimaryKey, Model
from django.urls import URLResolver, get_resolver

from realtime.exceptions import NotRegistered
from realtime.publishing.publisher import registry
from realtime.scaffolding.additions import is_installed
from realtime.scaffolding.namings import of_streams, plural
from realtime.scaffolding.plans import shown
from realtime.scaffolding.scaffold import Scaffold

_DESCRIPTION = """\
Makes a model live. Writes into the folder of its application:

  realtime.py       what is published, on which channel, and who may subscribe
  serializers.py    how objects are represented, in REST answers and in events alike
  viewsets.py       the REST API, which says where to subscribe and from which position
  urls.py           its addresses
  test_realtime.py  that it works

To a file that exists, what it lacks is added: imports, a class, an address. Nothing that is in it
is changed."""


class _Formatter(RawDescriptionHelpFormatter):
    """Leaves the description as it is."""


class Command(BaseCommand):
    """Writes the files that a live model takes."""

    help = _DESCRIPTION
    # It is for those whose project is not complete yet.
    requires_system_checks = []  # noqa: RUF012 - as Django declares it

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """As the base class; the description keeps its lines."""
        return super().create_parser(prog_name, subcommand, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", metavar="app_label.Model", help="as in: notes.Note")
        parser.add_argument(
            "--owner",
            metavar="FIELD",
            help="the foreign key to a user whose rows these are: users see and write their own."
            " Without it, who is logged in sees and writes all",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="print what would be written or added, and do nothing",
        )

    def handle(self, *, model: str, owner: str | None, dry_run: bool, **options: Any) -> None:
        scaffold = Scaffold(_model(model), owner)
        plan = scaffold.plan()
        if dry_run:
            for text in plan.forecast():
                self.stdout.write(text)
            return
        plan.write()
        for path in plan.new:
            self.stdout.write(self.style.SUCCESS(f"Wrote {shown(path)}"))
        for path in plan.changed:
            self.stdout.write(self.style.SUCCESS(f"Added to {shown(path)}"))
        for line in (*plan.left, *_next(scaffold)):
            self.stdout.write(line)


def _model(label: str) -> type[Model]:
    if label.count(".") != 1:
        raise CommandError(f"{label} is no model: write it as in notes.Note.")
    try:
        model = apps.get_model(label)
    except LookupError as error:
        raise CommandError(str(error)) from None
    if model._meta.proxy:
        raise CommandError(
            f"{label} is a proxy; what is published is {model._meta.concrete_model._meta.label}."
        )
    if isinstance(model._meta.pk, CompositePrimaryKey):
        raise CommandError(
            f"{label} has a composite primary key, by which no address of the REST API reaches a"
            " row: a live model takes a key of one field."
        )
    if is_installed(Path(model._meta.app_config.path)):
        raise CommandError(f"{label} belongs to an installed package, not to this project.")
    try:
        publisher = type(registry.get(model))
    except NotRegistered:
        return model
    raise CommandError(f"{label} is live already, by {publisher.__module__}.{publisher.__name__}.")


def _next(scaffold: Scaffold) -> Iterator[str]:
    lacking = [
        f'    path("{address}", include("{module}")),'
        for address, module in (("api/events/", "realtime.urls"), ("api/", scaffold.urls))
        if not _is_included(module)
    ]
    if lacking:
        yield f"In {settings.ROOT_URLCONF.replace('.', '/')}.py, the urlpatterns need:"
        yield from lacking
    yield f"Then it is tested by: python manage.py test {scaffold.package}"
    if not scaffold.model._meta.managed:
        yield (
            f"No migration makes the table of {scaffold.name}, for managed is False: the tests"
            " fail until something makes it in their database."
        )
    if plural(scaffold.model) == of_streams():
        yield (
            f"They are called {scaffold.plural}, for the streams' address ends in /{of_streams()}/:"
            " beside them, a list of that name would not be reached."
        )
    if scaffold.owner is None and scaffold.owners:
        yield (
            f"Everybody who is logged in sees and writes all {scaffold.plural}; where these are"
            f" their owners' own, begin with --owner {scaffold.owners[0]}."
        )
    if scaffold.plural != f"{scaffold.event}s":
        yield (
            "For the browser's client, they are:"
            f' collection("{scaffold.plural}", {{ model: "{scaffold.event}" }})'
        )
    if several := [field.name for field in scaffold.model._meta.many_to_many]:
        yield (
            f"Left out of the representation: {', '.join(several)}. A many-to-many relation is"
            " shown by its name in the serializer's fields; a check then says what it lacks."
        )


def _is_included(module: str) -> bool:
    """Whether a module of addresses is part of the project's."""
    try:
        return module in _included(get_resolver().url_patterns)
    except Exception:
        # What cannot be imported yet may still name it.
        source = find_spec(settings.ROOT_URLCONF)
        path = source.origin if source else None
        return bool(path) and f'"{module}"' in Path(str(path)).read_text().replace("'", '"')


def _included(patterns: list[Any]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            name = getattr(pattern.urlconf_name, "__name__", None)
            found |= {str(name)} | _included(pattern.url_patterns)
    return found
