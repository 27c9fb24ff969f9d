"""Callers against phones: real SIP and RTP on loopback."""

from __future__ import annotations

import asyncio
import socket

import pytest

from anruflotse.lines.peers import (
    Behaviour,
    Call,
    Caller,
    CallFailedError,
    MalformedMessageError,
    NotAnsweredError,
    OnRefer,
    Phone,
    PhoneCall,
    SipError,
    State,
    UnreachableError,
    tone,
)
from anruflotse.lines.peers.message import Message, parse
from anruflotse.lines.peers.transactions import ServerTransaction
from tests.callers import NUMBER, caller_and_phone, loudness, pitch, until

pytestmark = pytest.mark.calls

REFERENCE = "56a390f3;encoding=hex"


async def dialled(caller: Caller, phone: Phone, on_refer: OnRefer = OnRefer.FOLLOW) -> tuple[Call, PhoneCall]:
    call = await caller.dial(phone.uri("bot"), number=NUMBER, codec="pcma", on_refer=on_refer)
    return call, phone.calls[-1]


async def refer(bot: PhoneCall, phone: Phone, user: str, **headers: str) -> Message:
    """What the bot does: ask the caller's side to call somebody else."""
    target = f"<sip:{user}@127.0.0.1:{phone.port}?User-to-User=56a390f3%3Bencoding%3Dhex&From=evil>"
    return await bot.request("REFER", [("refer-to", target), *headers.items()])


def fragments(bot: PhoneCall) -> list[tuple[str, str]]:
    """Every NOTIFY that came: its Event header and what it says became of the transfer."""
    return [
        (str(event.details["event_header"]), str(event.details["fragment"]))
        for event in bot.events
        if event.event == "notify"
    ]


@pytest.fixture(autouse=True)
def note_notifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let phones keep the NOTIFYs they are sent."""
    original = PhoneCall.take

    def take(self: PhoneCall, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.method == "NOTIFY":
            fragment = request.body.decode().strip().removeprefix("SIP/2.0 ")
            self.tell("notify", event_header=request.get("event"), fragment=fragment)
        original(self, transaction)

    monkeypatch.setattr(PhoneCall, "take", take)


@pytest.mark.parametrize("codec", ["pcma", "pcmu", "g722"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_audio_and_keys_arrive_both_ways(codec: str, transport: str) -> None:
    async with caller_and_phone() as (caller, phone):
        phone.behave("bot", Behaviour(greeting=None))
        call = await caller.dial(f"{phone.uri('bot')};transport={transport}", number=NUMBER, codec=codec)
        other = phone.calls[-1]
        assert (call.codec, other.codec, other.caller, other.user) == (codec, codec, NUMBER, "bot")
        assert all(await asyncio.gather(call.say(tone(1_000, 0.4)), other.say(tone(620, 0.4))))
        # G.722 delays by 1.4 ms: a key pressed at once would tear the last of it off the tone.
        await asyncio.sleep(0.05)
        assert await call.press("9#", milliseconds=60)
        assert await call.press("0", via="info")
        assert await other.press("*", milliseconds=60)
        await asyncio.sleep(0.1)
        for heard, hertz in ((other.heard, 1_000), (call.heard, 620)):
            assert pitch(heard.audio) == pytest.approx(hertz, abs=4)
            assert loudness(heard.audio) == pytest.approx(-17, abs=1)
            assert heard.stretches()[0].seconds == pytest.approx(0.4, abs=0.08)
            assert heard.lost == 0
        assert (other.keys, call.keys) == (["9", "#", "0"], ["*"])
        await call.hang_up()
        assert (call.state, call.ended_by, other.ended_by) == (State.CLOSED, "us", "them")


async def test_secure_audio_is_heard_and_a_plain_answer_is_not_taken() -> None:
    async with caller_and_phone() as (caller, phone):
        call = await caller.dial(phone.uri("bot"), secure=True)
        assert (await call.wait_prompt(after=0)).seconds == pytest.approx(0.4, abs=0.08)
        assert pitch(call.heard.audio) == pytest.approx(440, abs=4)
        assert call.stream.strangers == 0


async def test_a_prompt_is_waited_for_and_then_answered() -> None:
    async with caller_and_phone() as (caller, phone):
        call, bot = await dialled(caller, phone)
        first = await call.wait_prompt(after=0, pause_ms=300)
        assert call.now() - first.end >= 0.3
        saying = asyncio.create_task(bot.say(tone(500, 0.3)))
        begun = await call.wait_speech(after=first.end)
        second = await call.wait_prompt(after=first.end, pause_ms=300)
        assert await saying
        assert first.end < begun <= second.end
        with pytest.raises(TimeoutError):
            await call.wait_prompt(after=second.end, seconds=0.1)
        await bot.hang_up()
        with pytest.raises(NotAnsweredError):
            await call.wait_prompt()


async def test_saying_can_be_cut_and_ends_with_the_call() -> None:
    async with caller_and_phone() as (caller, phone):
        call, bot = await dialled(caller, phone)
        saying = asyncio.create_task(call.say(tone(500, 5)))
        await asyncio.sleep(0.1)
        call.hush()
        assert await saying is False
        saying = asyncio.create_task(call.say(tone(500, 5)))
        pressing = asyncio.create_task(call.press("1234567890"))
        await asyncio.sleep(0.1)
        await bot.hang_up()
        assert await asyncio.wait_for(saying, 1) is False
        assert await asyncio.wait_for(pressing, 1) is False
        assert await call.say(tone(500, 1)) is False
        with pytest.raises(NotAnsweredError):
            await call.press("1")
        with pytest.raises(ValueError, match="keys"):
            await (await dialled(caller, phone))[0].press("x")


async def test_a_refer_is_followed_with_its_reference_and_the_number() -> None:
    async with caller_and_phone() as (caller, phone):
        phone.behave("beitrag", Behaviour(ring_seconds=0.1))
        call, bot = await dialled(caller, phone)
        assert (await refer(bot, phone, "beitrag")).status == 202
        referral = await call.wait_refer()
        assert (referral.target, referral.user_to_user) == (f"sip:beitrag@127.0.0.1:{phone.port}", REFERENCE)
        assert await call.wait_transferred() is referral
        reached = phone.calls[-1]
        assert (reached.user, reached.user_to_user, reached.caller) == ("beitrag", REFERENCE, NUMBER)
        await until(lambda: len(fragments(bot)) == 3)
        assert fragments(bot) == [("refer", "100 Trying"), ("refer", "180 Ringing"), ("refer", "200 OK")]
        await bot.hang_up()
        await asyncio.wait_for(call.closed(), 1)
        assert call.second is not None
        assert call.second.state is State.ANSWERED
        assert (await call.second.wait_prompt(after=0)).seconds == pytest.approx(0.4, abs=0.08)
        await call.hang_up()
        await asyncio.wait_for(reached.closed(), 1)


@pytest.mark.parametrize(
    ("user", "fragment"),
    [("besetzt", "486 Busy Here"), ("abgelehnt", "603 Decline"), ("weg", "480 Temporarily Unavailable")],
)
async def test_a_target_that_refuses_is_told_and_the_next_refer_is_followed(user: str, fragment: str) -> None:
    async with caller_and_phone() as (caller, phone):
        call, bot = await dialled(caller, phone)
        await refer(bot, phone, user)
        await call.wait_refer()
        await until(lambda: ("refer", fragment) in fragments(bot))
        assert fragments(bot)[-1] == ("refer", fragment)
        assert call.state is State.ANSWERED
        await refer(bot, phone, "mensch")
        assert (await call.wait_transferred()).target.startswith("sip:mensch@")
        await until(lambda: fragments(bot)[-1][1] == "200 OK")
        event, last = fragments(bot)[-1]
        assert event.startswith("refer;id=")
        assert last == "200 OK"


async def test_a_target_that_only_rings_is_given_up_for_the_next_one() -> None:
    async with caller_and_phone() as (caller, phone):
        call, bot = await dialled(caller, phone)
        await refer(bot, phone, "klingelt")
        await phone.expect("ringing", "klingelt")
        await until(lambda: len(fragments(bot)) == 2)
        assert [told for _, told in fragments(bot)] == ["100 Trying", "180 Ringing"]
        await refer(bot, phone, "mensch")
        assert (await phone.expect("closed", "klingelt")).details["status"] == 487
        assert (await call.wait_transferred()).target.startswith("sip:mensch@")


async def test_a_dead_target_is_told_as_no_answer() -> None:
    async with caller_and_phone(patience=0.3) as (caller, phone):
        call, bot = await dialled(caller, phone)
        await refer(bot, phone, "tot")
        referral = await call.wait_refer()
        await until(lambda: referral.status == 408)
        await until(lambda: ("refer", "408 Request Timeout") in fragments(bot))


async def test_a_callers_side_can_misbehave_in_every_way() -> None:
    async with caller_and_phone() as (caller, phone):
        call, bot = await dialled(caller, phone, OnRefer.REFUSE)
        assert (await refer(bot, phone, "mensch")).status == 603
        assert call.state is State.ANSWERED

        call, bot = await dialled(caller, phone, OnRefer.IGNORE)
        assert (await refer(bot, phone, "mensch")).status == 202
        await asyncio.sleep(0.2)
        assert (fragments(bot), call.second, call.state) == ([], None, State.ANSWERED)

        call, bot = await dialled(caller, phone, OnRefer.VANISH)
        assert (await refer(bot, phone, "mensch")).status == 202
        await call.wait_transferred()
        assert (fragments(bot), bot.ended_by, phone.calls[-1].user_to_user) == ([], "them", REFERENCE)

        call, bot = await dialled(caller, phone, OnRefer.HANG_UP)
        assert (await refer(bot, phone, "mensch")).status == 487
        assert bot.ended_by == "them"
        assert call.second is None

        call, bot = await dialled(caller, phone)
        assert (await bot.request("REFER", [("refer-to", "<mailto:x@y>")])).status == 400


async def test_hanging_up_works_in_every_state() -> None:
    async with caller_and_phone() as (caller, phone):
        silent = await caller.start(phone.uri("tot"))
        hanging = asyncio.create_task(silent.hang_up())
        ringing = await caller.start(phone.uri("klingelt"))
        await phone.expect("ringing", "klingelt")
        await ringing.hang_up()
        assert (await phone.expect("closed", "klingelt")).details == {"by": "them", "status": 487}
        with pytest.raises(CallFailedError):
            await ringing.answered()
        call, bot = await dialled(caller, phone)
        await asyncio.gather(call.hang_up(), bot.hang_up())
        assert (call.state, bot.state) == (State.CLOSED, State.CLOSED)
        await call.hang_up()
        call, bot = await dialled(caller, phone)
        await refer(bot, phone, "klingelt")
        await phone.expect("ringing", "klingelt", number=2)
        await call.hang_up()
        assert (await phone.expect("closed", "klingelt", number=2)).details["status"] == 487
        await asyncio.wait_for(hanging, 3)
        assert silent.state is State.CLOSED


async def test_why_a_call_failed_is_told() -> None:
    async with caller_and_phone(patience=0.3) as (caller, phone):
        for user, status in (("besetzt", 486), ("abgelehnt", 603), ("weg", 480)):
            with pytest.raises(CallFailedError, match=str(status)) as caught:
                await caller.dial(phone.uri(user))
            assert caught.value.status == status
        with pytest.raises(CallFailedError, match="408"):
            await caller.dial(phone.uri("klingelt"), seconds=0.2)
        for uri in (phone.uri("tot"), f"sip:x@127.0.0.1:{free_port()}", f"sip:x@127.0.0.1:{free_port()};transport=tcp"):
            with pytest.raises(UnreachableError):
                await caller.dial(uri)
        with pytest.raises(UnreachableError, match=r"nowhere\.invalid"):
            await caller.dial("sip:x@nowhere.invalid")
        with pytest.raises(MalformedMessageError):
            await caller.dial("bot")
        with pytest.raises(ValueError, match="codec"):
            await caller.dial(phone.uri("bot"), codec="opus")
        with pytest.raises(SipError, match="line break"):
            await caller.dial(phone.uri("bot"), number="1\r\nX: y")


async def test_without_a_common_codec_nobody_is_connected() -> None:
    from anruflotse.lines.peers.codecs import PCMU  # noqa: PLC0415

    async with Phone(codecs=[PCMU]) as phone, Caller() as caller:
        with pytest.raises(CallFailedError, match="488"):
            await caller.dial(phone.uri("bot"), codec="pcma")


async def test_an_anonymous_caller_shows_no_number() -> None:
    async with caller_and_phone() as (caller, phone):
        await caller.dial(phone.uri("bot"))
        assert phone.calls[-1].caller == "anonymous"


async def test_a_hundred_datagrams_of_rubbish_disturb_neither_side() -> None:
    async with caller_and_phone() as (caller, phone):
        call, bot = await dialled(caller, phone)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for port in (caller.port, phone.port):
                for number in range(50):
                    stranger.sendto(b"INVITE sip:x SIP/2.0\r\nVia: " + bytes([number]) * number, ("127.0.0.1", port))
            for port in (call.stream.port, bot.stream.port):
                stranger.sendto(b"\x80\x08" + bytes(170), ("127.0.0.1", port))
            unknown = Message(
                "BYE",
                "sip:x@y",
                headers=[
                    ("via", f"SIP/2.0/UDP 127.0.0.1:{stranger.getsockname()[1]};branch=z9hG4bKstranger;rport"),
                    ("from", "<sip:a@b>;tag=1"),
                    ("to", "<sip:c@d>;tag=2"),
                    ("call-id", "unknown"),
                    ("cseq", "1 BYE"),
                ],
            ).encode()
            stranger.setblocking(False)  # noqa: FBT003 - the standard library's signature
            loop = asyncio.get_running_loop()
            stranger.sendto(unknown, ("127.0.0.1", phone.port))
            answer = parse(await asyncio.wait_for(loop.sock_recv(stranger, 2_000), 2))
            assert answer.status == 481
        assert await call.say(tone(800, 0.2))
        assert pitch(bot.heard.audio) == pytest.approx(800, abs=6)
        assert (call.stream.strangers, bot.stream.strangers) == (1, 1)
        assert min(caller.malformed, phone.malformed) == 50


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
