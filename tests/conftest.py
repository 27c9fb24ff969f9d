"""What every test gets: an environment without the developer's own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

CALLS = (
    *("tests/calls/", "tests/bench/test_run.py", "tests/demo/", "tests/lines/"),
    *("tests/cli/test_call.py", "tests/cli/test_phone.py"),
)
"""Where the tests are that phone in real time."""


# The same examples every time: a test that fails now and then says nothing about what was changed.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


class CallsApart(LoadScopeScheduling):  # type: ignore[misc]
    """Of two workers (`make test`) one places the calls, which mostly wait in real time, the other does the rest.

    Other tests stay together by file, so that what a file prepares is prepared once.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "calls" if file.startswith(CALLS) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> CallsApart:
    return CallsApart(config, log)


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
