"""A test kit for projects that use this package.

It works in each of Django's test cases that may use the database, and with pytest-django: also
within the transaction of a ``TestCase``, where nothing is ever committed.
"""

from realtime.testing.convergence import Replica as Replica
from realtime.testing.convergence import assert_converges as assert_converges
from realtime.testing.publishing import assert_publishes as assert_publishes
from realtime.testing.publishing import capture_events as capture_events
from realtime.testing.publishing import settle as settle
from realtime.testing.streams import Received as Received
from realtime.testing.streams import Stream as Stream
from realtime.testing.streams import StreamRefused as StreamRefused

__all__ = [
    "Received",
    "Replica",
    "Stream",
    "StreamRefused",
    "assert_converges",
    "assert_publishes",
    "capture_events",
    "settle",
]
