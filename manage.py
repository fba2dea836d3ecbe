#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    """Runs a management command; a wrong setting, or a database that can't be used, is one line and
    not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")
    # Imported here, as Django's own template does: without the virtual environment it isn't there.
    from django.conf import settings  # noqa: PLC0415
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415
    from django.core.management import execute_from_command_line  # noqa: PLC0415
    from django.db import OperationalError, ProgrammingError, connection  # noqa: PLC0415

    try:
        # A command has no use for a pool, whose errors don't say why there is no connection.
        settings.DATABASES["default"]["OPTIONS"].pop("pool", None)
    except ImproperlyConfigured as error:
        sys.exit(f"Wrong settings: {error}")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv:
            raise
        from realtime import unmigrated  # noqa: PLC0415

        if lack := unmigrated.told(connection):
            sys.exit(lack)
        if isinstance(error, ProgrammingError):
            raise
        sys.exit(f"The database can't be used: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
