"""Entity tags and the headers that name them."""

from datetime import UTC, datetime

import pytest

from realtime import etags
from realtime.etags import Condition, Conditions
from realtime.exceptions import InvalidCondition


def parse(header):
    return Condition.parse("If-Match", header)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"a"', ('"a"',)),
        ('W/"a"', ('W/"a"',)),
        ('""', ('""',)),
        ('"a", "b"', ('"a"', '"b"')),
        ('"a","b",W/"c"', ('"a"', '"b"', 'W/"c"')),
        ('"a,b" , "c\xff"', ('"a,b"', '"c\xff"')),
        (' ,, "a" ,\t, "b",', ('"a"', '"b"')),
        ("*", None),
        (" * ", None),
    ],
)
def test_a_header_names_tags(header, tags):
    assert parse(header).tags == tags


@pytest.mark.parametrize(
    "header",
    ["", " ", ",", "a", '"a', 'a"', '"a" "b"', '"a";"b"', 'w/"a"', 'W/ "a"', '*, "a"', '"a", *',
     '"a b"', '"a"b', "'a'", '"\x7f"', '"a", b', '"' + " " * 9999, " " * 9999 + "x"],
)  # fmt: skip
def test_what_is_no_list_of_tags_is_an_error(header):
    with pytest.raises(InvalidCondition):
        parse(header)


def test_if_match_compares_strongly_and_if_none_match_weakly():
    # RFC 9110, sections 13.1.1 and 13.1.2
    for header, strongly in (
        ('W/"a"', False),
        ('"a"', True),
        ("*", True),
    ):
        wanted = Conditions.of(header, None)
        assert wanted.fails('"a"', reading=False) is not strongly
        unwanted = Conditions.of(None, header)
        assert unwanted.is_known('"a"')
        assert unwanted.fails('"a"', reading=False)
        assert unwanted.fails('"a"', reading=True) is False


def test_no_condition_holds_whatever_there_is():
    assert not Conditions()
    assert not Conditions().fails('"a"', reading=False)
    assert not Conditions().is_known('"a"')


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("Zoë", "8ijto_OCPbqKisHQgv-br4Svri_hSnRjQcFHOGDV2zo"),
        ("\u2028", "TuXgPFdN3tMWiuRHkLi4Qp8d_jHK8Cm1c5Gm0GNoKGE"),
        ("\x00\x1f\x7f", "Nat3nOVms43JoJZ_yQY1smWUnvIlzfM6YIgVpQg9ld4"),
        ("\ud800", "9JYOzMQWpnUeRMT9_vsCegftbVUKO4DnFLvWAxZU4aA"),
        ('"\\/', "_IiAZ2SBavXtoFNUkcEHwpkjzzscmyffS2tTk-G4_0U"),
        ("😀", "B6zKZNqAExy3YYTvU5Ra3-T7-zXp6gxZUu69MHkckOI"),
    ],
)
def test_a_tag_is_the_digest_of_what_javascript_writes(text, digest):
    # In Node: createHash("sha256").update(JSON.stringify({ id: 1, text })).digest("base64url")
    assert etags.of({"id": 1, "text": text}) == f'"{digest}"'


def test_values_that_are_no_json_become_what_the_api_answers():
    moment = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    assert etags.of({"at": moment}) == etags.of({"at": "2026-01-02T03:04:05.678900Z"})
