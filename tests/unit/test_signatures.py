"""Signatures, against worked examples made with the `pusher` library for Python."""

import pytest

from realtime.signatures import App, body_md5, matches

APP = App("3", "278d425bdf160c739803", "7ad3773142a6692b25b8")
AUTH = [
    ("auth_key", "278d425bdf160c739803"),
    ("auth_timestamp", "1700000000"),
    ("auth_version", "1.0"),
]
BODY = b'{"name": "foo", "channels": ["project-3"], "data": "{\\"some\\": \\"data\\"}"}'
MEMBER = '{"user_id": "10", "user_info": {"name": "Mr. Channels"}}'


def test_a_private_channel():
    assert APP.channel_auth("1234.1234", "private-foobar") == (
        f"{APP.key}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
    )


def test_a_presence_channel():
    assert APP.channel_auth("1234.1234", "presence-foobar", MEMBER) == (
        f"{APP.key}:96f61cf0b64a80c5cf1852da9dea2998a90fd7fa840c4cc62212573f1c524cdf"
    )


def test_a_user():
    assert APP.user_auth("1234.1234", '{"id": "12345"}') == (
        f"{APP.key}:d06dc389319077f890321aeac54e04868921e1601686928f61fc9bf702e92830"
    )


def test_a_request_with_a_body():
    query = [*AUTH, ("body_md5", body_md5(BODY))]
    assert body_md5(BODY) == "e99c7bd443c2257b30f72ae568153d4f"
    assert APP.request_signature("POST", "/apps/3/events", query) == (
        "962d8ab843d8577f3d489078adc117a8b3e4a00d2eabe9e5c455b8dd0d7aa04e"
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_a_request_with_parameters_in_any_order(reverse):
    query = [
        *AUTH,
        ("body_md5", body_md5(b"")),
        ("filter_by_prefix", "presence-"),
        ("INFO", "user_count"),
    ]
    signed = APP.request_signature("GET", "/apps/3/channels", query[::-1] if reverse else query)
    assert signed == "3fc9da7cb4e6d626b1c5a1b1f0179acebb2b238818aab773b9aa682659ddfe10"


def test_a_webhook():
    body = '{"time_ms": 1700000000000, "events": [{"name": "channel_occupied", "channel": "my-channel"}]}'  # noqa: E501
    assert APP.sign(body) == "9bb04e8951c06d64d5ea805ff1b55041a8e11d9624ea001a685152df5d9f08b5"


@pytest.mark.parametrize("given", ["", "a", "abd", "abc ", "ü", "\ud800"])
def test_another_signature_does_not_match(given):
    assert matches("abc", "abc")
    assert not matches(given, "abc")


def test_the_secret_is_shown_nowhere():
    assert APP.secret not in repr(APP)
