"""Faults and bad input during real calls: the caller never pays, and nothing undeletable is created."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import httpx
import numpy as np
import pytest

from anruflotse.lines.peers import Call, Caller, CallFailedError, Phone, UnreachableError
from anruflotse.pcm import Pcm
from tests.calls.bot import Bot, spoken
from tests.calls.conversationalist import CARE, asked, counted_more, dial, reached
from tests.certificates import self_signed

pytestmark = pytest.mark.calls


async def test_a_worker_that_dies_takes_only_its_own_calls_and_comes_back(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone
) -> None:
    bot = another_bot(sip={"workers": 2}).start()
    second_port = bot.uri.replace(str(bot.port), str(bot.port + 2))
    doomed = await dial(caller, bot)
    spared = await caller.dial(second_port, number="+493055509999", codec="pcma")
    await doomed.wait_speech(after=0)
    first, second = sorted(bot.workers())
    listening = {pid: _udp_port(pid, bot.port) for pid in (first, second)}
    (victim,) = [pid for pid, here in listening.items() if here]
    os.kill(victim, signal.SIGKILL)
    await counted_more(bot, "abandoned", {})
    await asked(spared)
    await spared.say(await spoken(CARE))
    assert await reached(spared) == "pflegekasse"
    await counted_more(bot, "routed", {})
    again = await _dial_when_back(caller, bot)
    await asked(again)
    await again.say(await spoken(CARE))
    assert await reached(again) == "pflegekasse"
    doomed.abandon()
    for call in (spared, again):
        await call.hang_up()


def _udp_port(pid: int, port: int) -> bool:
    """Whether the process listens on the UDP port."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    table = Path("/proc/net/udp").read_text("ascii").splitlines()[1:]
    owners = {f"socket:[{row.split()[9]}]" for row in table if row.split()[1].endswith(f":{port:04X}")}
    return bool(sockets & owners)


async def _dial_when_back(caller: Caller, bot: Bot) -> Call:
    async with asyncio.timeout(20):
        while True:
            try:
                return await dial(caller, bot)
            except (UnreachableError, CallFailedError):
                await asyncio.sleep(0.3)


async def test_a_notice_that_cannot_be_played_means_a_person_and_no_recording(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    (recordings / "hinweis.wav").write_bytes(b"RIFF\x00\x00")
    bot = another_bot(prompts={"recordings": str(recordings)}).start()
    call = await dial(caller, bot)
    await call.wait_speech(after=0)
    await call.say(await spoken(CARE))
    assert await reached(call) == "mensch"
    await counted_more(bot, "fault", {})
    assert bot.records() == ()
    await call.hang_up()


async def test_speech_longer_than_any_concern_is_cut_and_answered(bot: Bot, caller: Caller, phone: Phone) -> None:
    """Ten minutes of talking without a pause: the turn ends after 30 s, and the call goes on."""
    sentence = await spoken(CARE)
    babble = Pcm(sentence.data * (600 // int(sentence.seconds)), sentence.rate)
    call = await asked(await dial(caller, bot))
    before = call.now()
    talking = asyncio.create_task(call.say(babble))
    spoke = await call.wait_speech(after=before + 1, seconds=45)
    assert 25 < spoke - before < 45
    call.hush()
    await talking
    await call.hang_up()


async def test_noise_is_no_concern(bot: Bot, caller: Caller, phone: Phone) -> None:
    before = bot.records()
    rng = np.random.default_rng(7)
    noise = Pcm((rng.normal(0, 1200, 16_000 * 3)).astype("<i2").tobytes(), 16_000)
    call = await asked(await dial(caller, bot))
    await call.say(noise)
    assert await reached(call) == "mensch"
    assert bot.records() == before
    await call.hang_up()


async def test_garbage_on_the_port_and_audio_from_nowhere_disturb_nobody(
    bot: Bot, caller: Caller, phone: Phone
) -> None:
    dice = Random(11)
    call = await dial(caller, bot)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(400):
            body = dice.randbytes(dice.randrange(1, 1400))
            if number % 3 == 0:
                body = b"INVITE sip:bot SIP/2.0\r\n" + body
            stranger.sendto(body, ("127.0.0.1", bot.port))
        for port in range(16384, 16484, 2):
            header = struct.pack("!BBHII", 0x80, 8, dice.randrange(65536), 160, dice.randrange(1 << 32))
            stranger.sendto(header + dice.randbytes(160), ("127.0.0.1", port))
    await asked(call)
    await call.say(await spoken(CARE))
    assert await reached(call) == "pflegekasse"
    await call.hang_up()


async def test_a_store_that_is_gone_costs_the_record_not_the_call(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone
) -> None:
    bot = another_bot().start()
    call = await asked(await dial(caller, bot))
    records = bot.data / "records"
    records.rename(bot.data / "gone")
    records.write_text("not a directory", "utf-8")
    await call.say(await spoken(CARE))
    assert await reached(call) == "pflegekasse"
    await call.hang_up()


def test_sigterm_ends_the_service_in_good_order(another_bot: Callable[..., Bot]) -> None:
    bot = another_bot().start()
    workers = bot.workers()
    assert bot.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


async def test_a_call_under_way_is_handed_to_a_person_when_the_service_stops(
    another_bot: Callable[..., Bot], caller: Caller, phone: Phone
) -> None:
    bot = another_bot(call={"silence_seconds": 20}).start()
    call = await asked(await dial(caller, bot))
    stopping = asyncio.create_task(asyncio.to_thread(bot.stop))
    assert await reached(call) == "mensch"
    assert await stopping == 0
    await call.hang_up()


def test_a_taken_port_is_told_with_a_remedy(another_bot: Callable[..., Bot], bot: Bot) -> None:
    second = another_bot(sip={"port": bot.port})
    with pytest.raises(AssertionError, match=rf"(?s){bot.port}.*taken|in use.*sip\.port"):
        second.start()


def test_the_public_notice_is_served_and_operations_are_not_public(bot: Bot) -> None:
    page = httpx.get(f"{bot.console}/datenschutzhinweis")
    assert page.status_code == 200
    assert "28 Tage" in page.text
    ready = httpx.get(f"{bot.console}/ready")
    assert ready.json()["ready"] is True
    assert "anruflotse_calls" in httpx.get(f"{bot.console}/metrics").text


async def test_a_call_over_tls_with_srtp(another_bot: Callable[..., Bot], phone: Phone, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    bot = another_bot(sip={"port": 0, "transports": ["udp", "tls"], "tls": {"certificate": str(certificate)}}).start()
    async with Caller(tls=ssl.create_default_context(cafile=certificate)) as secure:
        uri = f"sip:bot@127.0.0.1:{bot.port + 1};transport=tls"
        call = await secure.dial(uri, number="+493055501111", codec="pcma")
        await asked(call)
        await call.say(await spoken(CARE))
        assert await reached(call) == "pflegekasse"
        await call.hang_up()
