"""Which positions a moved item and its neighbours get."""

import random
from typing import Any

from playwright.sync_api import Page

SMALLEST, LARGEST = -(2**31), 2**31 - 1


def moved(page: Page, positions: list[int], start: int, end: int) -> dict[str, int]:
    script = """async ([items, from, to]) => {
        const { positionsAfterMove } = await import("/static/frontend/todos/positions.js");
        return positionsAfterMove(items, from, to);
    }"""
    items = [{"key": str(index), "position": place} for index, place in enumerate(positions)]
    writes: list[dict[str, Any]] = page.evaluate(script, [items, start, end])
    assert len({write["key"] for write in writes}) == len(writes)
    return {write["key"]: write["position"] for write in writes}


def test_between_two_items_one_write_is_enough(module: Page) -> None:
    assert moved(module, [1024, 2048, 3072], 0, 1) == {"0": 2560}
    assert moved(module, [1024, 2048, 3072], 2, 0) == {"2": 0}
    assert moved(module, [1024, 2048, 3072], 0, 2) == {"0": 4096}


def test_nothing_is_written_for_no_move(module: Page) -> None:
    assert moved(module, [1024, 2048], 1, 1) == {}


def test_without_a_gap_the_fewer_neighbours_are_pushed(module: Page) -> None:
    assert moved(module, [1, 2, 3, 4, 5, 6], 5, 1) == {"5": 1, "0": 0}
    assert moved(module, [1, 2, 3, 4, 5, 6], 0, 4) == {"0": 6, "5": 7}


def test_at_the_end_of_the_numbers_all_are_spread(module: Page) -> None:
    assert moved(module, [SMALLEST, 0, LARGEST], 2, 0) == {"2": 1024, "0": 2048, "1": 3072}


def test_any_move_ends_in_the_order_that_was_asked_for(module: Page) -> None:
    dice = random.Random(3)
    for _ in range(200):
        count = dice.randint(2, 9)
        narrow = dice.choice([3, 20, 5000])
        positions = sorted(dice.randint(-narrow, narrow) for _ in range(count))
        start, end = dice.randrange(count), dice.randrange(count)
        writes = moved(module, positions, start, end)
        order = [str(index) for index in range(count)]
        order.insert(end, order.pop(start))
        after = {str(index): place for index, place in enumerate(positions)} | writes
        if start != end:
            # Whom the server sorts by id where positions are equal, nobody has moved apart.
            untouched = [key for key in order if key not in writes]
            assert untouched == sorted(untouched, key=lambda key: (after[key], int(key)))
            assert order == sorted(order, key=lambda key: (after[key], int(key)))
