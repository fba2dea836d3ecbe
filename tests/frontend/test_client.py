"""The client module in Chromium, with a model of the server whose network the tests rule."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.servers import wait_until

by_both = pytest.mark.parametrize("transport", ["sse", "websocket"])


def play(page: Page, scene: str, *arguments: Any) -> Any:
    script = "async ([name, ...rest]) => (await import('/tests/client.js'))[name](...rest)"
    return page.evaluate(script, [scene, *arguments])


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


@by_both
def test_a_list_is_read_although_no_stream_can_be_opened(module: Page, transport: str) -> None:
    seen = play(module, "readWithoutStream", transport)
    assert seen == {"read": ["row 1", "row 2"], "heard": ["changed"]}


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


@by_both
def test_after_a_reset_the_rows_are_loaded_anew(module: Page, transport: str) -> None:
    seen = play(module, "reset", transport)
    assert seen["resets"] == [{"channels": ["private-list.1"], "reason": "pruned"}]
    assert seen["loads"] == 1


def test_a_lost_stream_resumes_from_its_last_event(module: Page) -> None:
    seen = play(module, "resumed")
    assert set(seen["ids"]) == {seen["last"]}
    assert set(seen["paths"]) == {"events/"}
    assert seen["states"] == ["reconnecting", "open"]


@by_both
def test_a_further_channel_neither_loses_nor_repeats_what_is_live(
    module: Page, transport: str
) -> None:
    seen = play(module, "anotherChannel", transport)
    # For a moment, the old stream beside the new one; a WebSocket takes in another channel.
    assert (seen["open"], seen["sockets"]) == ((2, 0) if transport == "sse" else (0, 1))
    assert seen["heard"] == seen["said"]


@by_both
def test_a_list_that_loads_while_a_stream_takes_over_misses_nothing(
    module: Page, transport: str
) -> None:
    assert play(module, "loadedMeanwhile", transport) == ["meanwhile", "row 2"]


@by_both
def test_a_channel_that_nobody_needs_is_left(module: Page, transport: str) -> None:
    assert play(module, "leftChannel", transport) == (1 if transport == "websocket" else 0)


@by_both
def test_a_refused_channel_harms_no_other(module: Page, transport: str) -> None:
    seen = play(module, "refusedChannel", transport)
    assert seen == {"status": 403, "state": "forbidden", "same": True, "states": []}


@by_both
def test_a_right_that_ends_ends_its_list_only(module: Page, transport: str) -> None:
    assert play(module, "rightEnds", transport) == {"one": "open", "rows": "forbidden"}


@by_both
def test_a_right_that_ended_during_a_disconnection_ends_its_list_only(
    module: Page, transport: str
) -> None:
    assert play(module, "rightEndedMeanwhile", transport) == {"state": "live", "client": "open"}


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


def test_a_websocket_subscribes_with_a_signature_and_resumes_from_its_last_event(
    module: Page,
) -> None:
    seen = play(module, "byWebSocket")
    assert seen["transport"] == "websocket"
    assert "/app/k?protocol=7&client=" in seen["url"]
    assert seen["first"]["auth"] == "k:0.1:private-list.1"
    assert seen["subscribed"]["last_event_id"] == seen["last"]
    assert seen["asked"] == ["pusher/auth"]  # nothing is loaded anew
    assert [entry[:2] for entry in seen["messages"]] == [[3, "row.updated"], [4, "row.updated"]]
    assert seen["messages"][0][2]  # its own write, which it knows again
    assert seen["foreign"] == ["2"]
    assert seen["streams"] == 0


def test_the_transport_changes_in_mid_life_without_gap_or_repetition(module: Page) -> None:
    seen = play(module, "switched")
    assert seen["used"] == ["websocket", "sse", "websocket", "sse"]
    assert seen["states"] == []
    assert seen["messages"] == seen["said"]
    assert len(seen["said"]) > 8


def test_where_no_websocket_opens_there_are_events_and_later_another_attempt(module: Page) -> None:
    module.clock.install()
    play(module, "withoutWebSockets", 1006)
    assert module.evaluate("seen()")["transport"] == "sse"
    assert module.evaluate("seen()")["sockets"] == 1
    module.evaluate("admit()")
    module.clock.fast_forward(61_000)
    wait_until(lambda: module.evaluate("seen().transport") == "websocket", "a WebSocket")
    module.evaluate("speak()")
    wait_until(lambda: module.evaluate("heard()"), "the change")
    seen = module.evaluate("seen()")
    assert (seen["messages"], seen["state"]) == ([3, 4], "open")


@pytest.mark.parametrize("code", [4001, 4009])
def test_a_websocket_that_is_refused_for_good_is_not_tried_again(module: Page, code: int) -> None:
    module.clock.install()
    play(module, "withoutWebSockets", code)
    module.evaluate("admit()")
    module.clock.fast_forward(200_000)
    module.evaluate("speak()")
    wait_until(lambda: module.evaluate("heard()"), "the change")
    seen = module.evaluate("seen()")
    assert (seen["transport"], seen["sockets"]) == ("sse", 1)


def test_websockets_that_are_cut_again_and_again_give_way(module: Page) -> None:
    assert play(module, "cutWebSockets") == 3


@by_both
def test_a_silent_stream_is_given_up(module: Page, transport: str) -> None:
    module.clock.install()
    play(module, "silence", transport)
    module.clock.fast_forward(20_000)
    module.evaluate("speak()")
    wait_until(lambda: module.evaluate("heard()"), "the stream to be heard")
    module.clock.fast_forward(20_000)  # 40 s after the start, 20 s after the last word
    assert module.evaluate("count()") == 1
    module.clock.fast_forward(20_000)
    wait_until(lambda: module.evaluate("renewed()"), "another stream")


def test_a_write_whose_answer_was_lost_is_found_in_the_log(module: Page) -> None:
    seen = play(module, "answerLost", False)
    assert seen == {"said": "once", "there": ["once"], "sent": 1, "refused": 0}


def test_what_the_log_can_not_tell_is_not_repeated_but_asked(module: Page) -> None:
    seen = play(module, "answerLost", True)
    assert "Look before you send it again." in seen["said"]
    assert seen["there"] == ["once"]
    assert (seen["sent"], seen["refused"]) == (1, 1)


def test_what_waits_goes_out_in_order_and_under_its_names(module: Page) -> None:
    seen = play(module, "inOrder")
    assert seen["shown"] == ["b true", "c true"]
    assert seen["kept"] == 5
    # The first was tried before it had to wait, but did not reach the server.
    assert seen["sent"] == ["POST", "PATCH", "POST", "POST", "DELETE"]
    assert seen["repeated"] == 0
    assert (seen["there"], seen["left"]) == (["b", "c"], 0)


def test_what_a_page_has_left_unsent_is_sent_once_by_another(module: Page) -> None:
    assert play(module, "inheritance") == {"before": 0, "after": 1, "left": 0}


def test_a_write_says_what_it_has_seen(module: Page) -> None:
    assert play(module, "precondition") == '"tag"'
