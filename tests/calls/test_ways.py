"""Real calls, over real SIP and RTP, heard by the real recogniser: where they end and what remains."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from anruflotse.clock import SystemClock
from anruflotse.lines.peers import Behaviour, Call, Caller, OnRefer, Phone, Reaction
from anruflotse.speech.audio import read_wav
from tests.callers import until
from tests.calls.bot import Bot, spoken
from tests.calls.conversationalist import CARE, NUMBER, asked, counted_more, dial, reached

pytestmark = pytest.mark.calls


async def test_a_concern_reaches_its_department_and_the_record_holds_the_answer_only(
    bot: Bot, caller: Caller, phone: Phone
) -> None:
    before, counted = {r.id for r in bot.records()}, bot.counted()
    call = await asked(await dial(caller, bot))
    await call.say(await spoken(CARE))
    assert await reached(call) == "pflegekasse"
    rung = await phone.expect("answered", "pflegekasse")
    await counted_more(bot, "routed", counted)
    (summary,) = [r for r in bot.records() if r.id not in before]
    assert rung.user_to_user == f"{summary.reference};encoding=hex"
    record = bot.record(summary.id)
    assert "mutter" in " ".join(record.transcripts).lower()
    assert (summary.concern, summary.department, record.caller) == ("pflege", "pflegekasse", NUMBER)
    assert record.recording is not None
    assert (summary.expires_at - summary.recorded_at).days == 28
    await call.hang_up()


@pytest.mark.parametrize("way", ["rfc4733", "info"])
async def test_the_objection_key_in_the_notice_reaches_a_person_and_leaves_nothing(
    bot: Bot, caller: Caller, phone: Phone, way: str
) -> None:
    before, counted = bot.records(), bot.counted()
    call = await dial(caller, bot)
    await call.wait_speech(after=0)
    await call.press("9", via="info" if way == "info" else "rfc4733")
    assert await reached(call) == "mensch"
    await counted_more(bot, "objection", counted)
    assert bot.records() == before
    await call.hang_up()


async def test_a_spoken_objection_in_the_notice_reaches_a_person_and_leaves_nothing(
    bot: Bot, caller: Caller, phone: Phone
) -> None:
    before, counted = bot.records(), bot.counted()
    call = await dial(caller, bot)
    await call.wait_speech(after=0)
    await call.say(await spoken("Widerspruch!"))
    if not call.referrals:
        # In doubt the bot asks once: a yes confirms it.
        await answer_doubt(call)
    assert await reached(call) == "mensch"
    await counted_more(bot, "objection", counted)
    assert bot.records() == before
    await call.hang_up()


async def test_who_objected_for_future_calls_is_put_through_and_never_asked(
    bot: Bot, caller: Caller, phone: Phone
) -> None:
    before, counted = bot.records(), bot.counted()
    bot.objects_for_good("030 5550-1299")
    call = await dial(caller, bot, number="+493055501299")
    await call.say(await spoken(CARE))
    assert await reached(call) == "mensch"
    await counted_more(bot, "objection", counted)
    assert bot.records() == before
    assert [line["outcome"] for line in bot.logged() if line.get("event") == "call ended"][-1] == "objection"
    heard = sum(stretch.seconds for stretch in call.heard.stretches())
    assert heard < 2, "a person was ready, and they had to listen to the voicebot first"
    await call.hang_up()


async def answer_doubt(call: Call) -> None:
    refer = asyncio.create_task(call.wait_refer(25))
    question = asyncio.create_task(call.wait_prompt(after=0, pause_ms=1100, seconds=25))
    await asyncio.wait({refer, question}, return_when=asyncio.FIRST_COMPLETED)
    if not refer.done():
        await call.say(await spoken("Ja."))
    for task in (refer, question):
        task.cancel()
    await asyncio.gather(refer, question, return_exceptions=True)


@pytest.mark.parametrize(
    "words", ["Nein, ich möchte nicht, dass das aufgezeichnet wird.", "Ich widerspreche der Aufzeichnung."]
)
async def test_a_spoken_objection_in_the_answer_reaches_a_person_and_leaves_nothing(
    bot: Bot, caller: Caller, phone: Phone, words: str
) -> None:
    before, counted = bot.records(), bot.counted()
    call = await asked(await dial(caller, bot))
    await call.say(await spoken(words))
    assert await reached(call) == "mensch"
    await counted_more(bot, "objection", counted)
    assert bot.records() == before
    await call.hang_up()


async def test_a_wish_for_a_person_is_met_and_leaves_no_record(bot: Bot, caller: Caller, phone: Phone) -> None:
    before, counted = bot.records(), bot.counted()
    call = await asked(await dial(caller, bot))
    await call.say(await spoken("Ich möchte bitte mit einem Mitarbeiter sprechen."))
    assert await reached(call) == "mensch"
    await counted_more(bot, "human_wish", counted)
    assert bot.records() == before
    await call.hang_up()


async def test_an_emergency_hears_112_and_reaches_a_person(bot: Bot, caller: Caller, phone: Phone) -> None:
    before, counted = bot.records(), bot.counted()
    call = await asked(await dial(caller, bot))
    spoke_until = call.now()
    await call.say(await spoken("Hilfe, mein Mann ist bewusstlos, er atmet nicht mehr!"))
    assert await reached(call) == "mensch"
    told = sum(stretch.seconds for stretch in call.heard.stretches() if stretch.start > spoke_until)
    assert told > 3.0, "the words about 112 were not heard to their end"
    await counted_more(bot, "emergency", counted)
    assert bot.records() == before
    await call.hang_up()


async def test_two_silences_lead_to_a_person(bot: Bot, caller: Caller, phone: Phone) -> None:
    before, counted = bot.records(), bot.counted()
    call = await dial(caller, bot)
    assert await reached(call) == "mensch"
    await counted_more(bot, "silence", counted)
    assert bot.records() == before
    await call.hang_up()


async def test_callers_who_hang_up_in_any_state_leave_only_a_counter(bot: Bot, caller: Caller, phone: Phone) -> None:
    before, counted = bot.records(), bot.counted()
    phone.behave("pflegekasse", Behaviour(Reaction.RING))
    question = await spoken(CARE)

    async def at_once() -> None:
        await (await dial(caller, bot)).hang_up()

    async def in_the_notice() -> None:
        call = await dial(caller, bot)
        await call.wait_speech(after=0)
        await call.hang_up()

    async def when_asked() -> None:
        await (await asked(await dial(caller, bot))).hang_up()

    async def while_speaking() -> None:
        call = await asked(await dial(caller, bot))
        speaking = asyncio.create_task(call.say(question))
        await asyncio.sleep(1.0)
        await call.hang_up()
        await speaking

    async def while_understood() -> None:
        call = await asked(await dial(caller, bot))
        await call.say(question)
        await asyncio.sleep(0.9)
        await call.hang_up()

    async def while_put_through() -> None:
        call = await asked(await dial(caller, bot))
        await call.say(question)
        await call.wait_refer(30)
        await phone.expect("ringing", "pflegekasse", seconds=5)
        await asyncio.sleep(0.3)
        await call.hang_up()

    ways = [at_once, in_the_notice, when_asked, while_speaking, while_understood, while_put_through]
    await asyncio.gather(*(way() for way in ways))
    await counted_more(bot, "abandoned", counted, by=len(ways))
    assert sum(bot.counted().values()) == sum(counted.values()) + len(ways)
    assert bot.records() == before


async def test_a_busy_department_leads_to_the_next_target(bot: Bot, caller: Caller, phone: Phone) -> None:
    phone.behave("pflegekasse", Behaviour(Reaction.BUSY))
    call = await asked(await dial(caller, bot))
    await call.say(await spoken(CARE))
    assert await reached(call) == "mensch"
    assert [referral.status for referral in call.referrals] == [486, 200]
    await call.hang_up()


async def test_the_second_target_of_a_department_is_tried_before_anybody_else(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone
) -> None:
    bot = another_bot()
    catalogue = bot.home / "departments.yaml"
    first = phone.uri("pflegekasse")
    both = f'["{first}", "{phone.uri("vertretung")}"]'
    catalogue.write_text(catalogue.read_text("utf-8").replace(f'["{first}"]', both), "utf-8")
    bot.start()
    phone.behave("pflegekasse", Behaviour(Reaction.BUSY))
    call = await asked(await dial(caller, bot))
    await call.say(await spoken(CARE))
    assert await reached(call) == "vertretung"
    await counted_more(bot, "routed", {})
    assert [summary.department for summary in bot.records()] == ["pflegekasse"]
    await call.hang_up()


async def test_a_closed_department_is_announced_and_a_person_takes_the_call(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone
) -> None:
    bot = another_bot()
    catalogue = bot.home / "departments.yaml"
    target = f'    ziele: ["{phone.uri("pflegekasse")}"]'
    in_three_days = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")[(SystemClock().now().weekday() + 3) % 7]
    not_today = f'{target}\n    oeffnungszeiten: {{{in_three_days}: "8-18"}}'
    catalogue.write_text(catalogue.read_text("utf-8").replace(target, not_today), "utf-8")
    bot.start()
    call = await asked(await dial(caller, bot))
    spoke_until = call.now()
    await call.say(await spoken(CARE))
    assert await reached(call) == "mensch"
    told = sum(stretch.seconds for stretch in call.heard.stretches() if stretch.start > spoke_until)
    assert told > 3, "the announcement was not heard to its end"
    await counted_more(bot, "closed", {})
    await call.hang_up()


async def test_a_department_that_never_answers_leads_to_the_next_target(bot: Bot, caller: Caller, phone: Phone) -> None:
    phone.behave("pflegekasse", Behaviour(Reaction.RING))
    call = await asked(await dial(caller, bot))
    await call.say(await spoken(CARE))
    assert await reached(call) == "mensch"
    await call.hang_up()


async def test_nobody_at_all_is_said_in_closing_words(bot: Bot, caller: Caller, phone: Phone) -> None:
    counted = bot.counted()
    phone.behave("mensch", Behaviour(Reaction.BUSY))
    call = await dial(caller, bot)
    await call.wait_speech(after=0)
    await call.press("0")
    await asyncio.wait_for(call.closed(), 30)
    await counted_more(bot, "unreached", counted)
    last = call.heard.stretches()[-1]
    assert last.seconds > 2, "the closing words were not heard"


async def test_a_caller_who_leaves_with_the_transfer_counts_as_put_through(
    bot: Bot, caller: Caller, phone: Phone
) -> None:
    """Some trunks accept the REFER and hang up without ever sending NOTIFY."""
    counted = bot.counted()
    call = await asked(await dial(caller, bot, on_refer=OnRefer.VANISH))
    await call.say(await spoken(CARE))
    await call.wait_refer(30)
    await counted_more(bot, "routed", counted)
    await call.hang_up()


async def test_the_caller_may_speak_over_the_question(bot: Bot, caller: Caller, phone: Phone, shared: Path) -> None:
    notice = read_wav(shared / "recordings" / "hinweis.wav").seconds
    call = await dial(caller, bot)
    began = await call.wait_speech(after=0)
    await asyncio.sleep(began + notice + 0.7 - call.now())
    spoke_at = call.now()
    await call.say(await spoken(CARE))
    question = next(stretch for stretch in call.heard.stretches(0.2) if stretch.end > began + notice + 0.3)
    assert question.end < spoke_at + 1.0, "the question went on although the caller spoke"
    assert await reached(call) == "pflegekasse"
    await call.hang_up()


async def test_speech_in_wide_band_is_understood_too(bot: Bot, caller: Caller, phone: Phone) -> None:
    call = await caller.dial(bot.uri, number=NUMBER, codec="g722")
    await asked(call)
    await call.say(await spoken(CARE))
    assert await reached(call) == "pflegekasse"
    await until(lambda: bool(phone.calls))
    await call.hang_up()
