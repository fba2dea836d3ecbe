"""``manage.py startrealtime``: makes a model live."""

import sysconfig
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Model

from realtime.exceptions import NotRegistered
from realtime.publisher import registry
from realtime.scaffold import Scaffold

_DESCRIPTION = """\
Makes a model live. Writes into the folder of its application:

  realtime.py       what is published, on which channel, and who may subscribe
  serializers.py    how objects are represented, in REST answers and in events alike
  viewsets.py       the REST API, which says where to subscribe and from which position
  urls.py           its addresses
  test_realtime.py  that it works

A file that exists is never changed: then nothing is written, and what would be is printed."""


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
            "--dry-run", action="store_true", help="print what would be written, and write nothing"
        )

    def handle(self, *, model: str, owner: str | None, dry_run: bool, **options: Any) -> None:
        scaffold = Scaffold(_model(model), owner)
        files = scaffold.files()
        existing = [path for path in files if path.exists()]
        if dry_run or existing:
            for path, content in files.items():
                self.stdout.write(f"# {_shown(path)}\n{content}\n")
        if existing:
            names = ", ".join(map(_shown, existing))
            raise CommandError(
                f"Nothing was written, for there are already: {names}. What would be in them is"
                " printed above; add by hand what they lack."
            )
        if not dry_run:
            _write(files)
            for path in files:
                self.stdout.write(self.style.SUCCESS(f"Wrote {_shown(path)}"))
            self.stdout.write(_next(scaffold))


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
    folder = Path(model._meta.app_config.path).resolve()
    installed = (Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))
    if any(folder.is_relative_to(path) for path in installed):
        raise CommandError(f"{label} belongs to an installed package, not to this project.")
    try:
        publisher = type(registry.get(model))
    except NotRegistered:
        return model
    raise CommandError(f"{label} is live already, by {publisher.__module__}.{publisher.__name__}.")


def _write(files: dict[Path, str]) -> None:
    written: list[Path] = []
    try:
        for path, content in files.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(content)
    except OSError as error:
        for path in written:
            path.unlink()
        raise CommandError(f"Nothing was written: {error}") from error


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _next(scaffold: Scaffold) -> str:
    lines = [
        f"In {settings.ROOT_URLCONF.replace('.', '/')}.py, the urlpatterns need, once:",
        '    path("api/events/", include("realtime.urls")),',
        f'    path("api/", include("{scaffold.package}.urls")),',
        f"Then it is tested by: python manage.py test {scaffold.package}",
    ]
    if scaffold.owner is None and scaffold.owners:
        lines.append(
            f"Everybody who is logged in sees and writes all {scaffold.plural}; where these are"
            f" their owners' own, begin with --owner {scaffold.owners[0]}."
        )
    return "\n".join(lines)
