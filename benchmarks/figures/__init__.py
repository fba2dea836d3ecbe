"""What is measured: modules whose functions answer `benchmarks.data.Figure`s."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    full: bool = False
    rounds: int = 3
    streams: int = 5000

    @property
    def slow_rounds(self) -> int:
        """Of servers that take minutes for one round."""
        return self.rounds if self.full else 1
