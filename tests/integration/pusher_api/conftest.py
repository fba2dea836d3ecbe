"""What the tests of Pusher's HTTP API share."""

import pytest

from tests.integration.conftest import Journal
from tests.pushers import library
from tests.websockets import APP


@pytest.fixture
def journal(db):
    return Journal()


@pytest.fixture
def pusher(db):
    return library(APP)
