"""Asking the gate while calls are taken, and each call's account of what was given away."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.clock import FakeClock
from anruflotse.processors import Agreement, Category, Disclosures, Gate, Gatekeeper, Processor, of_this_call

AGREEMENT = Agreement(
    date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 28), frozenset(Category), places=("DE",), reference="Akte 1"
)
PROCESSOR = Processor("stimme", "Stimme GmbH", "alles", frozenset(Category), None, AGREEMENT)
DURING, AFTER = datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC)


def test_every_refusal_is_counted_and_every_change_logged_once() -> None:
    clock, counted = FakeClock(DURING), list[tuple[str, str]]()
    keeper = Gatekeeper(Gate({"stimme": PROCESSOR}), clock, lambda *of: counted.append(of))
    with structlog.testing.capture_logs() as logged:
        assert [keeper.permits("stimme", Category.AUDIO) for _ in range(3)] == [True] * 3
        clock.jump(AFTER)
        assert [keeper.permits("stimme", Category.AUDIO) for _ in range(3)] == [False] * 3
        clock.jump(DURING)
        assert keeper.permits("stimme", Category.AUDIO)
    assert counted == [("stimme", "expired")] * 3
    told = [(line["log_level"], line["processor"], line["kind"], line.get("reason")) for line in logged]
    assert told == [
        ("info", "stimme", "sprachaufnahme", None),
        ("warning", "stimme", "sprachaufnahme", "expired"),
        ("info", "stimme", "sprachaufnahme", None),
    ]


@given(times=st.lists(st.datetimes(datetime(2026, 1, 30), datetime(2026, 3, 3)), max_size=20))  # noqa: DTZ001 - made aware
def test_the_answer_is_always_that_of_the_day_in_germany(times: list[datetime]) -> None:
    clock = FakeClock()
    keeper = Gatekeeper(Gate({"stimme": PROCESSOR}), clock)
    # In winter, German days begin at 23:00 UTC.
    first, last = datetime(2026, 1, 31, 23, tzinfo=UTC), AFTER
    for time in times:
        clock.jump(time.replace(tzinfo=UTC))
        assert keeper.permits("stimme", Category.CALL) is (first <= clock.now() < last)


@pytest.mark.parametrize("category", [Category.AUDIO, Category.TEXT])
def test_what_the_caller_says_is_given_away_only_between_notice_and_objection(category: Category) -> None:
    account = Disclosures()
    assert not account.give("stimme", category)
    assert not account.given
    account.notice_heard()
    assert account.give("stimme", category)
    account.close()
    account.notice_heard()
    assert not account.give("fremde", category)
    assert account.given == ("stimme",)


def test_a_call_may_be_handed_on_at_any_time_and_is_accounted_for() -> None:
    account = Disclosures()
    assert account.give("helfer", Category.CALL)
    account.close()
    assert account.give("zweite", Category.CALL)
    assert account.give("helfer", Category.CALL)
    assert account.given == ("helfer", "zweite")


async def test_calls_at_the_same_time_have_accounts_of_their_own() -> None:
    keeper = Gatekeeper(Gate({"stimme": PROCESSOR}), FakeClock(DURING - timedelta(days=1)))

    async def call(processor: str) -> tuple[str, ...]:
        account = Disclosures()
        account.hold_for_this_call()
        account.notice_heard()
        await asyncio.sleep(0)
        await asyncio.create_task(utterance(processor))
        return account.given

    async def utterance(processor: str) -> None:
        assert keeper.give(processor, Category.AUDIO)

    assert list(await asyncio.gather(call("a"), call("b"))) == [("a",), ("b",)]
    assert of_this_call() is None


@pytest.mark.parametrize(("category", "given_away"), [(c, c is Category.PROMPTS) for c in Category])
def test_what_belongs_to_no_call_is_not_given_away(category: Category, given_away: bool) -> None:
    keeper = Gatekeeper(Gate({"stimme": PROCESSOR}), FakeClock(DURING))
    assert keeper.give("stimme", category) is given_away
