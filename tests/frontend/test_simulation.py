"""The client against a model of the server: random writers, lists that are opened and left, lost
connections, pruned logs, late and cut packets. Every page must end up with what the server has."""

import pytest
from playwright.sync_api import Page


@pytest.mark.parametrize("seed", range(1, 9))
def test_every_list_ends_up_as_the_server_has_it(module: Page, seed: int) -> None:
    script = "async (seed) => (await import('/tests/simulation.js')).simulate(seed, 250)"
    result = module.evaluate(script, seed)
    assert result["mistakes"] == []
    assert result["streams"] == 1
    assert result["events"] > 100
