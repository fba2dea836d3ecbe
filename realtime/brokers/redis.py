"""The broker between processes and machines, by Redis' PUBLISH and SUBSCRIBE."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from urllib.parse import urlsplit

import redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from realtime.brokers.remote import PATIENCE, PING_INTERVAL, RemoteBroker


class RedisBroker(RemoteBroker):
    """Sends to all who listen to the same `topic` of the Redis at `url`.

    Nothing is stored there: Redis may be emptied, restarted or replaced at any time.
    """

    # Far below the 8 MB at which Redis would cut a listener that is a minute behind.
    size_limit = 256 * 1024

    def __init__(self, url: str, topic: str) -> None:
        super().__init__()
        self._url = url
        self._topic = topic

    @contextmanager
    def connect(self) -> Iterator[Callable[[str], object]]:
        client = redis.Redis.from_url(
            self._url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )
        with closing(client):
            client.ping()
            yield lambda message: client.publish(self._topic, message)

    async def messages(self) -> AsyncGenerator[str | bytes, None]:
        client = AsyncRedis.from_url(
            self._url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=AsyncRetry(NoBackoff(), 0),
        )
        async with aclosing(client), aclosing(client.pubsub()) as listener:
            await listener.subscribe(self._topic)
            clock = time.monotonic
            self.heard = clock()
            while clock() < self.heard + PING_INTERVAL + PATIENCE:
                reply = await listener.get_message(timeout=PING_INTERVAL)
                if reply is None:
                    await listener.ping()
                    continue
                self.heard = clock()
                if reply["type"] == "subscribe":
                    yield ""
                elif reply["type"] == "message":
                    yield reply["data"]
        raise ConnectionError("Redis has fallen silent.")

    def describe(self) -> str:
        address = urlsplit(self._url)
        where = f"{address.hostname}:{address.port or 6379}" if address.hostname else address.path
        return f"Redis at {where}; other processes hear of changes within milliseconds"
