"""The schema's view."""

import threading
from concurrent.futures import ThreadPoolExecutor

from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIRequestFactory

from api.views import SchemaView

TOGETHER = 3


def test_the_schema_is_made_by_one_at_a_time(monkeypatch):
    making, most = [], []
    get_schema = SchemaGenerator.get_schema
    all_here = threading.Barrier(TOGETHER)

    def counted(self, **kwargs):
        making.append(self)
        most.append(len(making))
        try:
            return get_schema(self, **kwargs)
        finally:
            making.remove(self)

    def ask(_):
        all_here.wait()
        return SchemaView.as_view()(APIRequestFactory().get("/api/schema/")).status_code

    monkeypatch.setattr(SchemaGenerator, "get_schema", counted)
    with ThreadPoolExecutor(TOGETHER) as pool:
        assert list(pool.map(ask, range(TOGETHER))) == [200] * TOGETHER
    assert max(most) == 1
