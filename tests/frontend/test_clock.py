"""How well the page knows the server's clock."""

from typing import Any

from playwright.sync_api import Page


def known(page: Page, script: str) -> Any:
    setup = 'const { Clock } = await import("/static/frontend/todos/clock.js");'
    return page.evaluate(f"async () => {{ {setup} const clock = new Clock(); {script} }}")


def test_the_truth_is_always_within_the_error_and_the_error_shrinks(module: Page) -> None:
    script = """
        const offset = 1.7e12 + 123.4; // what nobody tells the clock
        let seed = 7;
        const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
        const errors = [];
        for (let count = 0, now = 1000; count < 300; count += 1) {
            now += random() * 900;
            const sent = now - 5 - random() * 80;
            const answered = sent + random() * (now - sent);
            const stale = random() * 1000; // servers look at the clock but once a second
            const date = Math.floor((answered + offset - stale) / 1000) * 1000;
            clock.answered(sent, now, date);
            if (random() < 0.2) clock.heard(now - random() * 50 + offset, now);
            const { milliseconds, error } = clock.since(now - 40 + offset, now);
            if (Math.abs(milliseconds - 40) > error + 1e-3) return `wrong by more than ${error}`;
            errors.push(error);
        }
        return [errors[0], errors.at(-1)];
    """
    first, last = known(module, script)
    assert first > 900
    assert last < 550


def test_a_creation_tells_it_to_the_duration_of_its_request(module: Page) -> None:
    script = """
        clock.answered(1000, 1040, 1.7e12, 1.7e12 + 20);
        return clock.since(1.7e12 + 20, 1140);
    """
    delay = known(module, script)
    assert delay["error"] <= 20.1
    assert abs(delay["milliseconds"] - 120) <= delay["error"]


def test_without_bounds_nothing_is_claimed(module: Page) -> None:
    assert known(module, "clock.heard(1.7e12, 5); return clock.since(1.7e12, 9);") is None
    assert known(module, "clock.answered(1, 2, NaN); return clock.since(NaN, 9);") is None


def test_a_clock_that_was_set_is_believed_again(module: Page) -> None:
    script = """
        clock.answered(1000, 1040, 1.7e12);
        clock.answered(2000, 2040, 1.8e12);
        return clock.since(1.8e12, 2040);
    """
    delay = known(module, script)
    assert abs(delay["milliseconds"]) <= delay["error"] + 2000
