"""The fake line keeps the promises of the seam, so a call tested on it meets the same rules as on a real line."""

from __future__ import annotations

import asyncio

import pytest

from anruflotse.lines.fake import FakeLeg, FakeLine
from anruflotse.lines.line import Leg, LegClosedError, Line, LineError, Outcome
from anruflotse.pcm import Pcm

BEEP = Pcm(b"\x01\x00" * 160, 8000)
BOOP = Pcm(b"\x02\x00" * 160, 8000)


async def test_a_prompt_lasts_until_the_test_finishes_it() -> None:
    leg: FakeLeg = FakeLine().ring()
    as_leg: Leg = leg
    playing = asyncio.create_task(as_leg.play(BEEP))
    assert await leg.prompt() is BEEP
    await asyncio.sleep(0)
    assert not playing.done()
    leg.finish()
    assert await playing is True
    assert leg.played == [BEEP]
    with pytest.raises(AssertionError, match="Nothing is playing"):
        leg.finish()


async def test_stop_and_a_second_play_cut_the_first_short() -> None:
    leg = FakeLeg()
    first = asyncio.create_task(leg.play(BEEP))
    assert await leg.prompt() is BEEP
    second = asyncio.create_task(leg.play(BOOP))
    assert await leg.prompt() is BOOP
    assert await first is False
    await leg.stop()
    assert await second is False
    assert leg.playing is False
    assert leg.stops == 1


async def test_instant_prompts_need_no_help() -> None:
    assert await FakeLeg(instant=True).play(BEEP) is True


async def test_a_cancelled_play_is_over() -> None:
    leg = FakeLeg()
    playing = asyncio.create_task(leg.play(BEEP))
    await leg.prompt()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    assert not leg.playing


async def test_audio_and_keys_arrive_and_end_with_the_call() -> None:
    leg = FakeLeg()
    leg.say(b"ab")
    leg.press("9#")
    leg.drop()
    leg.say(b"late")
    assert [chunk async for chunk in leg.frames()] == [b"ab"]
    keys = leg.keys()
    assert [await anext(keys), await anext(keys)] == ["9", "#"]
    with pytest.raises(StopAsyncIteration):
        await anext(keys)
    await leg.closed()


async def test_a_dropped_leg_refuses_everything() -> None:
    leg = FakeLeg()
    playing = asyncio.create_task(leg.play(BEEP))
    await leg.prompt()
    leg.drop()
    with pytest.raises(LegClosedError):
        await playing
    with pytest.raises(LegClosedError):
        await leg.play(BEEP)
    with pytest.raises(LegClosedError):
        await leg.stop()
    assert await leg.transfer("sip:a@b", "00", 1) is Outcome.HUNG_UP
    assert leg.transfers == []
    await leg.hang_up()
    assert not leg.hung_up, "the caller hung up, not we"


async def test_transfers_follow_the_script_then_wait_for_the_test() -> None:
    leg = FakeLeg(outcomes=[Outcome.BUSY, None])
    assert await leg.transfer("sip:a@b", "0a", 5) is Outcome.BUSY
    waiting = asyncio.create_task(leg.transfer("sip:c@d", "0a", 5))
    assert await leg.referral() == ("sip:a@b", "0a")
    assert await leg.referral() == ("sip:c@d", "0a")
    await asyncio.sleep(0)
    assert not waiting.done()
    leg.settle(Outcome.SUCCEEDED)
    assert await waiting is Outcome.SUCCEEDED
    assert leg.over
    with pytest.raises(AssertionError, match="No transfer"):
        leg.settle(Outcome.BUSY)


async def test_hanging_up_in_a_transfer_is_an_outcome() -> None:
    leg = FakeLeg()
    waiting = asyncio.create_task(leg.transfer("sip:c@d", "0a", 5))
    await leg.referral()
    leg.drop()
    assert await waiting is Outcome.HUNG_UP


async def test_the_line_rings_and_closes() -> None:
    line = FakeLine()
    as_line: Line = line
    await as_line.open()
    leg = line.ring(caller="+49301", rate=16000, headers={"X-Kunde": "1"})
    assert (leg.caller, leg.rate, leg.headers) == ("+49301", 16000, {"x-kunde": "1"})
    assert line.ring().id != leg.id
    await as_line.close()
    assert [each async for each in line.calls()] == line.legs
    assert all(each.hung_up for each in line.legs)


async def test_a_line_that_refuses_brings_no_more_calls() -> None:
    line = FakeLine()
    first = line.ring()
    await line.refuse()
    assert line.ring().over
    assert not first.over
    await line.close()
    assert [each async for each in line.calls()] == [first]


async def test_a_broken_line_says_so() -> None:
    with pytest.raises(LineError, match="port 5060"):
        await FakeLine(broken="port 5060 is taken").open()
