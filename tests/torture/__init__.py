"""Faults and abuse at full size, with their figures: `make torture`. Not part of `make test`."""
