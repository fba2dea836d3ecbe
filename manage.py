#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    """Runs a management command; a wrong setting is one line, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")
    # Imported here, as Django's own template does: without the virtual environment it isn't there.
    from django.conf import settings  # noqa: PLC0415
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        _ = settings.DEBUG
    except ImproperlyConfigured as error:
        sys.exit(f"Wrong settings: {error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
