"""Health, while parts of what the server needs are away."""

import pytest

from tests.e2e.operations.conftest import health, well
from tests.servers import wait_until


def test_a_probe_needs_no_known_name(server):
    well(server)
    assert health(server, Host="10.0.0.7") == (200, set())


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_without_redis_health_says_so_and_with_it_again_too(server, redis, fault):
    well(server)
    getattr(redis, fault)()
    try:
        wait_until(lambda: health(server) == (503, {"broker"}), "the broker to fail")
    finally:
        redis.thaw() if fault == "freeze" else redis.start()
    well(server)


@pytest.mark.parametrize("fault", ["hold", "refuse"])
def test_without_the_database_health_is_answered_all_the_same(server, network, fault):
    well(server)
    getattr(network, fault)()
    try:
        wait_until(lambda: "database" in health(server)[1], "the database to fail")
        wait_until(lambda: all(health(server)[0] == 503 for _ in range(6)), "both to notice")
    finally:
        network.release() if fault == "hold" else network.accept()
    well(server)
