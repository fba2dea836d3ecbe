"""The project's settings, as tests inside this process want them."""

import os
import tempfile

os.environ.setdefault("DEBUG", "1")

from api.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # In a file: threads that share a database in memory get errors where those of a file wait.
    DATABASES["default"]["TEST"] = {  # noqa: F405
        "NAME": f"{tempfile.gettempdir()}/realtime-tests-{os.getpid()}.sqlite3"
    }
# A slow hash is what passwords are for, and not what tests are about.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.kinds"]  # noqa: F405
