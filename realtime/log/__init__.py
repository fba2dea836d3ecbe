"""The log: append, number, read, prune. The only user of its tables."""

from realtime.log.heads import Extent, database, extent, head
from realtime.log.pruning import prunable, prune
from realtime.log.reading import Page, check, last_before, newest, read_after
from realtime.log.writing import BATCH, append, sequence, waits

__all__ = [
    "BATCH",
    "Extent",
    "Page",
    "append",
    "check",
    "database",
    "extent",
    "head",
    "last_before",
    "newest",
    "prunable",
    "prune",
    "read_after",
    "sequence",
    "waits",
]
