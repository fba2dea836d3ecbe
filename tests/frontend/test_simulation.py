"""The client against a model of the server: random writers, lists that are opened and left, lost
connections, pruned logs, late and cut packets, changes of the transport. Every page must end up
with what the server has, and a witness must have heard everything once and in order."""

import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.servers import ROOT

NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("node.mjs")

by_every_transport = pytest.mark.parametrize("transport", ["sse", "websocket", "both"])


@by_every_transport
def test_every_list_ends_up_as_the_server_has_it(module: Page, transport: str) -> None:
    script = "async (args) => (await import('/tests/simulation.js')).simulate(...args)"
    result = module.evaluate(script, [1, 250, transport])
    assert result["mistakes"] == []
    assert result["events"] > 100
    assert transport in (result["used"], "both")


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@by_every_transport
def test_so_it_is_in_many_runs(transport: str) -> None:
    arguments = [str(NODE), str(SCRIPT), str(ROOT / "realtime/static"), transport, "1", "40"]
    answer = subprocess.run(arguments, capture_output=True, text=True, timeout=100, check=True)
    assert answer.stdout == ""
