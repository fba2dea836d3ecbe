"""Every way to end a right ends the streams that rest on it, on every worker of every server."""

from contextlib import closing

from tests.rights import Scene
from tests.servers import cluster, stop_all


def test_whatever_ends_a_right_ends_its_streams_on_all_workers(make_server):
    servers = cluster(make_server, REALTIME_MAX_STREAMS_PER_USER="500")
    with closing(Scene(servers)) as scene:
        scene.play()
        assert not scene.faults()
    stop_all(servers)
