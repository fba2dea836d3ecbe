"""Logging out everywhere ends all that a user is logged in by, and nothing of anybody else's."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse
from rest_framework.authtoken.models import Token

URL = "/accounts/logout-everywhere/"


@pytest.fixture
def logins(alice, bob):
    """For each user, two browsers that are logged in, and a token."""
    found = {}
    for user in (alice, bob):
        browsers = [Client(), Client()]
        for browser in browsers:
            browser.force_login(user)
        found[user] = [*browsers, Client(headers={"Authorization": f"Token {token(user)}"})]
    return found


def token(user):
    return Token.objects.create(user=user).key


def logged_in(clients):
    return [client.get("/api/todo-lists/").status_code == 200 for client in clients]


def test_a_user_logs_out_of_everything_and_nobody_else_does(logins, alice, bob):
    answer = logins[alice][0].post(URL)
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert logged_in(logins[alice]) == [False, False, False]
    assert logged_in(logins[bob]) == [True, True, True]


def test_an_administrator_logs_users_out(logins, alice, bob, admin_client):
    body = {"action": "log_out", ACTION_CHECKBOX_NAME: [alice.pk]}
    assert admin_client.post(reverse("admin:auth_user_changelist"), body).status_code == 302
    assert logged_in(logins[alice]) == [False, False, False]
    assert logged_in(logins[bob]) == [True, True, True]
    assert admin_client.get("/admin/").status_code == 200


def test_it_takes_a_form_of_ones_own(logins, alice):
    assert logins[alice][0].get(URL).status_code == 405
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(alice)
    assert forger.post(URL).status_code == 403
    assert Client().post(URL).status_code == 302
    assert logged_in(logins[alice]) == [True, True, True]
