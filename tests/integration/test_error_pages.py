"""Pages that stand in for those that can't be shown."""

import pytest
from django.template import loader
from django.views import defaults


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_they_need_neither_request_nor_database(rf, status):
    text = loader.get_template(f"{status}.html").render()
    assert f"({status})" in text
    assert 'href="/"' in text
    assert "<script" not in text
    assert "style=" not in text


def test_django_finds_them(rf):
    answer = defaults.server_error(rf.get("/"))
    assert answer.status_code == 500
    assert b"To your lists" in answer.content
