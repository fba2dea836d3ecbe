"""``manage.py startrealtime`` in a project of somebody else's, for models of many kinds."""

import re

import pytest

from tests.own_project import OwnProject, blocks, files

WRITTEN = ("realtime.py", "serializers.py", "viewsets.py", "urls.py", "test_realtime.py")
LINT = ("ruff", "check", "--isolated", "--select", "E4,E7,E9,F,I,UP,B")

LIBRARY = '''
import uuid

from django.conf import settings
from django.db import models
from django.db.models import CASCADE


class Shelf(models.Model):
    code = models.SlugField(primary_key=True, max_length=3)


class LibraryBook(models.Model):
    """Named by two words, with a key that is no number, and fields of many kinds."""

    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    reader_who_has_borrowed_it = models.ForeignKey(settings.AUTH_USER_MODEL, CASCADE, null=True)
    shelf = models.ForeignKey(Shelf, CASCADE)
    kind = models.CharField(max_length=1, choices=[("n", "novel"), ("p", "poems")])
    print_run = models.UUIDField(unique=True)
    price = models.DecimalField(max_digits=6, decimal_places=2)
    discount = models.DecimalField(max_digits=2, decimal_places=2)
    bought_at = models.DateTimeField()
    lent_for = models.DurationField()
    remarks = models.JSONField()
    is_old = models.BooleanField()
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "library books"


class Unfilled(models.Model):
    """Named as one of another application is."""

    shelf = models.ForeignKey(Shelf, CASCADE)
'''

ODD = '''
from django.db import models
from django.db.models import CASCADE, CheckConstraint, F, Q
from library.models import LibraryBook, Shelf


class Place(models.Model):
    name = models.CharField(max_length=20)


class Restaurant(Place):
    """A child in a table of its own, whose parent is live, too."""

    stars = models.IntegerField()


class Empty(models.Model):
    """What it points to is live."""

    place = models.OneToOneField(Place, CASCADE)
    shelf = models.ForeignKey(Shelf, CASCADE)
    books = models.ManyToManyField(LibraryBook)


class Client(models.Model):
    """Called as something of a test case is, with a field that no keyword argument can set."""

    self = models.IntegerField()


class Class(models.Model):
    client = models.ForeignKey(Client, CASCADE)
    begins = models.DateTimeField()
    ends = models.DateTimeField()
    least = models.PositiveIntegerField()
    most = models.PositiveIntegerField()
    document = models.FileField()

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(ends__gt=F("begins")), name="ends"),
            CheckConstraint(condition=Q(most__gt=F("least")), name="most"),
        ]


class Event(models.Model):
    """Called as the streams' address is, with a number of one digit before the point."""

    least = models.DecimalField(max_digits=2, decimal_places=1)
    most = models.DecimalField(max_digits=3, decimal_places=2)

    class Meta:
        constraints = [CheckConstraint(condition=Q(most__gt=F("least")), name="more")]


class Impossible(models.Model):
    number = models.IntegerField()

    class Meta:
        constraints = [CheckConstraint(condition=Q(number=42), name="is_42")]


class Unfilled(models.Model):
    """Named as what it points to."""

    other = models.ForeignKey("library.Unfilled", CASCADE)
'''

START = """
from django.core.management import CommandError, call_command
for label in {labels}:
    print("@", label)
    try:
        call_command("startrealtime", *label.split())
    except CommandError as error:
        print(error)
"""


class Project(OwnProject):
    def start(self, *labels):
        """What the command prints for each of these, without a process for each."""
        printed = self.manage("shell", "-v0", "-c", START.format(labels=list(labels)))
        return [one.partition("\n")[2].strip() for one in printed.split("@ ")[1:]]

    def text(self, name):
        return (self.folder / name).read_text()

    def include(self, *modules):
        """As it is told what its addresses need."""
        text = self.text("mysite/urls.py").removesuffix("]\n")
        lines = [f'    path("api/", include("{module}")),\n' for module in modules]
        self.write("mysite/urls.py", f"{text}{''.join(lines)}]\n")

    def written(self, app):
        return [f"{app}/{name}" for name in WRITTEN]

    def assert_tests_pass(self, app, count, skipped=0):
        result = rf"Ran {count} tests .*OK" + (rf" \(skipped={skipped}\)" if skipped else "\n")
        printed = self.manage("test", app)
        assert re.search(result, printed, re.S), printed
        self.run("ruff", "format", "--check", "--isolated", *self.written(app))
        self.run(*LINT, *self.written(app))


@pytest.fixture(scope="module")
def project(packages, tmp_path_factory):
    """One with two applications, before anything is live."""
    folder = tmp_path_factory.mktemp("started")
    project = Project(folder / "mysite", packages)
    project.run("django-admin", "startproject", "mysite", folder=folder)
    settings = files("getting-started.md")["mysite/settings.py"].replace("notes", "library")
    project.write("mysite/settings.py", settings + 'INSTALLED_APPS += ["odd"]\n')
    for app, models in (("library", LIBRARY), ("odd", ODD)):
        project.write(f"{app}/__init__.py", "")
        project.write(f"{app}/models.py", models)
    return project


@pytest.fixture(scope="module")
def migrations(project):
    # Before there is any address.
    return project.manage("makemigrations", "library", "odd")


@pytest.fixture(scope="module")
def first(project, migrations):
    """What is printed for the first model."""
    arguments = ("startrealtime", "library.LibraryBook", "--owner", "reader_who_has_borrowed_it")
    dry = project.manage(*arguments, "--dry-run")
    assert not (project.folder / "library/realtime.py").exists()
    printed = project.manage(*arguments)
    for name in project.written("library"):
        assert f"# {name}\n{project.text(name)}" in dry
    return printed


@pytest.fixture(scope="module")
def addressed(project, first):
    project.write(
        "mysite/urls.py",
        "from django.urls import include, path\n\n"
        'urlpatterns = [\n    path("api/events/", include("realtime.urls")),\n]\n',
    )
    project.include("library.urls")


@pytest.fixture(scope="module")
def second(project, addressed):
    """What is printed for a second model, and what the files were before."""
    before = {name: project.text(name) for name in project.written("library")}
    dry = project.manage("startrealtime", "library.Shelf", "--dry-run")
    assert "+class ShelfPublisher(realtime.ModelPublisher):" in dry
    assert {name: project.text(name) for name in before} == before
    printed = project.manage("startrealtime", "library.Shelf")
    # Here, for others add to the same files.
    project.assert_tests_pass("library", 6)
    return printed, before


@pytest.fixture(scope="module")
def odd(project, second):
    """What is printed for models of which each has something odd."""
    place, _ = project.start("odd.Place", "library.Unfilled")
    assert "Wrote odd/realtime.py" in place
    project.include("odd.urls")
    names = ("Restaurant", "Empty", "Client", "Class", "Event", "Impossible", "Unfilled")
    return dict(zip(names, project.start(*(f"odd.{name}" for name in names)), strict=True))


def test_migrations_can_be_made_before_there_are_addresses(migrations):
    assert "Create model LibraryBook" in migrations
    assert "realtime.W009" in migrations


def test_the_first_model_of_an_application(project, first, addressed):
    assert 'include("realtime.urls")' in first
    assert 'include("library.urls")' in first


def test_a_second_one_is_added_to_the_files_of_the_first(project, second):
    printed, before = second
    for name, text in before.items():
        assert f"Added to {name}" in printed
        added = project.text(name).splitlines()
        changed = [line for line in text.splitlines() if line not in added]
        assert all(line.startswith("from ") for line in changed)
        assert added.count("router = SimpleRouter()") == text.count("router = SimpleRouter()")
    # The project's addresses have both already.
    assert "include(" not in printed
    assert "shelves" not in printed.lower()


def test_what_it_writes_for_odd_models_passes(project, odd):
    project.manage("check", "--fail-level", "ERROR")
    project.assert_tests_pass("library", 9)
    project.assert_tests_pass("odd", 24, skipped=3)
    assert "by the constraint is_42" in project.text("odd/test_realtime.py")


def test_a_model_of_the_same_name_gets_a_longer_one(project, odd):
    assert 'name = "odd-unfilled"' in project.text("odd/realtime.py")
    assert '"private-odd-unfilleds"' in project.text("odd/realtime.py")
    assert '"odd-unfilleds", UnfilledViewSet, basename="odd-unfilled"' in project.text(
        "odd/urls.py"
    )


def test_a_list_is_not_hidden_by_the_streams(project, odd):
    assert '"odd-events", EventViewSet, basename="odd-event"' in project.text("odd/urls.py")
    assert "They are called odd-events, for the streams' address ends in /events/" in odd["Event"]
    assert "They are called" not in odd["Class"]


def test_the_parent_s_key_is_represented_once(project, odd):
    assert 'fields = ["id", "name", "stars"]' in project.text("odd/serializers.py")


def test_plurals_are_english(project, odd):
    urls = project.text("odd/urls.py")
    assert '"empties"' in urls
    assert '"classes"' in urls
    assert 'collection("classes", { model: "class" })' in odd["Class"]


def test_what_is_left_out_is_said(odd):
    assert "Left out of the representation: books." in odd["Empty"]


REFUSED = {
    "Shelf": "as in notes.Note",
    "odd.Nothing": "doesn't have a 'Nothing' model",
    "nobody.Note": "No installed app with label 'nobody'",
    "auth.User": "belongs to an installed package",
    "library.Shelf": "is live already, by library.realtime.ShelfPublisher",
    "library.Plain --owner shelf": "has no foreign key shelf to User.",
    "library.Plain": "Nothing can be added to",
    "library.Loan": "has a composite primary key",
}
LOAN = """
class Loan(models.Model):
    pk = models.CompositePrimaryKey("shelf_id", "number")
    shelf = models.ForeignKey(Shelf, CASCADE)
    number = models.IntegerField()
"""


def test_the_command_refuses_clearly(project, odd):
    copy = project.copy("refusing")
    copy.write("library/models.py", LIBRARY + "class Plain(Shelf):\n    pass\n" + LOAN)
    copy.write("library/urls.py", "router = 1\nurlpatterns = []\n")
    before = {path: path.read_text() for path in copy.folder.rglob("*.py")}
    for told, expected in zip(copy.start(*REFUSED), REFUSED.values(), strict=True):
        assert expected in told
        assert "\n" not in told
    assert {path: path.read_text() for path in copy.folder.rglob("*.py")} == before
    assert "--dry-run" in copy.manage("startrealtime", "--help")


def test_that_no_migration_makes_a_table_is_said(project, odd):
    copy = project.copy("unmanaged")
    unmanaged = "class Old(models.Model):\n    class Meta:\n        managed = False\n"
    copy.write("odd/models.py", f"{ODD}\n\n{unmanaged}")
    told, other = copy.start("odd.Old", "odd.Place")
    assert "No migration makes the table of Old, for managed is False" in told
    assert "managed" not in other


OWN = {
    "serializers.py": '"""Ours."""\nfrom rest_framework.serializers import ModelSerializer\n\n'
    "from . import models\n\n\nclass PlaceSerializer(ModelSerializer):\n"
    '    class Meta:\n        model = models.Place\n        fields = ["id", "name"]\n',
    "urls.py": "from django.urls import path\n\nurlpatterns = []\n",
    "realtime.py": "",
}


def test_what_somebody_has_written_stays(project, odd):
    copy = project.copy("own")
    for name in WRITTEN:
        (copy.folder / "odd" / name).unlink()
    for name, text in OWN.items():
        copy.write(f"odd/{name}", text)
    urls = copy.folder / "odd/urls.py"
    urls.write_bytes(urls.read_bytes().replace(b"\n", b"\r\n"))
    place, _ = copy.start("odd.Place", "odd.Client")
    assert all(line.endswith(b"\r\n") for line in urls.read_bytes().splitlines(keepends=True))
    assert "serializers.py has PlaceSerializer already" in place
    kept = copy.text("odd/serializers.py").splitlines()
    assert all(line in kept for line in OWN["serializers.py"].splitlines())
    assert "urlpatterns += router.urls" in copy.text("odd/urls.py")
    assert copy.text("odd/urls.py").count("router = ") == 1
    printed = copy.manage("test", "odd")
    assert re.search(r"Ran 6 tests .*OK\n", printed, re.S), printed


def test_the_document_shows_what_a_second_model_is_told(second):
    told = [line for line in second[0].splitlines() if line.startswith("Added to ")]
    shown = "\n".join(blocks("getting-started.md", "text"))
    for line in told:
        assert line.replace("library/", "notes/") in shown
