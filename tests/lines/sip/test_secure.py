"""Wide-band and encrypted calls, from baresip as the caller."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from anruflotse.clock import SystemClock
from anruflotse.lines.line import LineError, Outcome
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.line import SipLine
from anruflotse.lines.sip.ports import free_base
from anruflotse.pcm import Pcm
from tests.certificates import self_signed
from tests.lines.sip.conftest import OpenLine, next_leg
from tests.lines.sip.sipphone import pitch, tone

if TYPE_CHECKING:
    from anruflotse.lines.sip.leg import SipLeg

BEEP = Pcm(tone(440, 0.8, 16000).tobytes(), 16000)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate for 127.0.0.1 in one PEM file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


async def start_caller(**order: object) -> asyncio.subprocess.Process:
    order["own_port"] = free_base("127.0.0.1", 1, ["udp", "tcp", "tls"])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("securephone.py")),
        json.dumps(order),
        stdout=asyncio.subprocess.PIPE,
    )


async def result_of(caller: asyncio.subprocess.Process) -> dict[str, object]:
    out, _ = await asyncio.wait_for(caller.communicate(), 15)
    told: dict[str, object] = json.loads(out)
    return told


async def hear(leg: SipLeg, seconds: float) -> np.ndarray:
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            async for chunk in leg.frames():
                chunks.append(chunk)  # noqa: PERF401 (the chunks so far are wanted when time is up)
    except TimeoutError:
        pass
    return np.frombuffer(b"".join(chunks), np.int16)


async def test_g722_is_wide_band_both_ways(open_line: OpenLine) -> None:
    async with open_line() as line:
        caller = await start_caller(port=int(line.address.rpartition(":")[2]), transport="udp", codec="g722/16000/1")
        leg = await next_leg(line)
        assert leg.rate == 16000
        assert await leg.play(BEEP) is True
        assert pitch((await hear(leg, 0.5))[8000:], 16000) == pytest.approx(700, abs=8)
        await leg.hang_up()
        told = await result_of(caller)
        assert told["rate"] == 16000
        assert told["pitch"] == pytest.approx(440, abs=8)


async def test_a_tcp_call(open_line: OpenLine) -> None:
    async with open_line(transports=("udp", "tcp")) as line:
        caller = await start_caller(port=int(line.address.rpartition(":")[2]), transport="tcp", codec="pcma")
        leg = await next_leg(line)
        assert await leg.play(BEEP) is True
        await leg.hang_up()
        assert (await result_of(caller))["pitch"] == pytest.approx(440, abs=8)


async def test_a_call_over_tls_is_encrypted_and_can_be_transferred(open_line: OpenLine, certificate: Path) -> None:
    async with open_line(transports=("udp", "tls"), tls_certificate=certificate, tls_ca=certificate) as line:
        assert line.addresses[1].startswith("tls:127.0.0.1:")
        port = int(line.addresses[1].rpartition(":")[2])
        caller = await start_caller(port=port, transport="tls", codec="pcma", srtp=True, ca=str(certificate))
        leg = await next_leg(line)
        assert await leg.play(BEEP) is True
        assert pitch((await hear(leg, 0.5))[4000:]) == pytest.approx(700, abs=8)
        assert await leg.transfer("sip:a@127.0.0.1", "56a3", 5) is Outcome.REFUSED
        await leg.hang_up()
        assert (await result_of(caller))["pitch"] == pytest.approx(440, abs=8)


async def test_tls_does_not_take_unencrypted_audio(open_line: OpenLine, certificate: Path) -> None:
    async with open_line(transports=("tls",), tls_certificate=certificate, tls_ca=certificate) as line:
        port = int(line.address.rpartition(":")[2])
        caller = await start_caller(port=port, transport="tls", codec="pcma", ca=str(certificate))
        assert "488" in str((await result_of(caller)).get("failed"))
        assert line.health().calls == 0


async def test_a_broken_certificate_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN NOTHING-----")
    line = SipLine(SipConfig(port=0, transports=("tls",), tls_certificate=broken), SystemClock())
    with pytest.raises(LineError, match=r"sip\.tls_certificate"):
        await line.open()
    await line.close()


async def test_a_taken_tls_port_is_named(certificate: Path) -> None:
    base = free_base("127.0.0.1", 1, ["udp", "tls"])
    with socket.socket() as other:
        other.bind(("127.0.0.1", base + 1))
        other.listen()
        line = SipLine(SipConfig(port=base, transports=("udp", "tls"), tls_certificate=certificate), SystemClock())
        with pytest.raises(LineError, match=rf"SIP port {base + 1} \(TLS\)"):
            await line.open()
