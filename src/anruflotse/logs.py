"""The log: static sentences plus opaque values, to stderr.

Personal data must not get into a log by accident (DESIGN §5), so an event may carry only keys that are known to be
harmless: ids we drew ourselves, durations, counts and names from our own code. Any other key is dropped, and its *name*
is reported under `dropped`, so that the author notices and nothing is leaked meanwhile. An exception is logged as its
class and places in our code, never with its message: a library's message may quote what it choked on.

    import structlog
    log = structlog.get_logger(__name__)
    log.info("transfer failed", call=leg.id, outcome=outcome.value, target_index=1, seconds=4.2)

Libraries that log through the standard library are let through from `warning` on, and only with the static part of
their message: the arguments are left out.
"""

from __future__ import annotations

import enum
import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog

# fmt: off
SAFE_KEYS = frozenset({
    # opaque ids that were drawn at random for this purpose
    "call", "key_id", "leg", "record", "reference", "request", "session", "worker",
    # names out of our own code, catalogue or settings
    "action", "codec", "concern", "concerns", "decision", "department", "engine", "error", "event_type", "heard",
    "kind", "level", "model", "outcome", "phase", "processor", "promise", "prompt", "reason", "registrar", "room",
    "state", "status", "target_index", "transport", "version",
    # how many, how much, how long, yes or no
    "attempt", "bytes", "calls", "chunks", "code", "count", "deleted", "exit_code", "expired", "frames", "limit", "ms",
    "pid", "port", "queue", "rate", "records", "registered", "retries", "seconds", "signal", "size", "workers",
})
# fmt: on
"""The keys an event may carry besides its sentence."""

LONGEST_TEXT = 80
"""Characters of a value: names and ids are shorter, an utterance that slipped under a safe key is cut."""


_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What our own names look like; a list may hold nothing else."""


def configure(level: str = "info", form: str = "console", stream: TextIO | None = None) -> None:
    """Set logging up for this process: `level` and `form` as in the settings, to `stream` (stderr by default)."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    output = sys.stderr if stream is None else stream
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=output.isatty(), sort_keys=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            only_what_is_safe,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()  # noqa: TID251 - to take it over
    root.handlers[:] = [_FromLibraries()]
    root.setLevel(max(threshold, logging.WARNING))


def only_what_is_safe(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep the sentence and safe keys with plain, short values; an exception loses its message, the rest is dropped.

    A structlog processor. What it adds itself (`exception`, `dropped`) cannot be set by a caller.
    """
    safe: dict[str, Any] = {"event": event.pop("event", "")}
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    dropped: list[str] = []
    for key, value in event.items():
        if key in SAFE_KEYS and _plain(value):
            safe[key] = value.value if isinstance(value, enum.Enum) else value
        else:
            dropped.append(key)
    if isinstance(error, BaseException):
        safe["exception"] = described(error)
    if dropped:
        safe["dropped"] = sorted(dropped)
    return safe


def described(error: BaseException) -> str:
    """An exception and its causes as classes and places: `ValueError at pcm.py:88 < app.py:12 from OSError at …`."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < 5:  # noqa: PLR2004 - a chain longer than this tells nothing more
        places = [
            f"{Path(place.filename).name}:{place.lineno}" for place in traceback.extract_tb(current.__traceback__)
        ]
        parts.append(f"{type(current).__qualname__} at {' < '.join(places[:-6:-1]) or 'no place'}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return " from ".join(parts)


def _plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(name, str) and _NAME.fullmatch(name) for name in value)
    return (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and len(value) <= LONGEST_TEXT)
    )


class _FromLibraries(logging.Handler):
    """Passes on what libraries log: their static text, never the arguments that were to be put into it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record through structlog."""
        values: Mapping[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        static = record.msg if isinstance(record.msg, str) and record.args else "message withheld"
        structlog.get_logger().log(record.levelno, static, kind=record.name, **values)
