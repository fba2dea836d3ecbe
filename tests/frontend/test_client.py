"""The client module in Chromium, with a model of the server whose network the tests rule."""

from typing import Any

from playwright.sync_api import Page

from tests.servers import wait_until


def play(page: Page, scene: str) -> Any:
    return page.evaluate("async (name) => (await import('/tests/client.js'))[name]()", scene)


def test_a_write_shows_at_once_and_carries_its_name_and_credentials(module: Page) -> None:
    seen = play(module, "optimistic")
    assert seen["atOnce"] == seen["settled"] == ["changed", "row 2"]
    assert seen["pending"] is True
    assert seen["answer"] == "changed"
    assert seen["headers"]["Authorization"] == "Token secret"
    assert 0 < len(seen["headers"]["X-Mutation-ID"]) <= 64
    assert "X-CSRFToken" not in seen["headers"]


def test_a_refused_write_is_taken_back_and_told(module: Page) -> None:
    seen = play(module, "refused")
    assert seen["atOnce"] == ["refuse", "row 2"]
    assert seen["after"] == ["row 1", "row 2"]
    assert seen["errors"] == [[400, "This is refused.", "update"]]
    assert seen["rejected"] == {"text": ["This is refused."]}


def test_several_writes_to_one_row_stay_in_order(module: Page) -> None:
    seen = play(module, "manyWrites")
    assert seen["atOnce"] == {"id": 1, "list": 1, "text": "c", "place": 7}
    assert seen["shown"] == seen["real"]
    assert seen["real"] == {"id": 1, "list": 1, "text": "c", "place": 7, "note": "by another"}


def test_an_answer_before_its_events_shows_no_older_state(module: Page) -> None:
    seen = play(module, "answerBeforeEvents")
    assert all(state.startswith("mine/") for state in seen)
    assert seen[-1] == "mine/by another"


def test_a_created_row_keeps_its_key_when_it_gets_its_id(module: Page) -> None:
    seen = play(module, "created")
    assert seen["atOnce"] == ["row 1", "row 2", "newer"]
    assert seen["temporary"]
    assert seen["sameKey"]
    assert seen["shown"] == seen["real"]


def test_a_deleted_row_disappears_at_once_whoever_was_first(module: Page) -> None:
    assert play(module, "deleted") == {"atOnce": ["row 1", "row 3"], "after": ["row 1"]}


def test_a_write_that_changes_nothing_does_not_hide_what_others_write(module: Page) -> None:
    assert play(module, "nothingChanged") == ["by another", "row 2"]


def test_a_row_that_leaves_the_filter_leaves_the_list(module: Page) -> None:
    seen = play(module, "filtered")
    assert seen["without"] == ["row 1", "row 3"]
    assert seen["mine"] == ["row 1"]
    assert seen["after"] == ["row 2", "row 1"]


def test_after_a_reset_the_rows_are_loaded_anew(module: Page) -> None:
    seen = play(module, "reset")
    assert seen["resets"] == [{"channels": ["private-list.1"], "reason": "pruned"}]
    assert seen["loads"] == 1


def test_a_lost_stream_resumes_from_its_last_event(module: Page) -> None:
    seen = play(module, "resumed")
    assert set(seen["ids"]) == {seen["last"]}
    assert set(seen["paths"]) == {"events/"}
    assert seen["states"] == ["reconnecting", "open"]


def test_a_further_channel_neither_loses_nor_repeats_what_is_live(module: Page) -> None:
    seen = play(module, "anotherChannel")
    assert seen["open"] == 2  # for a moment, the old stream beside the new one
    assert seen["heard"] == seen["said"]


def test_a_refused_channel_harms_no_other(module: Page) -> None:
    seen = play(module, "refusedChannel")
    assert seen == {"status": 403, "state": "forbidden", "same": True, "states": []}


def test_a_right_that_ends_ends_its_list_only(module: Page) -> None:
    assert play(module, "rightEnds") == {"one": "open", "rows": "forbidden"}


def test_a_right_that_ended_during_a_disconnection_ends_its_list_only(module: Page) -> None:
    assert play(module, "rightEndedMeanwhile") == {"state": "live", "client": "open"}


def test_where_only_one_stream_is_allowed_the_new_one_replaces_the_old(module: Page) -> None:
    assert play(module, "tooMany") == 1


def test_who_is_signed_out_does_not_try_again(module: Page) -> None:
    assert play(module, "signedOut") == {"rows": "forbidden", "requests": 2}


def test_no_row_is_missed_when_pages_shift_while_they_are_read(module: Page) -> None:
    seen = play(module, "shiftedPages")
    assert seen["once"] is False
    assert seen["shown"] == ["new", *(f"row {place}" for place in range(3, 9))]
    assert seen["fetched"] == 7


def test_where_only_the_server_knows_what_matches_it_is_asked(module: Page) -> None:
    assert play(module, "unknownFilter") is True


def test_a_silent_stream_is_given_up(module: Page) -> None:
    module.clock.install()
    play(module, "silence")
    module.clock.fast_forward(20_000)
    module.evaluate("speak()")
    wait_until(lambda: module.evaluate("heard()"), "the stream to be heard")
    module.clock.fast_forward(20_000)  # 40 s after the start, 20 s after the last word
    assert module.evaluate("count()") == 1
    module.clock.fast_forward(20_000)
    wait_until(lambda: module.evaluate("renewed()"), "another stream")
