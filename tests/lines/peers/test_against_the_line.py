"""Our callers against the SIP line the bot uses: two implementations that must agree."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from anruflotse.clock import SystemClock
from anruflotse.lines import Outcome
from anruflotse.lines.peers import Call, Caller, OnRefer, tone
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.leg import SipLeg
from anruflotse.lines.sip.line import SipLine
from tests.callers import NUMBER, caller_and_phone, pitch, until
from tests.certificates import self_signed

pytestmark = pytest.mark.calls

REFERENCE = "56a390f3d2b7310023"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key in one PEM file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


async def connected(caller: Caller, line: SipLine, uri: str, codec: str, on_refer: OnRefer) -> tuple[Call, SipLeg]:
    call = await caller.dial(uri, number=NUMBER, codec=codec, on_refer=on_refer)
    return call, await asyncio.wait_for(anext(line.calls()), 5)


@pytest.mark.parametrize(
    ("transport", "codec"), [("udp", "pcma"), ("udp", "g722"), ("tcp", "pcmu"), ("tls", "g722"), ("tls", "pcma")]
)
async def test_line_and_caller_understand_each_other(transport: str, codec: str, certificate: Path) -> None:
    config = SipConfig(port=0, transports=("udp", "tcp", "tls"), tls_certificate=certificate, tls_verify=False)
    line = SipLine(config, SystemClock())
    await line.open()
    try:
        async with caller_and_phone() as (caller, phone):
            address = next(found for found in line.addresses if found.startswith(transport))
            uri = f"sip:bot@127.0.0.1:{address.rpartition(':')[2]};transport={transport}"
            call, leg = await connected(caller, line, uri, codec, OnRefer.FOLLOW)
            assert (leg.caller, leg.rate, call.codec) == (NUMBER, 16_000 if codec == "g722" else 8_000, codec)
            keys = leg.keys()
            await call.press("9", via="info" if transport == "tcp" else "rfc4733")
            assert await asyncio.wait_for(anext(keys), 2) == "9"
            assert await leg.play(tone(620, 0.4))
            await until(lambda: call.heard.spoken_seconds > 0.35)
            assert pitch(call.heard.audio) == pytest.approx(620, abs=6)
            assert await leg.transfer(phone.uri("besetzt"), REFERENCE, 5) is Outcome.BUSY
            assert await leg.transfer(phone.uri("klingelt"), REFERENCE, 0.5) is Outcome.NO_ANSWER
            assert await leg.transfer(phone.uri("beitrag"), REFERENCE, 5) is Outcome.SUCCEEDED
            reached = phone.calls[-1]
            assert (reached.user, reached.caller) == ("beitrag", NUMBER)
            assert (reached.user_to_user or "").partition(";")[0] == REFERENCE
            await asyncio.wait_for(call.closed(), 3)
            assert call.ended_by == "them"
    finally:
        await line.close()


@pytest.mark.parametrize(
    ("on_refer", "outcome"),
    [(OnRefer.REFUSE, Outcome.REFUSED), (OnRefer.VANISH, Outcome.UNKNOWN), (OnRefer.HANG_UP, Outcome.HUNG_UP)],
)
async def test_the_line_names_what_a_misbehaving_side_did(on_refer: OnRefer, outcome: Outcome) -> None:
    line = SipLine(SipConfig(port=0), SystemClock())
    await line.open()
    try:
        async with caller_and_phone() as (caller, phone):
            port = line.addresses[0].rpartition(":")[2]
            _, leg = await connected(caller, line, f"sip:bot@127.0.0.1:{port}", "pcma", on_refer)
            assert await leg.transfer(phone.uri("beitrag"), REFERENCE, 3) is outcome
    finally:
        await line.close()
