"""How events travel between the processes of a project; see `base`."""

from realtime.brokers.base import Broker as Broker
from realtime.brokers.memory import MemoryBroker as MemoryBroker
