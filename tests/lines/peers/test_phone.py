"""Department phones under load, and what they tell."""

from __future__ import annotations

import asyncio

import pytest

from anruflotse.lines.peers import Behaviour, Caller, Phone, PhoneEvent, Reaction, State, tone
from tests.callers import NUMBER, caller_and_phone, until

pytestmark = pytest.mark.calls


async def test_what_happens_is_told_with_extension_reference_and_nobody_elses_business() -> None:
    told: list[PhoneEvent] = []
    async with Phone(on_event=told.append) as phone, Caller() as caller:
        call = await caller.dial(phone.uri("mensch"), number=NUMBER, headers={"User-to-User": "ab;encoding=hex"})
        await call.press("5", milliseconds=60)
        await call.hang_up()
        closed = await phone.expect("closed")
        assert [event.event for event in told] == ["ringing", "answered", "key", "closed"]
        assert {(event.user, event.user_to_user, event.caller) for event in told} == {
            ("mensch", "ab;encoding=hex", NUMBER)
        }
        assert told[2].details == {"key": "5"}
        assert phone.call(closed).keys == ["5"]
        assert NUMBER not in repr(told)


async def test_an_extension_rings_greets_hangs_up_and_may_change_its_mind() -> None:
    async with caller_and_phone() as (caller, phone):
        phone.behave("kurz", Behaviour(ring_seconds=0.2, greeting=tone(600, 0.2), hang_up_after=0.1))
        call = await caller.dial(phone.uri("kurz"))
        assert call.now() >= 0.2
        await asyncio.wait_for(call.closed(), 2)
        assert call.ended_by == "them"
        assert call.heard.stretches()[0].seconds == pytest.approx(0.2, abs=0.08)
        phone.behave("kurz", Behaviour(Reaction.RING))
        ringing = await caller.start(phone.uri("kurz"))
        await phone.expect("ringing", "kurz", number=2)
        await until(lambda: ringing.state is State.RINGING)


async def test_thirty_calls_at_once_all_are_heard() -> None:
    async with caller_and_phone() as (caller, phone):
        calls = await asyncio.gather(
            *(caller.dial(phone.uri(f"abteilung{number}"), codec="pcma") for number in range(30))
        )
        await asyncio.gather(*(call.say(tone(700, 0.5)) for call in calls))
        await asyncio.gather(*(call.hang_up() for call in calls))
        assert sorted(call.user for call in phone.calls) == sorted(f"abteilung{number}" for number in range(30))
        for call in [*calls, *phone.calls]:
            assert call.heard.lost == 0
            assert call.heard.spoken_seconds == pytest.approx(0.5 if call in phone.calls else 0.4, abs=0.06)
            assert call.state is State.CLOSED


async def test_a_phone_that_closes_ends_its_calls_and_frees_its_port() -> None:
    async with Caller() as caller:
        async with Phone() as phone:
            call = await caller.dial(phone.uri("mensch"))
            port = phone.port
        await asyncio.wait_for(call.closed(), 1)
        assert call.ended_by == "them"
        async with Phone(port=port) as again:
            await caller.dial(again.uri("mensch"))
            with pytest.raises(OSError, match="in use"):
                await Phone(port=port).open()


async def test_waiting_for_what_does_not_happen_ends() -> None:
    async with Phone() as phone:
        with pytest.raises(TimeoutError):
            await phone.expect("answered", seconds=0.05)
