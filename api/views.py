"""Views that belong to no application."""

from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.throttling import AnonRateThrottle


class TokenView(ObtainAuthToken):
    """A token for a username and password."""

    throttle_classes = (AnonRateThrottle,)
