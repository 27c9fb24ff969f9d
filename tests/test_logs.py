from __future__ import annotations

import io
import json
import logging
from enum import StrEnum
from typing import Any

import pytest
import structlog

from anruflotse import logs

CANARY = "Blutzucker4711"


class Colour(StrEnum):
    RED = "red"


@pytest.fixture
def stream() -> io.StringIO:
    written = io.StringIO()
    logs.configure("info", "json", written)
    return written


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_safe_keys_are_written_as_they_are(stream: io.StringIO) -> None:
    structlog.get_logger().info("call answered", call="a1b2", seconds=1.5, count=3, outcome=Colour.RED, reason=None)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "call answered",
        "level": "info",
        "call": "a1b2",
        "seconds": 1.5,
        "count": 3,
        "outcome": "red",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("text", CANARY),
        ("number", CANARY),
        ("caller", {"number": CANARY}),
        ("reason", [CANARY]),
        ("reason", CANARY.encode()),
        ("reason", CANARY + " und noch viel mehr, was jemand am Telefon über sich erzählt hat, ohne Punkt und Komma"),
    ],
)
def test_anything_else_is_dropped_and_its_name_told(stream: io.StringIO, key: str, value: object) -> None:
    structlog.get_logger().warning("something happened", call="a1b2", **{key: value})
    assert CANARY not in stream.getvalue()
    (line,) = lines(stream)
    assert line["dropped"] == [key]
    assert line["call"] == "a1b2"


def test_a_list_holds_names_of_ours_or_is_dropped(stream: io.StringIO) -> None:
    structlog.get_logger().info("untrained", concerns=["zahnersatz", "reha_kur"])
    structlog.get_logger().info("untrained", concerns=["zahnersatz", f"ich habe {CANARY.lower()}"])
    first, second = lines(stream)
    assert first["concerns"] == ["zahnersatz", "reha_kur"]
    assert second["dropped"] == ["concerns"]
    assert "concerns" not in second


def test_bound_values_and_context_pass_the_same_gate(stream: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(call="a1b2", transcript=CANARY)
    structlog.get_logger().bind(caller=CANARY).info("bound")
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["dropped"] == ["caller", "transcript"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_told_by_class_and_place_never_by_message(form: str) -> None:
    stream = io.StringIO()
    logs.configure("info", form, stream)
    try:
        try:
            int(CANARY)
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError:
        structlog.get_logger().exception("it failed", call="a1b2")
    assert CANARY not in stream.getvalue()
    assert "RuntimeError at test_logs.py:" in stream.getvalue()
    assert "from ValueError at test_logs.py:" in stream.getvalue()


def test_an_exception_handed_over_by_hand_is_no_way_around(stream: io.StringIO) -> None:
    error = ValueError(CANARY)
    structlog.get_logger().error("it failed", exc_info=error)
    structlog.get_logger().error("it failed", exc_info=(ValueError, error, None))
    structlog.get_logger().error("it failed", exception=CANARY)
    structlog.get_logger().error("it failed", stack_info=CANARY)
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["exception"] == "ValueError at no place"


def test_the_level_holds_back_what_is_less_important() -> None:
    stream = io.StringIO()
    logs.configure("warning", "json", stream)
    structlog.get_logger().info("not this")
    structlog.get_logger().warning("this")
    assert [line["event"] for line in lines(stream)] == ["this"]


def test_what_libraries_log_loses_its_arguments(stream: io.StringIO) -> None:
    library = logging.getLogger("some.library")  # noqa: TID251 - it plays a library
    library.warning("cannot decode %s", CANARY)
    library.warning(f"cannot decode {CANARY}")
    library.info("chatter")
    assert CANARY not in stream.getvalue()
    assert [(line["event"], line["kind"], line["level"]) for line in lines(stream)] == [
        ("cannot decode %s", "some.library", "warning"),
        ("message withheld", "some.library", "warning"),
    ]


def test_what_is_reserved_for_the_renderer_carries_no_caller_text(stream: io.StringIO) -> None:
    structlog.get_logger().info("hello", timestamp=CANARY, logger=CANARY, dropped=CANARY)
    assert CANARY not in stream.getvalue()
