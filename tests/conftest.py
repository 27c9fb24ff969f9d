"""What every test gets: an environment without the developer's own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog


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
