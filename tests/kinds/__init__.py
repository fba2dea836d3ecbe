"""An application whose models are of all kinds that Django has."""

from django.apps import apps
from django.db import connection


def create_tables() -> None:
    """For a database that is the project's, which doesn't know this application."""
    tables = connection.introspection.table_names()
    with connection.schema_editor() as editor:
        for model in apps.get_app_config("kinds").get_models():
            if not model._meta.proxy and model._meta.db_table not in tables:
                editor.create_model(model)


def clear_tables() -> None:
    """For the next test with the same database."""
    for model in apps.get_app_config("kinds").get_models():
        if not model._meta.proxy:
            model.objects.all().delete()
