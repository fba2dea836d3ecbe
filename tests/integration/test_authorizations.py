"""What was signed here is remembered with its grounds, for as long as its connection lasts."""

from datetime import timedelta

import pytest
from django.utils import timezone

from realtime.models import Authorization
from realtime.rights import authorizations
from realtime.rights.grants import Grant

pytestmark = pytest.mark.django_db

AUTH = "key:0123456789abcdef"
ALICE, BOB = Grant(1, token="t"), Grant(2, session="s", password="p")


def age(**times):
    Authorization.objects.update(expires_at=timezone.now() + timedelta(**times))


def test_a_signature_has_the_grant_of_who_asked_for_it():
    authorizations.remember(AUTH, ALICE, "1.1")
    authorizations.remember("key:other", BOB, "1.2")
    assert authorizations.grant_for(AUTH) == ALICE
    assert authorizations.grant_for("key:other") == BOB


def test_a_signature_from_elsewhere_has_none():
    authorizations.remember(AUTH, ALICE, "1.1")
    assert authorizations.grant_for("key:fedcba") is None
    assert authorizations.grant_for("\ud800") is None


def test_who_asks_for_the_same_signature_last_counts():
    authorizations.remember(AUTH, ALICE, "1.1")
    authorizations.remember(AUTH, BOB, "1.1")
    assert authorizations.grant_for(AUTH) == BOB


def test_a_signature_itself_is_nowhere_in_the_database():
    authorizations.remember(AUTH, ALICE, "1.1")
    row = Authorization.objects.values().get()
    assert not any(AUTH in str(value) or value == "0123456789abcdef" for value in row.values())


def test_what_is_over_age_is_forgotten():
    authorizations.remember(AUTH, ALICE, "1.1")
    age(seconds=-1)
    authorizations.remember("key:other", BOB, "1.2")
    assert list(Authorization.objects.values_list("socket_id", flat=True)) == ["1.2"]


def test_an_open_connection_keeps_what_was_signed_for_it():
    # Forgotten too early, it would pass for signed elsewhere, and never end.
    for number in range(600):
        authorizations.remember(f"key:{number}", ALICE, f"1.{number}")
    age(seconds=5)
    authorizations.renew({f"1.{number}" for number in range(1, 600)})
    soon = timezone.now() + timedelta(hours=1)
    doomed = Authorization.objects.filter(expires_at__lt=soon)
    assert list(doomed.values_list("socket_id", flat=True)) == ["1.0"]
