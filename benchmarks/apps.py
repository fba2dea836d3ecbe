"""An application that is installed beside this project's own where a figure needs it."""

import os

from django.apps import AppConfig

from benchmarks.projects.commits import note_commits


class BenchConfig(AppConfig):
    """Does what the environment says: ``BENCH_COMMITS`` names a file that each commit is noted in;
    with ``BENCH_SILENT``, no model is published."""

    name = "benchmarks"

    def ready(self) -> None:
        """Runs before ``realtime`` looks for publishers."""
        if path := os.environ.get("BENCH_COMMITS"):
            note_commits(path)
        if os.environ.get("BENCH_SILENT"):
            from realtime.publishing import publisher  # noqa: PLC0415 - models are not there any earlier

            publisher.register = lambda *models: lambda publisher_class: publisher_class
