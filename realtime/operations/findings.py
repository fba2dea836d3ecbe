"""What a doctor finds."""

from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: str
    subject: str
    text: str
    advice: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        advice = f" -> {self.advice}" if self.advice else ""
        return f"{self.level:<8} {self.subject}: {self.text}{advice}"
