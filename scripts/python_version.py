"""Ends with one line if this Python is too old."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - any Python may run this
    sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 …")
