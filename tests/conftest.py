"""What every test gets: an environment without the developer's own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of two workers (`make test`) one places the calls, which mostly wait in real time, the other does the rest.

    Other tests stay together by file, so that what a file prepares is prepared once.
    """
    for item in items:
        group = "calls" if item.get_closest_marker("calls") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ANRUFLOTSE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def logging_as_shipped() -> Iterator[None]:
    """Undo what a test configured, so that no log line goes to another test's closed stream."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
