"""The channel that somebody comes back to, and who that is."""

import pytest
from rest_framework.authtoken.models import Token


@pytest.fixture
def channel(groceries):
    return f"private-todo-list.{groceries.pk}"


@pytest.fixture
def token(alice):
    return Token.objects.create(user=alice)
