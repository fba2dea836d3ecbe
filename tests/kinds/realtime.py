"""Publishers of them, all on one channel."""

from rest_framework import serializers

import realtime
from tests.kinds import models


class Publisher(realtime.ModelPublisher):
    def channels(self, obj):
        return ["kinds"]


def _publish(model, *fields):
    meta = type("Meta", (), {"model": model, "fields": fields})
    serializer = type("Serializer", (serializers.ModelSerializer,), {"Meta": meta})
    realtime.register(model)(type("Publisher", (Publisher,), {"serializer_class": serializer}))


_publish(models.Product, "sku", "name", "category", "shelf")
_publish(models.Document, "id", "name")
_publish(models.Counter, "id", "name")
_publish(models.Restaurant, "id", "name", "seats")
_publish(models.Cell, "row", "column", "name")
_publish(models.Page, "id", "_order")
_publish(models.Vehicle, "plate", "label")
_publish(models.Ticket, "place", "number")
_publish(models.Person, "id", "friends")
