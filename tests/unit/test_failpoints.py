"""Failpoints are nothing where nobody arms them, and a server can't be told to."""

import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from realtime import failpoints
from realtime.conf import from_environ
from tests.servers import ROOT


def test_nothing_is_armed():
    assert failpoints.reach is failpoints._pass


def test_what_arms_them_is_called_with_each_point(monkeypatch):
    monkeypatch.setattr(failpoints, "reach", failpoints._pass)
    reached = []
    failpoints.arm(reached.append)
    failpoints.reach("log.numbering")
    assert reached == ["log.numbering"]


def test_the_project_refuses_the_variable_by_which_tests_arm_them():
    with pytest.raises(ImproperlyConfigured, match="REALTIME_FAILPOINTS is not a setting"):
        from_environ({"REALTIME_FAILPOINTS": "/tmp"})


def test_nothing_but_the_settings_of_torture_runs_arms_them():
    code = (
        "import sys, django; django.setup();"
        "import api.asgi; from realtime import failpoints;"
        "sys.exit(failpoints.reach is not failpoints._pass)"
    )
    environ = {"DJANGO_SETTINGS_MODULE": "api.settings", "DEBUG": "1"}
    subprocess.run([sys.executable, "-c", code], env=environ, cwd=ROOT, check=True)
