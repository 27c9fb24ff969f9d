"""Real calls with an overflow at a processor's: dialled under an agreement, passed over without, and on record so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from anruflotse.lines.peers import Behaviour, Call, Caller, Phone, Reaction
from anruflotse.processors import shipped
from tests.calls.bot import Bot, spoken
from tests.calls.conversationalist import asked, counted_more, dial, reached

pytestmark = pytest.mark.calls

CONCERN = "Ich möchte einen Pflegegrad beantragen."
AGREEMENT = (
    "    vereinbarung: {datum: 2026-01-15, gueltig_ab: 2026-01-15, "
    'datenkategorien: [anruf], orte: [DE], fundstelle: "Akte 1"}'
)


def agree(register: Path) -> None:
    """Enter an agreement with vitaservices, the last entry of the shipped register."""
    before, none, after = shipped().rpartition("    vereinbarung: null")
    assert none
    register.write_text(before + AGREEMENT + after, "utf-8")


def send_overflow(catalogue: Path, first: str, overflow: str) -> None:
    text = catalogue.read_text("utf-8")
    target = f'    ziele: ["{first}"]\n'
    assert target in text
    line = f"    ueberlauf: [{{ziel: '{overflow}', dienstleister: vitaservices}}]\n"
    catalogue.write_text(text.replace(target, target + line), "utf-8")


async def published(bot: Bot) -> str:
    """The notice as everybody can read it now."""
    async with httpx.AsyncClient() as reader:
        return (await reader.get(f"{bot.console}/datenschutzhinweis")).text


async def test_an_overflow_of_a_processor_takes_calls_as_long_as_its_agreement_is_on_file(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone, tmp_path: Path
) -> None:
    register = tmp_path / "register.yaml"
    agree(register)
    # Both callers are on the line at once, and the second says nothing while the first is put through.
    bot = another_bot(processors={"agreements": str(register)}, call={"silence_seconds": 30.0})
    send_overflow(bot.home / "departments.yaml", phone.uri("pflegekasse"), phone.uri("helfer"))
    bot.start()
    phone.behave("pflegekasse", Behaviour(Reaction.BUSY))
    concern, notice = await spoken(CONCERN), await published(bot)
    first, second = await asyncio.gather(*[in_turn(caller, bot) for _ in range(2)])
    await first.say(concern)
    assert await reached(first) == "helfer"
    await counted_more(bot, "routed", {})
    (with_agreement,) = bot.records()
    # The agreement is taken out while the service runs: the next transfer is the first without it.
    register.write_text(shipped(), "utf-8")
    await second.say(concern)
    assert await reached(second) == "mensch"
    await counted_more(bot, "routed", {}, by=2)
    (without,) = [summary for summary in bot.records() if summary.id != with_agreement.id]
    assert bot.record(with_agreement.id).processors == ("vitaservices",)
    record = bot.record(without.id)
    assert record.processors == ()
    # Its caller was told the notice of before; who reads it now is told otherwise.
    assert record.notice_version in notice
    assert record.notice_version not in await published(bot)
    refused = [line for line in bot.logged() if line["event"].startswith("a processor may not be given data")]
    assert [(line["processor"], line["kind"], line["reason"]) for line in refused] == [
        ("vitaservices", "anruf", "no_agreement")
    ]
    await asyncio.gather(first.hang_up(), second.hang_up())


async def in_turn(caller: Caller, bot: Bot) -> Call:
    """A call that has heard notice and question."""
    return await asked(await dial(caller, bot))
