"""What callers say and who they are is nowhere in plain: not on disk, not in the log, not after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from anruflotse.lines.peers import Caller, Phone
from anruflotse.pcm import Pcm
from anruflotse.speech.audio import alaw_decode, alaw_encode, resample
from tests.calls.bot import Bot, spoken
from tests.calls.conversationalist import asked, counted_more, dial, reached

pytestmark = pytest.mark.calls

OBJECTOR = "+493055507001"
CALLER = "+493055507002"
CANARY = "Zimtschneckenparadies"
OBJECTED = f"Widerspruch! Ich heiße {CANARY} und möchte keine Aufzeichnung."
STATED = f"Ich heiße {CANARY} und meine Mutter möchte Pflegegeld beantragen."
WORDS = ("zimtschnecken", "paradies", "meine mutter", "möchte keine aufzeichnung")
"""Parts of the canary and of both utterances; what the recogniser made of them is added when it is known."""
PIECE = 100
"""Samples: 12 ms, short enough to lie within one packet wherever the packets begin."""


def traces(bot: Bot, voices: list[Pcm], texts: tuple[str, ...] = ()) -> list[str]:
    """Where on disk a number, a word, one of `texts` or a stretch of audio can be read in plain."""
    numbers = [number.removeprefix("+").encode() for number in (OBJECTOR, CALLER)]
    words = [
        form.encode(code)
        for word in (*WORDS, *texts)
        for form in (word, word.title())
        for code in ("utf-8", "utf-16-le")
    ]
    audio = [piece for voice in voices for piece in _pieces(voice)]
    found = []
    for path, content in bot.bytes_on_disk().items():
        if path.name in ("departments.yaml", "anruflotse.yaml"):
            continue
        low = content.lower()
        found += [f"{path.name}: number" for number in numbers if number in content]
        found += [f"{path.name}: {word!r}" for word in words if word.lower() in low]
        found += [f"{path.name}: audio" for piece in audio if piece in content]
        if b"fLaC" in content or b"RIFF" in content:
            found.append(f"{path.name}: an audio file")
    return found


def _pieces(voice: Pcm) -> list[bytes]:
    """Loud stretches of `voice` as the line carries it: 8 kHz A-law, and the samples decoded from it."""
    coded = alaw_encode(resample(voice, 8000))
    samples = np.frombuffer(alaw_decode(coded).data, "<i2")
    loud = np.flatnonzero(np.abs(samples) > 3000)[::800]
    starts = [int(at) for at in loud if at + PIECE < samples.size]
    decoded = [samples[at : at + PIECE].tobytes() for at in starts]
    return decoded + [coded[at : at + PIECE] for at in starts]


async def test_a_recorded_call_leaves_no_plain_text_and_an_objected_one_nothing(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone
) -> None:
    bot = another_bot().start()
    objection, concern = await spoken(OBJECTED), await spoken(STATED)
    first = await asked(await dial(caller, bot, OBJECTOR))
    await first.say(objection)
    assert await reached(first) == "mensch"
    await counted_more(bot, "objection", {})
    assert bot.records() == ()
    second = await asked(await dial(caller, bot, CALLER))
    await second.say(concern)
    assert await reached(second) == "pflegekasse"
    await counted_more(bot, "routed", {})
    (summary,) = bot.records()
    record = bot.record(summary.id)
    assert record.recording is not None
    assert record.recording.startswith(b"fLaC"), "the record itself holds the audio"
    assert "mutter" in " ".join(record.transcripts).lower(), "and the text"
    assert traces(bot, [objection, concern], record.transcripts) == []
    assert bot.stop() == 0
    assert traces(bot, [objection, concern], record.transcripts) == []
    for call in (first, second):
        await call.hang_up()


async def test_a_crash_in_mid_recording_leaves_nothing(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone
) -> None:
    bot = another_bot().start()
    concern = await spoken(STATED)
    call = await asked(await dial(caller, bot, CALLER))
    speaking = asyncio.create_task(call.say(concern))
    await asyncio.sleep(2.0)
    bot.kill()
    call.hush()
    await speaking
    assert traces(bot, [concern]) == []
    bot.start()
    assert bot.records() == ()
    assert traces(bot, [concern]) == []


def test_the_search_would_find_a_leak(another_bot: Callable[..., Bot]) -> None:
    """The canary test can fail: plain text, a number and audio in the data directory are found."""
    bot = another_bot()
    voice = Pcm((8000 * np.sin(np.arange(16_000) / 7)).astype("<i2").tobytes(), 16_000)
    heard = alaw_decode(alaw_encode(resample(voice, 8000)))
    (bot.data / "leak.bin").write_bytes(b"x" + CALLER.encode() + b"x" + CANARY.encode() + b"x" + heard.data)
    found = traces(bot, [voice])
    assert any("number" in trace for trace in found)
    assert any("zimt" in trace.lower() for trace in found)
    assert any("audio" in trace for trace in found)
