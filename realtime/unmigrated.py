"""What a database lacks of this project's migrations."""

from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.migrations.executor import MigrationExecutor

from realtime.plain import counted

ADVICE = "Run: python manage.py migrate"


def lack(connection: Any) -> str:
    """Which migrations a database lacks, as a sentence; empty if none. Raises a database's error if
    it can't be asked."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return ""
    return f"The database lacks {counted(len(plan), 'migration')}, from {plan[0][0]} on."


def told(connection: Any) -> str:
    """What a database lacks, and what to do about it; empty if nothing, or if it can't be asked."""
    try:
        lacking = lack(connection)
    except (DatabaseError, InterfaceError):
        return ""
    return f"{lacking} {ADVICE}" if lacking else ""
