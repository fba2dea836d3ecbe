"""The client against a model of the server: random writers, lists that are opened and left, lost
connections, pruned logs, late and cut packets, changes of the transport. Every page must end up
with what the server has."""

import pytest
from playwright.sync_api import Page

RUNS = [(transport, seed) for transport in ("sse", "websocket", "both") for seed in range(1, 5)]
# Loads that last, while faster ones end and the transport changes.
RUNS += [("both", 106), ("both", 216)]


@pytest.mark.parametrize(("transport", "seed"), RUNS)
def test_every_list_ends_up_as_the_server_has_it(module: Page, transport: str, seed: int) -> None:
    script = "async (args) => (await import('/tests/simulation.js')).simulate(...args)"
    result = module.evaluate(script, [seed, 250, transport])
    assert result["mistakes"] == []
    assert result["events"] > 100
    assert transport in (result["used"], "both")
