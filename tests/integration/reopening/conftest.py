"""Who comes back."""

import pytest
from rest_framework.authtoken.models import Token


@pytest.fixture
def token(alice):
    return Token.objects.create(user=alice)
