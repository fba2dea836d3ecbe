"""A representation that is the same in REST answers and in events."""

from typing import Any

from django.db import models
from rest_framework import serializers


class _StoredUrl:
    def to_representation(self, value: Any) -> str | None:
        """The address that the file's storage gives: with a request at hand, REST framework would
        put the server's before it, and an event has no request."""
        return value.url if value else None


class FileField(_StoredUrl, serializers.FileField):
    """A file, represented by its storage's address: from ``MEDIA_URL`` on."""


class ImageField(_StoredUrl, serializers.ImageField):
    """An image, represented by its storage's address: from ``MEDIA_URL`` on."""


class ModelSerializer(serializers.ModelSerializer[Any]):
    """REST framework's, for models with files."""

    serializer_field_mapping = {  # noqa: RUF012 - as REST framework declares it
        **serializers.ModelSerializer.serializer_field_mapping,
        models.FileField: FileField,
        models.ImageField: ImageField,
    }
