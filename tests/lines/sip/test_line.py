"""Real calls over SIP and RTP on loopback, from a telephone that is not built on our stack."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from anruflotse.clock import SystemClock
from anruflotse.lines.line import LegClosedError, LineError, Outcome
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.line import SipLine
from anruflotse.pcm import Pcm
from tests.lines.sip.conftest import OpenLine, next_leg, port_of, until
from tests.lines.sip.sipphone import Phone, header, pitch, tone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anruflotse.lines.sip.leg import SipLeg

REFERENCE = "56a390f3d2b7310023"
BEEP = Pcm(tone(440, 0.6).tobytes(), 8000)
LONG = Pcm(tone(440, 20).tobytes(), 8000)


GARBAGE = [
    b"",
    b"INVITE sip:x SIP/2.0\r\n",
    b"INVITE sip:bot@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9\r\nContent-Length: 99999\r\n\r\n",
    b"\r\n\r\n",
    b"SIP/2.0 200 OK\r\nCSeq: 1 REFER\r\n\r\n",
]


@asynccontextmanager
async def call(line: SipLine, worker: int = 0, **phone: object) -> AsyncIterator[tuple[Phone, SipLeg]]:
    async with Phone(port_of(line, worker), **phone) as caller:  # type: ignore[arg-type]
        assert await caller.call() == 200
        yield caller, await next_leg(line)


async def collect(leg: SipLeg, seconds: float) -> np.ndarray:
    chunks: list[bytes] = []

    async def read() -> None:
        async for chunk in leg.frames():
            assert len(chunk) % (leg.rate // 50 * 2) == 0, "whole 20 ms frames"
            chunks.append(chunk)

    reading = asyncio.create_task(read())
    await asyncio.wait([reading], timeout=seconds)
    reading.cancel()
    return np.frombuffer(b"".join(chunks), np.int16)


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
async def test_audio_goes_both_ways(open_line: OpenLine, codec: str) -> None:
    async with open_line() as line, call(line, codec=codec) as (phone, leg):
        assert leg.rate == 8000
        saying = asyncio.create_task(phone.say(tone(700, 1.2)))
        hearing = asyncio.create_task(collect(leg, 1.2))
        wide = Pcm(tone(440, 0.8, 16000).tobytes(), 16000)
        began = asyncio.get_running_loop().time()
        assert await leg.play(wide) is True
        assert 0.75 < asyncio.get_running_loop().time() - began < 1.5
        heard = phone.audio()
        loud = np.flatnonzero(np.abs(heard) > 1000)
        assert pitch(heard[loud[0] : loud[-1]]) == pytest.approx(440, abs=6)
        assert 0.7 < (loud[-1] - loud[0]) / 8000 < 0.9, "played whole when play returns"
        await saying
        assert pitch((await hearing)[2000:]) == pytest.approx(700, abs=6)
        assert phone.surprises == [], "no re-INVITE or anything else behind the answer"


async def test_stop_is_heard_at_once_and_a_prompt_replaces_another(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        first = asyncio.create_task(leg.play(LONG))
        await asyncio.sleep(0.4)
        second = asyncio.create_task(leg.play(LONG))
        assert await first is False
        await asyncio.sleep(0.4)
        await leg.stop()
        assert await second is False
        await asyncio.sleep(0.12)
        mark = len(phone.heard)
        await asyncio.sleep(0.2)
        assert len(phone.heard) > mark, "silence is sent, not nothing"
        assert np.abs(phone.audio(mark)).max() < 100
        assert pitch(phone.audio()[2400:4800]) == pytest.approx(440, abs=10)


async def test_a_cancelled_prompt_falls_silent(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        playing = asyncio.create_task(leg.play(LONG))
        await asyncio.sleep(0.3)
        playing.cancel()
        await asyncio.sleep(0.15)
        mark = len(phone.heard)
        await asyncio.sleep(0.15)
        assert np.abs(phone.audio(mark)).max() < 100
        assert await leg.play(BEEP) is True


async def test_a_busy_parent_does_not_disturb_the_audio(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        playing = asyncio.create_task(leg.play(Pcm(tone(440, 1.5).tobytes(), 8000)))
        await asyncio.sleep(0.3)
        time.sleep(0.6)  # noqa: ASYNC251, TID251 (a blocked event loop is the point of the test)
        assert await playing is True
        heard = phone.audio()
        loud = np.flatnonzero(np.abs(heard) > 500)
        silent_gap = np.diff(loud).max()
        assert silent_gap < 160, "no frame of silence within the prompt"


async def test_keys_by_rtp_event_and_by_info_arrive_once(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        keys = leg.keys()
        await phone.event_key("9")
        assert await asyncio.wait_for(anext(keys), 2) == "9"
        await phone.info_key("0")
        assert await asyncio.wait_for(anext(keys), 2) == "0"
        await phone.event_key("#")
        await phone.event_key("#")
        await phone.info_key("*")
        assert [await asyncio.wait_for(anext(keys), 2) for _ in range(3)] == ["#", "#", "*"]
        await phone.hang_up()
        assert [key async for key in keys] == []


async def test_the_caller_and_the_headers_asked_for(open_line: OpenLine) -> None:
    headers = ("P-Asserted-Identity: <tel:+49-30-765>", "X-Kunde: 4711", "X-Other: no")
    async with open_line(headers=("X-Kunde",)) as line:
        async with call(line, headers=headers) as (_, leg):
            assert leg.caller == "+4930765"
            assert dict(leg.headers) == {"x-kunde": "4711"}
            assert "765" not in repr(leg)
        async with call(line) as (_, leg):
            assert leg.caller == "+4930123456"
        async with call(line, from_uri="sip:anonymous@anonymous.invalid") as (_, leg):
            assert leg.caller is None


async def test_the_caller_hangs_up(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        playing = asyncio.create_task(leg.play(LONG))
        await asyncio.sleep(0.1)
        await phone.hang_up()
        with pytest.raises(LegClosedError):
            await asyncio.wait_for(playing, 2)
        await asyncio.wait_for(leg.closed(), 2)
        async for _ in leg.frames():
            pass  # what was said before is still there, and then it ends
        with pytest.raises(LegClosedError):
            await leg.play(BEEP)
        assert await leg.transfer("sip:a@127.0.0.1", REFERENCE, 1) is Outcome.HUNG_UP
        assert line.health().calls == 0


async def test_we_hang_up(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        await leg.hang_up()
        await leg.hang_up()
        await asyncio.wait_for(phone.ended.wait(), 2)


async def test_transfer_with_the_reference_and_success(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        transfer = asyncio.create_task(leg.transfer("sip:krankengeld@127.0.0.1:5090", REFERENCE, 10))
        refer = await asyncio.wait_for(phone.refers.get(), 3)
        wanted = f"<sip:krankengeld@127.0.0.1:5090?User-to-User={REFERENCE}%3Bencoding%3Dhex>"
        assert header(refer, "Refer-To") == wanted
        phone.accept(refer)
        await phone.notify("180 Ringing", last=False)
        assert not transfer.done()
        await phone.notify("200 OK", last=True)
        assert await asyncio.wait_for(transfer, 3) is Outcome.SUCCEEDED
        await asyncio.wait_for(phone.ended.wait(), 3)
        await asyncio.wait_for(leg.closed(), 1)


async def test_a_chain_of_targets_on_one_leg(open_line: OpenLine) -> None:
    """Busy, refused by the target, unavailable, the REFER itself refused, unusable; then the last one answers."""
    async with open_line() as line, call(line) as (phone, leg):
        for sipfrag, outcome in [
            ("486 Busy Here", Outcome.BUSY),
            ("600 Busy Everywhere", Outcome.BUSY),
            ("603 Decline", Outcome.REFUSED),
            ("480 Temporarily Unavailable", Outcome.NO_ANSWER),
            ("500 Server Error", Outcome.REFUSED),
        ]:
            transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 10))
            phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
            await phone.notify("100 Trying", last=False)
            await phone.notify(sipfrag, last=True)
            assert await asyncio.wait_for(transfer, 3) is outcome, sipfrag
        transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 10))
        phone.reply(await asyncio.wait_for(phone.refers.get(), 3), "603 Decline")
        assert await asyncio.wait_for(transfer, 3) is Outcome.REFUSED
        assert await leg.transfer("sip:a@b?Route=<sip:evil>", REFERENCE, 10) is Outcome.REFUSED
        assert await leg.play(BEEP) is True, "the leg is alive all the while"
        transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 10))
        phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
        await phone.notify("200 OK", last=True)
        assert await asyncio.wait_for(transfer, 3) is Outcome.SUCCEEDED


async def test_nobody_answers_in_time_and_the_next_target_does(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 0.5))
        phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
        await phone.notify("180 Ringing", last=False)
        assert await asyncio.wait_for(transfer, 3) is Outcome.NO_ANSWER
        transfer = asyncio.create_task(leg.transfer("sip:b@127.0.0.1", REFERENCE, 5))
        refer = await asyncio.wait_for(phone.refers.get(), 3)
        assert "sip:b@127.0.0.1" in header(refer, "Refer-To")
        phone.accept(refer)
        await phone.notify("200 OK", last=True)
        assert await asyncio.wait_for(transfer, 3) is Outcome.SUCCEEDED


async def test_a_peer_that_does_not_number_its_notifies_is_understood_after_a_timeout(open_line: OpenLine) -> None:
    async with open_line() as line, call(line, numbered=False) as (phone, leg):
        transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 0.3))
        phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
        assert await asyncio.wait_for(transfer, 3) is Outcome.NO_ANSWER
        for sipfrag, outcome in [("486 Busy Here", Outcome.BUSY), ("200 OK", Outcome.SUCCEEDED)]:
            transfer = asyncio.create_task(leg.transfer("sip:b@127.0.0.1", REFERENCE, 5))
            phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
            await phone.notify(sipfrag, last=True)
            assert await asyncio.wait_for(transfer, 2) is outcome
        await asyncio.wait_for(phone.ended.wait(), 3)


async def test_a_target_given_up_on_that_answers_after_all_has_the_caller(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 0.3))
        phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
        first = phone.event
        assert await asyncio.wait_for(transfer, 3) is Outcome.NO_ANSWER
        transfer = asyncio.create_task(leg.transfer("sip:b@127.0.0.1", REFERENCE, 5))
        phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
        phone.event = first
        await phone.notify("200 OK", last=True)
        assert await asyncio.wait_for(transfer, 2) is Outcome.SUCCEEDED
        await asyncio.wait_for(phone.ended.wait(), 3)


async def test_a_bye_without_a_notify_is_unknown_if_the_refer_was_taken(open_line: OpenLine) -> None:
    async with open_line() as line:
        async with call(line) as (phone, leg):
            transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 10))
            phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
            await phone.hang_up()
            assert await asyncio.wait_for(transfer, 3) is Outcome.UNKNOWN
            await asyncio.wait_for(leg.closed(), 1)
        async with call(line) as (phone, leg):
            transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 10))
            await asyncio.wait_for(phone.refers.get(), 3)
            await phone.hang_up()
            assert await asyncio.wait_for(transfer, 3) is Outcome.HUNG_UP


async def test_a_callers_own_refer_is_not_obeyed(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        phone.request("REFER", extra=("Refer-To: <sip:teuer@127.0.0.1:9>",))
        await phone.final("REFER")
        assert await leg.play(BEEP) is True
        assert line.health().calls == 1


async def test_beyond_capacity_callers_hear_busy(open_line: OpenLine) -> None:
    async with open_line(calls_per_worker=1) as line:
        async with call(line), Phone(port_of(line)) as second:
            assert await second.call() == 486
        async with call(line):
            assert line.health().calls == 1


async def test_refuse_lets_calls_go_on_but_takes_no_new_ones(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (_, leg):
        await line.refuse()
        await asyncio.sleep(0.1)
        async with Phone(port_of(line)) as second:
            assert await second.call() == 486
        assert await leg.play(BEEP) is True


async def test_a_killed_worker_takes_only_its_own_calls_and_comes_back(open_line: OpenLine) -> None:
    async with open_line(workers=2) as line, call(line, 0) as (lost, dead), call(line, 1) as (_, living):
        playing = asyncio.create_task(dead.play(LONG))
        await asyncio.sleep(0.1)
        assert line.health().workers_up == 2
        os.kill(line.pids[0], signal.SIGKILL)
        with pytest.raises(LegClosedError):
            await asyncio.wait_for(playing, 2)
        await asyncio.wait_for(dead.closed(), 2)
        assert await dead.transfer("sip:a@127.0.0.1", REFERENCE, 1) is Outcome.HUNG_UP
        lost.ended.set()  # nobody is left to say goodbye to
        assert await living.play(BEEP) is True
        await until(lambda: line.health().workers_up == 2)
        assert line.health().restarts == 1
        async with call(line, 0) as (_, again):
            assert await again.play(BEEP) is True


async def test_a_worker_that_dies_in_a_transfer_reached_nobody_we_know_of(open_line: OpenLine) -> None:
    async with open_line() as line, call(line) as (phone, leg):
        transfer = asyncio.create_task(leg.transfer("sip:a@127.0.0.1", REFERENCE, 10))
        phone.accept(await asyncio.wait_for(phone.refers.get(), 3))
        os.kill(line.pids[0], signal.SIGKILL)
        assert await asyncio.wait_for(transfer, 3) is Outcome.HUNG_UP
        phone.ended.set()


async def test_garbage_on_every_port_is_survived(open_line: OpenLine) -> None:
    noise = random.Random(5)
    async with open_line() as line, call(line) as (phone, leg):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(300):
                tail = noise.randbytes(noise.randrange(1, 1200))
                stranger.sendto(GARBAGE[number % len(GARBAGE)] + tail, ("127.0.0.1", port_of(line)))
                stranger.sendto(b"\x80" + noise.randbytes(noise.randrange(1, 300)), ("127.0.0.1", phone.remote_rtp))
        assert await leg.play(BEEP) is True
        async with call(line) as (_, second):
            assert await second.play(BEEP) is True
        assert line.health().restarts == 0


async def test_a_taken_port_is_named_with_a_remedy() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(LineError, match=rf"SIP port {port} \(UDP\).*already in use.*sip\.port"):
            await SipLine(SipConfig(port=port), SystemClock()).open()


async def test_first_audio_comes_within_300_ms_of_the_ack(open_line: OpenLine) -> None:
    async with open_line() as line:
        async with call(line) as (_, leg):
            await leg.play(BEEP)  # the prompt is in the worker's cache, as greetings are
        async with call(line) as (phone, leg):
            assert await leg.play(BEEP) is True
            loud = (at for at, _, _, payload in phone.heard if len(set(payload)) > 8)
            assert next(loud) - phone.acked_at < 0.3


async def test_a_worker_is_shut_in(open_line: OpenLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANRUFLOTSE_SECRET", "geheim")
    async with open_line() as line:
        process = Path(f"/proc/{line.pids[0]}")
        core = next(row for row in (process / "limits").read_text(encoding="ascii").splitlines() if "core" in row)
        assert core.split()[4:6] == ["0", "0"], "no core dumps"
        assert {(process / "fd" / number).readlink() for number in "012"} == {Path("/dev/null")}
        assert b"geheim" not in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
    await until(lambda: not process.exists())
