"""The files that make a model live, as one would write them by hand."""

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db.models import ForeignKey, Model
from django.utils.text import slugify

from realtime.publisher import kebab
from realtime.samples import WIDTH, Sample, bracketed, call, user_arguments, variable

Import = tuple[str, str]


class Scaffold:
    """A model's files. `owner` is the name of its foreign key to a user, if rows are that user's
    own; raises `CommandError` if it has no such field."""

    def __init__(self, model: type[Model], owner: str | None = None) -> None:
        self.model = model
        self.name = model.__name__
        self.event = kebab(self.name)
        self.object = variable(self.event.replace("-", "_"))
        self.plural = slugify(model._meta.verbose_name_plural or "") or f"{self.event}s"
        config: Any = model._meta.app_config
        self.package: str = config.name
        self.folder = Path(config.path)
        self.owners = _owners(model)
        self.owner = owner
        if owner is not None and owner not in self.owners:
            known = f" There is: {', '.join(self.owners)}." if self.owners else ""
            raise CommandError(
                f"{model._meta.label} has no foreign key {owner} to {get_user_model().__name__}."
                + known
            )

    def files(self) -> dict[Path, str]:
        """The files' contents by their paths."""
        tests = self.folder / "tests"
        return {
            self.folder / "realtime.py": self._publisher(),
            self.folder / "serializers.py": self._serializer(),
            self.folder / "viewsets.py": self._viewset(),
            self.folder / "urls.py": self._urls(),
            (tests if tests.is_dir() else self.folder) / "test_realtime.py": self._test(),
        }

    # Each file

    def _publisher(self) -> str:
        own = [self._its_model, (f"{self.package}.serializers", self._serializer_name)]
        third = _imports([("django.contrib.auth", "get_user_model")]) if self.owner else ""
        return (
            f'"""Which changes of {self.plural} are published, and to whom."""\n\n'
            f"import realtime\n{third}\n{_imports(own)}\n\n"
            f"@realtime.register({self.name})\n"
            f"class {self.name}Publisher(realtime.ModelPublisher):\n"
            f"    serializer_class = {self._serializer_name}\n\n"
            f"    def channels(self, {self.object}):\n"
            f"{self._channels_of_object}\n\n"
            f"{self._rule}"
        )

    @property
    def _rule(self) -> str:
        if not self.owner:
            return (
                f'@realtime.channel("private-{self.plural}")\n'
                "def anybody(user):\n"
                '    """What is private takes a login; beyond that, it is for everybody."""\n'
                "    return True\n"
            )
        kind = "int" if "Integer" in _key_type() or "Auto" in _key_type() else "str"
        return (
            f'@realtime.channel("private-{self.plural}.<{kind}:pk>")\n'
            "def oneself(user):\n"
            f'    """A user\'s {self.plural} are for that user alone."""\n'
            "    return get_user_model().objects.filter(pk=user.pk)\n"
        )

    @property
    def _channels_of_object(self) -> str:
        if not self.owner:
            return f'        return ["private-{self.plural}"]\n'
        key = f"{self.object}.{self.owner}_id"
        names = bracketed("[", [f'f"private-{self.plural}.{{{key}}}"'], "]", 8, "return ")
        nobody = f"        if {key} is None:\n            return []\n"
        nullable = self.model._meta.get_field(self.owner).null
        return f"{nobody if nullable else ''}        return {names}\n"

    def _serializer(self) -> str:
        fields = [
            field.name
            for field in self.model._meta.concrete_fields
            if not (field.is_relation and getattr(field.remote_field, "parent_link", False))
        ]
        key = self.model._meta.pk.name
        extra = ""
        if key != "id":
            extra = '    id = serializers.ReadOnlyField(source="pk")\n\n'
            fields.insert(0, "id")
        shown = bracketed("fields = [", [f'"{name}"' for name in fields], "]", 8)
        read_only = f'        read_only_fields = ["{self.owner}"]\n' if self.owner else ""
        return (
            f'"""How {self.plural} are represented, in REST answers and in events alike."""\n\n'
            f"from rest_framework import serializers\n\n{_imports([self._its_model])}\n\n"
            f"class {self._serializer_name}(serializers.ModelSerializer):\n{extra}"
            f"    class Meta:\n        model = {self.name}\n        {shown}\n{read_only}"
        )

    def _viewset(self) -> str:
        third = [
            ("realtime.viewsets", "RealtimeMixin"),
            ("rest_framework.permissions", "IsAuthenticated"),
            ("rest_framework.viewsets", "ModelViewSet"),
        ]
        own = [self._its_model, (f"{self.package}.serializers", self._serializer_name)]
        rows = "all()" if self.model._meta.ordering else 'order_by("pk")'
        channel = bracketed("[", [self._channel_of_reader("self.request.user")], "]", 8, "return ")
        text = (
            f'"""{self.plural.capitalize()} over HTTP."""\n\n'
            f"{_imports(third)}\n{_imports(own)}\n\n"
            f"class {self.name}ViewSet(RealtimeMixin, ModelViewSet):\n"
            f"    queryset = {self.name}.objects.{rows}\n"
            f"    serializer_class = {self._serializer_name}\n"
            "    permission_classes = [IsAuthenticated]\n"
        )
        if self.owner:
            text += (
                "\n    def get_queryset(self):\n"
                f"        {self.object}s = super().get_queryset()\n"
                f"        return {self.object}s.filter({self.owner}=self.request.user)\n"
                "\n    def perform_create(self, serializer):\n"
                f"        serializer.save({self.owner}=self.request.user)\n"
            )
        return (
            f"{text}\n    def stream_channels(self, {self.object}=None):\n"
            f"        return {channel}\n"
        )

    def _urls(self) -> str:
        view = (f"{self.package}.viewsets", f"{self.name}ViewSet")
        arguments = [f'"{self.plural}"', view[1], f'basename="{self.event}"']
        return (
            f'"""The addresses of {self.plural}."""\n\n'
            f"from rest_framework.routers import SimpleRouter\n\n{_imports([view])}\n"
            f"router = SimpleRouter()\n{call('router.register', arguments, 0)}\n\n"
            "urlpatterns = router.urls\n"
        )

    def _test(self) -> str:
        sample = Sample(self.model, self.owner)
        third = [
            ("django.contrib.auth", "get_user_model"),
            ("django.urls", "reverse"),
            ("realtime.testing", "assert_converges"),
            ("realtime.testing", "assert_publishes"),
            ("rest_framework.test", "APITestCase"),
        ]
        skip = ""
        if sample.unknown:
            sample.expression = f"{self.name}.objects.create()"
            third.append(("unittest", "skip"))
            skip = f'@skip("Say in create() what {sample.unknown} may be.")\n'
        standard = [one for one in [*third, *sample.imports] if one[0] in ("datetime", "unittest")]
        third = [one for one in third if one not in standard]
        own = sorted({self._its_model, *sample.imports} - set(standard))
        user = call("get_user_model().objects.create", user_arguments(get_user_model()))
        channel = self._channel_of_reader("self.user")
        imports = "\n".join(_imports(group) for group in (standard, third, own) if group)
        return (
            f'"""{self.plural.capitalize()} are live."""\n\n{imports}\n\n'
            f"{skip}class {self.name}LiveTests(APITestCase):\n"
            "    def setUp(self):\n"
            f"        self.user = {user}\n"
            "        self.client.force_authenticate(self.user)\n\n"
            "    def create(self):\n"
            f"        return {sample.expression}\n\n"
            "    def test_changes_are_published(self):\n"
            f"        channel = {channel}\n"
            f'        with assert_publishes((channel, "{self.event}.created")):\n'
            f"            {self.object} = self.create()\n"
            f'        with assert_publishes((channel, "{self.event}.deleted")):\n'
            f"            {self.object}.delete()\n\n"
            "    def test_who_follows_the_stream_has_what_the_list_has(self):\n"
            f'        url = reverse("{self.event}-list")\n'
            "        assert_converges(self.create, self.client, url)\n\n"
            "    def test_it_takes_a_login(self):\n"
            "        self.client.force_authenticate(None)\n"
            f'        response = self.client.get(reverse("{self.event}-list"))\n'
            "        self.assertIn(response.status_code, (401, 403))\n"
        )

    # What several of them say

    @property
    def _its_model(self) -> Import:
        return self.model.__module__, self.name

    @property
    def _serializer_name(self) -> str:
        return f"{self.name}Serializer"

    def _channel_of_reader(self, user: str) -> str:
        if self.owner:
            return f'f"private-{self.plural}.{{{user}.pk}}"'
        return f'"private-{self.plural}"'


def _owners(model: type[Model]) -> list[str]:
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey) and field.related_model is get_user_model()
    ]


def _key_type() -> str:
    return str(get_user_model()._meta.pk.get_internal_type())


def _imports(names: list[Import]) -> str:
    """Import statements, sorted, a line for each module."""
    modules: dict[str, list[str]] = {}
    for module, name in sorted(set(names)):
        modules.setdefault(module, []).append(name)
    lines = []
    for module, imported in modules.items():
        line = f"from {module} import {', '.join(imported)}"
        if len(line) > WIDTH:
            line = bracketed(f"from {module} import (", imported, ")", 0)
        lines.append(line)
    return "\n".join(lines) + "\n"
