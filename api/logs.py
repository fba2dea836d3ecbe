"""The log's lines: what keeps them readable while something is broken, and true all the time."""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any

from realtime import tracing
from realtime.plain import one_line

PAUSE = 60.0
"""Seconds for which a warning or error that has been logged is not logged again."""
_REMEMBERED = 1000

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}
"""What every record has; everything else was said by who has logged it."""


class Unrepeated(logging.Filter):
    """Lets each warning and error pass once a minute: while a database or Redis is away, everything
    that asks for it fails every second, in the same words."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is to be logged."""
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if record.exc_info else None
        key = record.name, record.getMessage(), repr(error)
        now = time.monotonic()
        if key in self._passed and now < self._passed[key] + PAUSE:
            return False
        if len(self._passed) >= _REMEMBERED:
            self._passed.clear()
        self._passed[key] = now
        return True


class Identified(logging.Filter):
    """Says of each record which request it belongs to, if it does to one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything pass."""
        if not hasattr(record, "request_id"):
            record.request_id = tracing.current()
        return True


class TextFormatter(logging.Formatter):
    """Lines for people. Whatever a client has sent, no line but a record's own begins at the
    margin: within a line, control characters are escaped, and further lines are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, and what has been said beside its message."""
        line = one_line(self.formatMessage(_told(self, record)))
        said = {**_request(record), **_said(record)}
        line += "".join(f" {name}={_word(value)}" for name, value in said.items())
        further = [record.exc_text or "", self.formatStack(record.stack_info or "")]
        lines = [text for part in further for text in part.splitlines()]
        return "\n".join([line, *(f"    {one_line(text)}" for text in lines)])


class JSONFormatter(logging.Formatter):
    """A JSON object in a line for each record, for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, request_id, exception, and what else has been said."""
        _told(self, record)
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.message,
            "process": record.process,
            **_request(record),
            **_said(record),
        }
        if record.exc_text:
            told["exception"] = record.exc_text
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        # In ASCII: neither line breaks that only some readers know, nor lone surrogates.
        return json.dumps(told, default=str)


def _told(formatter: logging.Formatter, record: logging.LogRecord) -> logging.LogRecord:
    record.message = record.getMessage()
    record.asctime = formatter.formatTime(record)
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    return record


def _request(record: logging.LogRecord) -> dict[str, str]:
    name = getattr(record, "request_id", "")
    return {"request_id": name} if name else {}


def _said(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as ``extra``; Django's requests are no text."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _PLAIN and isinstance(value, str | int | float | None)
    }


def _word(value: Any) -> str:
    text = one_line(str(value))
    return json.dumps(text) if not text or " " in text or '"' in text or "=" in text else text
