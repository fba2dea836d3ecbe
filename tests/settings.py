"""The project's settings, as tests inside this process want them."""

import os

os.environ.setdefault("DEBUG", "1")

from api.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# A slow hash is what passwords are for, and not what tests are about.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
