"""The files that make a model live, as one would write them by hand."""

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db.models import FileField, ForeignKey, Model

from realtime.publishing.publisher import kebab
from realtime.publishing.watch import followers
from realtime.scaffolding.additions import Import, NotAddable, Part, Routes, bindings
from realtime.scaffolding.namings import names_of
from realtime.scaffolding.plans import Plan
from realtime.scaffolding.samples import Sample, bracketed, call, user_arguments, variable
from realtime.scaffolding.values import quoted


class Scaffold:
    """A model's files. `owner` is the name of its foreign key to a user, if rows are that user's
    own; raises `CommandError` if it has no such field, or if other models have its names."""

    def __init__(self, model: type[Model], owner: str | None = None) -> None:
        self.model = model
        self.name = model.__name__
        names = names_of(model)
        self.event, self.plural = names.event, names.plural
        self.object = variable(kebab(self.name).replace("-", "_"))
        config: Any = model._meta.app_config
        self.package: str = config.name
        self.folder = Path(config.path)
        self.urls = f"{self.package}.urls"
        self.owners = _owners(model)
        self.owner = owner
        if owner is not None and owner not in self.owners:
            known = f" There is: {', '.join(self.owners)}." if self.owners else ""
            raise CommandError(
                f"{model._meta.label} has no foreign key {owner} to {get_user_model().__name__}."
                + known
            )

    def plan(self) -> Plan:
        """What to write; raises `CommandError` if something that is there stands in the way."""
        plan = Plan(self.package)
        for path, part in self._parts().items():
            plan.add(path, part)
        return plan

    def _parts(self) -> dict[Path, Part]:
        tests = self.folder / "tests"
        return {
            self.folder / "realtime.py": self._publisher(),
            self.folder / "serializers.py": self._serializer(),
            self.folder / "viewsets.py": self._viewset(),
            self.folder / "urls.py": self._urls(),
            (tests if tests.is_dir() else self.folder) / "test_realtime.py": self._test(),
        }

    # Each file

    def _publisher(self) -> Part:
        imports = {("realtime", ""), self._its_model, self._its_serializer}
        if self.owner:
            imports.add(("django.contrib.auth", "get_user_model"))
        named = f'    name = "{self.event}"\n' if self.event != kebab(self.name) else ""
        body = (
            f"@realtime.register({self.name})\n"
            f"class {self.name}Publisher(realtime.ModelPublisher):\n{named}"
            f"    serializer_class = {self._serializer_name}\n\n"
            f"    def channels(self, {self.object}):\n"
            f"{self._channels_of_object}\n\n"
            f"{self._rule}"
        )
        told = f"Which changes of {self.plural} are published, and to whom."
        return Part(told, frozenset(imports), body, f"{self.name}Publisher")

    @property
    def _rule(self) -> str:
        if not self.owner:
            return (
                f'@realtime.channel("private-{self.plural}")\n'
                f"def {self._rule_name('anybody')}(user):\n"
                '    """What is private takes a login; beyond that, it is for everybody."""\n'
                "    return True\n"
            )
        kind = "int" if "Integer" in _key_type() or "Auto" in _key_type() else "str"
        return (
            f'@realtime.channel("private-{self.plural}.<{kind}:pk>")\n'
            f"def {self._rule_name('oneself')}(user):\n"
            f'    """A user\'s {self.plural} are for that user alone."""\n'
            "    return get_user_model().objects.filter(pk=user.pk)\n"
        )

    def _rule_name(self, name: str) -> str:
        path = self.folder / "realtime.py"
        try:
            taken = path.exists() and name in bindings(path.read_text(encoding="utf-8"), "")
        except NotAddable:  # Which is told when it comes to adding.
            taken = False
        return f"{self.plural.replace('-', '_')}_for_{name}" if taken else name

    @property
    def _channels_of_object(self) -> str:
        if not self.owner:
            return f'        return ["private-{self.plural}"]\n'
        key = f"{self.object}.{self.owner}_id"
        names = bracketed("[", [f'f"private-{self.plural}.{{{key}}}"'], "]", 8, "return ")
        nobody = f"        if {key} is None:\n            return []\n"
        nullable = self.model._meta.get_field(self.owner).null
        return f"{nobody if nullable else ''}        return {names}\n"

    def _serializer(self) -> Part:
        concrete = [
            field
            for field in self.model._meta.concrete_fields
            if not (field.is_relation and getattr(field.remote_field, "parent_link", False))
        ]
        fields = [field.name for field in concrete if field.name != "id"]
        # A child's key is its parent's, whose name it may be.
        has_id = any(field.name == "id" and field.primary_key for field in concrete)
        extra = "" if has_id else '    id = serializers.ReadOnlyField(source="pk")\n\n'
        shown = bracketed("fields = [", [f'"{name}"' for name in ["id", *fields]], "]", 8)
        read_only = f'        read_only_fields = ["{self.owner}"]\n' if self.owner else ""
        imports = {("rest_framework", "serializers"), self._its_model}
        base = "serializers.ModelSerializer"
        if any(isinstance(field, FileField) for field in concrete):
            base = "ModelSerializer"
            imports.add(("realtime.serializers", base))
            if not extra:
                imports.remove(("rest_framework", "serializers"))
        body = (
            f"class {self._serializer_name}({base}):\n{extra}"
            f"    class Meta:\n        model = {self.name}\n        {shown}\n{read_only}"
        )
        told = f"How {self.plural} are represented, in REST answers and in events alike."
        return Part(told, frozenset(imports), body, self._serializer_name)

    def _viewset(self) -> Part:
        imports = {
            ("realtime.viewsets", "RealtimeMixin"),
            ("rest_framework.permissions", "IsAuthenticated"),
            ("rest_framework.viewsets", "ModelViewSet"),
            self._its_model,
            self._its_serializer,
        }
        rows = "all()" if self.model._meta.ordering else 'order_by("pk")'
        channel = bracketed("[", [self._channel_of_reader("self.request.user")], "]", 8, "return ")
        body = (
            f"class {self.name}ViewSet(RealtimeMixin, ModelViewSet):\n"
            f"    queryset = {self.name}.objects.{rows}\n"
            f"    serializer_class = {self._serializer_name}\n"
            "    permission_classes = [IsAuthenticated]\n"
        )
        if self.owner:
            body += (
                "\n    def get_queryset(self):\n"
                "        rows = super().get_queryset()\n"
                f"        return rows.filter({self.owner}=self.request.user)\n"
                "\n    def perform_create(self, serializer):\n"
                f"        serializer.save({self.owner}=self.request.user)\n"
            )
        body += f"\n    def stream_channels(self, {self.object}=None):\n        return {channel}\n"
        told = f"{self.plural.capitalize()} over HTTP."
        return Part(told, frozenset(imports), body, f"{self.name}ViewSet")

    def _urls(self) -> Part:
        view = (f"{self.package}.viewsets", f"{self.name}ViewSet")
        arguments = [f'"{self.plural}"', view[1], f'basename="{self.event}"']
        registration = call("{router}.register", arguments, 0)
        body = (
            f"router = SimpleRouter()\n{registration.replace('{router}', 'router')}\n\n"
            "urlpatterns = router.urls\n"
        )
        imports = frozenset([("rest_framework.routers", "SimpleRouter"), view])
        told = f"The addresses of {self.plural}."
        return Routes(told, imports, body, view[1], registration)

    def _test(self) -> Part:
        sample = Sample(self.model, self.owner)
        imports = {
            ("django.contrib.auth", "get_user_model"),
            ("django.urls", "reverse"),
            ("realtime.testing", "assert_converges"),
            ("rest_framework.test", "APITestCase"),
            *sample.imports,
        }
        skip = ""
        if sample.unknown:
            imports.add(("unittest", "skip"))
            skip = f"@skip({quoted(f'Say in create() what {sample.unknown} may be.')})\n"
        # A parent may become live some day.
        alone = not self.model._meta.get_parent_list() and not followers(self.model)
        imports.add(("realtime.testing", "assert_publishes" if alone else "capture_events"))
        user = call("self.user = get_user_model().objects.create", user_arguments(get_user_model()))
        channel = self._channel_of_reader("self.user")
        needed = "".join(f"        {one}\n" for one in sample.needed)
        statements = "".join(f"        {one}\n" for one in sample.statements)
        body = (
            f"{skip}class {self.name}LiveTests(APITestCase):\n"
            "    def setUp(self):\n"
            f"        {user}\n"
            "        self.client.force_authenticate(self.user)\n"
            f"{needed}\n"
            "    def create(self):\n"
            f"{statements}\n"
            "    def test_changes_are_published(self):\n"
            f"        channel = {channel}\n"
            f"{self._published(alone)}\n"
            "    def test_who_follows_the_stream_has_what_the_list_has(self):\n"
            f'        url = reverse("{self.event}-list")\n'
            "        assert_converges(self.create, self.client, url)\n\n"
            "    def test_it_takes_a_login(self):\n"
            "        self.client.force_authenticate(None)\n"
            f'        response = self.client.get(reverse("{self.event}-list"))\n'
            "        self.assertIn(response.status_code, (401, 403))\n"
        )
        told = f"{self.plural.capitalize()} are live."
        return Part(told, frozenset(imports), body, f"{self.name}LiveTests")

    def _published(self, alone: bool) -> str:
        """What asserts the events; not `alone`, other models have some of their own by them."""
        lines = ""
        for action, write in (
            ("created", f"{self.object} = self.create()"),
            ("deleted", f"{self.object}.delete()"),
        ):
            event = f'(channel, "{self.event}.{action}")'
            if alone:
                lines += f"        with assert_publishes({event}):\n            {write}\n"
            else:
                lines += (
                    f"        with capture_events() as events:\n            {write}\n"
                    "        told = [(event.channel, event.type) for event in events]\n"
                    f"        self.assertIn({event}, told)\n"
                )
        return lines

    # What several of them say

    @property
    def _its_model(self) -> Import:
        return self.model.__module__, self.name

    @property
    def _its_serializer(self) -> Import:
        return f"{self.package}.serializers", self._serializer_name

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
