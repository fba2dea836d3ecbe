"""This project's settings, with the benchmarks' application in them."""

from api.settings import *  # noqa: F403
from api.settings import INSTALLED_APPS

# First: it is to be ready before the others.
INSTALLED_APPS = ["benchmarks.apps.BenchConfig", *INSTALLED_APPS]
