"""django-eventstream as its README says, under daphne; one channel, no rights.

``BENCH_FOLDER`` is where its database is. ``BENCH_STORAGE=1`` keeps events in it, as its README
says for reliable delivery. ``BENCH_COMMITS`` names a file that each commit is noted in.
"""

import json
import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-benchmarks",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "daphne",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django_eventstream",
    ],
    ASGI_APPLICATION=f"{__name__}.application",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(os.environ["BENCH_FOLDER"], "db.sqlite3"),
            # As this project has it, so that commits cost the same.
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
                "transaction_mode": "IMMEDIATE",
            },
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    **(
        {"EVENTSTREAM_STORAGE_CLASS": "django_eventstream.storage.DjangoModelStorage"}
        if os.environ.get("BENCH_STORAGE")
        else {}
    ),
)
django.setup()

import django_eventstream
from django.contrib.auth.models import Group
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.projects.commits import note_commits

call_command("migrate", verbosity=0)
if os.environ.get("BENCH_COMMITS"):
    note_commits(os.environ["BENCH_COMMITS"])


@csrf_exempt
def publish(request: HttpRequest) -> HttpResponse:
    """Sends the body to all."""
    django_eventstream.send_event("one", "note", json.loads(request.body))
    return HttpResponse()


@csrf_exempt
def write(request: HttpRequest) -> HttpResponse:
    """Writes a row, and sends the body to all once that is committed."""
    message = json.loads(request.body)
    with transaction.atomic():
        Group.objects.create(name=message["data"])
        transaction.on_commit(lambda: django_eventstream.send_event("one", "note", message))
    return HttpResponse()


urlpatterns = [
    path("events/", include(django_eventstream.urls), {"channels": ["one"]}),
    path("pub", publish),
    path("write", write),
]
application = get_asgi_application()
