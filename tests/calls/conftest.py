"""One voicebot for all tests that leave it as they found it, and department phones on the port its catalogue names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anruflotse.lines.peers import Caller, Phone
from tests.calls.bot import Bot, free_port, record_prompts


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, rendered prompts and recordings that all bots use."""
    path = tmp_path_factory.mktemp("shared")
    record_prompts(path / "recordings")
    return path


@pytest.fixture(scope="session")
def phone_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def bot(tmp_path_factory: pytest.TempPathFactory, shared: Path, phone_port: int) -> Iterator[Bot]:
    """The voicebot most tests call."""
    running = Bot(tmp_path_factory.mktemp("bot") / "home", shared, phone_port).start()
    yield running
    if running.process is not None:
        running.stop()


@pytest.fixture
def another_bot(tmp_path: Path, shared: Path, phone_port: int) -> Iterator[Callable[..., Bot]]:
    """A voicebot of one's own, for tests that change settings or kill it."""
    made: list[Bot] = []

    def make(**settings: dict[str, Any]) -> Bot:
        made.append(Bot(tmp_path / f"bot{len(made)}", shared, phone_port, **settings))
        return made[-1]

    yield make
    for running in made:
        if running.process is not None:
            running.kill()


@pytest.fixture
async def phone(phone_port: int) -> AsyncIterator[Phone]:
    """The phones of all departments and of the human desk."""
    async with Phone(port=phone_port) as departments:
        yield departments


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with Caller() as people:
        yield people
