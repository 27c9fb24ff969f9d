"""`anruflotse call`: a caller over real SIP, who speaks, presses keys, listens and lets himself be put through."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, get_args

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.lines.peers import Call, CallEvent, Heard
    from anruflotse.lines.peers.script import Step
    from anruflotse.pcm import Pcm
    from anruflotse.yamlshape import Node

# What an event may be told with, for people; {} are the event's own keys.
TEXTS = {
    "ringing": "it rings",
    "answered": "answered ({codec})",
    "heard": "heard {seconds} s",
    "say": "says {seconds} s",
    "key": "the other side pressed {key}",
    "refer": "is to be put through to {target}",
    "user_to_user": "with the reference {user_to_user}",
    "transfer": "{target}: {status}",
    "failed": "not answered: {reason}",
    "closed": "closed by {by}",
}
STEP_KEYS = ("wait_prompt", "wait", "say", "keys", "hang_up")
OnReferName = Literal["follow", "refuse", "ignore", "vanish", "hang_up"]
CodecName = Literal["pcma", "pcmu", "g722"]
TransportName = Literal["udp", "tcp", "tls"]
KeyWay = Literal["rfc4733", "info"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            'anruflotse call sip:bot@127.0.0.1:5060 --say "Ich brauche eine neue Versichertenkarte."',
            "anruflotse call sip:bot@127.0.0.1:5060 --keys 9@3.5 --json",
            'anruflotse call "sip:bot@127.0.0.1:5061;transport=tls" --codec g722 --say concern.wav',
            "anruflotse call sip:bot@127.0.0.1:5060 --script caller.yaml",
        )
    )(call)


def call(  # noqa: PLR0917 - options, all of them given by name
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="Whom to call, such as sip:bot@127.0.0.1:5060;transport=tcp.")
    ],
    say: Annotated[
        list[str] | None,
        typer.Option(
            "--say", metavar="FILE.wav|TEXT", help="Say this after the next prompt; may be given several times."
        ),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--keys", metavar="KEYS@SECONDS", help="Press keys so many seconds after the answer, such as 9@3.5."
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option("--script", metavar="FILE.yaml", help=f"A list of steps instead: {', '.join(STEP_KEYS)}."),
    ] = None,
    number: Annotated[
        str, typer.Option("--from", metavar="NUMBER", help="The caller's number; 'anonymous' to show none.")
    ] = "+493023125001",
    codec: Annotated[CodecName, typer.Option("--codec", help="The only codec to offer.")] = "pcma",
    transport: Annotated[
        TransportName | None, typer.Option("--transport", help="Overrides the URI's; tls brings SRTP with it.")
    ] = None,
    key_way: Annotated[KeyWay, typer.Option("--keys-by", help="How keys are signalled.")] = "rfc4733",
    on_refer: Annotated[OnReferName, typer.Option("--on-refer", help="What to do when put through.")] = "follow",
    pause: Annotated[
        float, typer.Option("--pause", min=0.1, max=10, help="Seconds of silence that end a prompt.")
    ] = 0.6,
    stay: Annotated[
        float, typer.Option("--stay", min=0, help="Seconds to stay with whom one was put through to.")
    ] = 2.0,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="Hang up after so long at the latest.")] = 120.0,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Call a voicebot over real SIP and tell what happens.

    Exit code 0: the call ended as calls do; 1: refused, busy or never answered; 3: nobody there.
    """
    from anruflotse.lines.peers import CallFailedError, MalformedMessageError, UnreachableError
    from anruflotse.lines.peers.message import parse_uri

    load(config, data)
    if script and (say or keys):
        _refuse("a script says everything: leave --say and --keys out.", "--script")
    try:
        target = parse_uri(uri)
    except MalformedMessageError as error:
        raise typer.BadParameter(str(error), param_hint="URI") from error
    if target.transport not in get_args(TransportName):
        _refuse("the transport is udp, tcp or tls.", "URI")
    if transport:
        params = tuple(item for item in target.params if item[0] != "transport")
        uri = type(target)(target.user, target.host, target.port, "sip", (*params, ("transport", transport))).bare()
    pause_ms = round(pause * 1_000)
    steps = _script(script, key_way, pause_ms) if script else _spoken(say or [], pause_ms)
    plan = _Plan(
        uri=uri,
        number=None if number == "anonymous" else _number(number),
        codec=codec,
        on_refer=on_refer,
        steps=steps,
        presses=tuple(_press(text, key_way) for text in keys or ()),
        stay=stay,
        seconds=seconds,
    )
    try:
        asyncio.run(_place(plan, _Teller(as_json)))
    except CallFailedError as error:
        emit({"event": "failed", "status": error.status, "reason": error.reason}, as_json, f"            {error}")
        raise typer.Exit(1) from error
    except TimeoutError as error:
        emit({"event": "failed", "reason": "no prompt"}, as_json, "            the expected prompt did not come")
        raise typer.Exit(1) from error
    except UnreachableError as error:
        if as_json:
            emit({"event": "failed", "at": 0.0, "reason": "unreachable"}, as_json, "")
        typer.echo(f"anruflotse: {error}", err=True)
        raise typer.Exit(3) from error


@dataclass(frozen=True, slots=True)
class _Plan:
    uri: str
    number: str | None = field(repr=False)
    codec: str
    on_refer: str
    steps: tuple[Step, ...]
    presses: tuple[tuple[float, str, KeyWay], ...] = field(repr=False)
    stay: float
    seconds: float


class _Teller:
    """Prints what happens on a call, and what is heard as soon as it is over."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._told: dict[str, float] = {}

    def event(self, event: CallEvent, heard: Heard | None = None) -> None:
        """Print a call's event; before its end what was heard last."""
        if event.event == "closed" and heard is not None:
            self.heard(heard, "bot", event.at, 0)
        self.tell(event.event, event.at, event.details)
        if "user_to_user" in event.details:
            self.tell("user_to_user", event.at, {"user_to_user": event.details["user_to_user"]})

    def heard(self, heard: Heard, who: str, now: float, pause: float, offset: float = 0.0) -> None:
        """Print every stretch of speech that is over for `pause` seconds and was not told yet."""
        for stretch in heard.stretches():
            if stretch.end > self._told.get(who, -1.0) and now - stretch.end >= pause:
                self._told[who] = stretch.end
                details = {"seconds": round(stretch.seconds, 2), "since": round(stretch.start + offset, 2), "who": who}
                self.tell("heard", now + offset, details)

    def tell(self, event: str, at: float, details: object) -> None:
        """Print one line."""
        record = {"event": event, "at": round(at, 3), **(details if isinstance(details, dict) else {})}
        emit(record, self._as_json, f"{at:8.2f} s  {TEXTS.get(event, event).format_map(record)}")


async def _place(plan: _Plan, teller: _Teller) -> None:
    """Place the call, play the caller's part, and stay until it is over."""
    from anruflotse.lines.peers import Caller, NotAnsweredError, OnRefer, State
    from anruflotse.lines.peers.script import play

    placed: list[Call] = []
    missed: BaseException | None = None

    def told(event: CallEvent) -> None:
        up = placed and placed[0].codec
        teller.event(event, placed[0].heard if up else None)

    async with Caller() as caller:
        placed.append(
            await caller.start(
                plan.uri, number=plan.number, codec=plan.codec, on_refer=OnRefer(plan.on_refer), on_event=told
            )
        )
        current = placed[0]
        work: list[asyncio.Task[object]] = [asyncio.create_task(_listen(current, teller))]
        try:
            async with asyncio.timeout(plan.seconds):
                await current.answered()
                work += [asyncio.create_task(_press_later(current, *press)) for press in plan.presses]
                part = asyncio.create_task(play(current, plan.steps))
                closed = asyncio.create_task(current.closed())
                work += [part, closed]
                await asyncio.wait({part, closed}, return_when=asyncio.FIRST_COMPLETED)
                missed = part.exception() if part.done() else None
                if missed is None:
                    await closed
                if current.referrals and current.referrals[-1].call:
                    # Put through: on to whoever is at the other end now.
                    await current.wait_transferred()
                    await asyncio.wait([asyncio.ensure_future(_second_closed(current))], timeout=plan.stay)
        except (TimeoutError, NotAnsweredError):
            # Long enough, or the one put through to never answered: nothing more will come.
            pass
        finally:
            if current.second and current.second.codec:
                second = current.second
                offset = current.now() - second.now()
                teller.heard(second.heard, "target", second.now(), 0, offset)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            if current.state is not State.CLOSED or current.second:
                await current.hang_up()
        await current.answered()
        if missed:
            raise missed


async def _second_closed(current: Call) -> None:
    if current.second:
        await current.second.closed()


async def _press_later(current: Call, seconds: float, keys: str, way: KeyWay) -> None:
    await asyncio.sleep(seconds)
    await current.press(keys, way)


async def _listen(current: Call, teller: _Teller) -> None:
    """Tell what was heard once it is over."""
    await current.answered()
    while True:
        await asyncio.sleep(0.1)
        teller.heard(current.heard, "bot", current.now(), 0.6)


def _refuse(message: str, option: str) -> NoReturn:
    raise typer.BadParameter(message, param_hint=option)


def _number(text: str) -> str:
    if not text.removeprefix("+").isdigit() or not text.isascii():
        _refuse("a number is digits, with + in front if international.", "--from")
    return text


def _press(text: str, way: KeyWay) -> tuple[float, str, KeyWay]:
    """`9@3.5` in its parts; without a time, half a second after the answer."""
    from anruflotse.lines.peers.rtp import KEYS

    keys, _, at = text.partition("@")
    try:
        seconds = float(at) if at else 0.5
    except ValueError:
        seconds = -1.0
    if not keys or not all(key in KEYS for key in keys) or not 0 <= seconds <= 3_600:  # noqa: PLR2004 - an hour
        message = f"{text!r} is not keys@seconds, such as 9@3.5 (keys: {KEYS})."
        _refuse(message, "--keys")
    return seconds, keys, way


def _spoken(said: Sequence[str], pause_ms: int) -> tuple[Step, ...]:
    """The steps of `--say`: each after the next prompt."""
    from anruflotse.lines.peers.script import Say, WaitPrompt

    steps: list[Step] = []
    for item in said:
        steps += [WaitPrompt(pause_ms), Say(_audio(item, Path()))]
    return tuple(steps)


def _script(path: Path, way: KeyWay, pause_ms: int) -> tuple[Step, ...]:
    """The steps in a YAML file."""
    from anruflotse import yamlshape

    try:
        return tuple(_step(node, way, pause_ms, path.parent) for node in yamlshape.read(path).items())
    except yamlshape.ShapeError as error:
        raise typer.BadParameter(str(error), param_hint="--script") from error


def _step(node: Node, way: KeyWay, pause_ms: int, folder: Path) -> Step:
    from anruflotse.lines.peers.rtp import KEYS
    from anruflotse.lines.peers.script import HangUp, Keys, Say, Wait, WaitPrompt

    simple: dict[str, Step] = {"wait_prompt": WaitPrompt(pause_ms), "hang_up": HangUp()}
    if isinstance(node.data, str):
        return simple[node.one_of(simple)]
    found = node.mapping(optional=STEP_KEYS)
    if len(found) != 1:
        message = f"a step does one thing: {', '.join(STEP_KEYS)}."
        raise node.error(message)
    kind, value = next(iter(found.items()))
    if kind in simple:
        if not value.is_null():
            message = f"`{kind}` stands alone: write `- {kind}`."
            raise value.error(message)
        return simple[kind]
    if kind == "wait":
        if isinstance(value.data, bool) or not isinstance(value.data, int | float) or not 0 <= value.data <= 3_600:  # noqa: PLR2004
            message = "expected seconds from 0 to 3600."
            raise value.error(message)
        return Wait(float(value.data))
    if kind == "keys":
        text = value.text()
        if not all(key in KEYS for key in text):
            message = f"a telephone has the keys {KEYS}."
            raise value.error(message)
        return Keys(text, way)
    return Say(_audio(value.text(), folder))


def _audio(item: str, folder: Path) -> Pcm:
    """A WAV file's audio, or the text spoken by the embedded voice, as the line takes it."""
    from anruflotse.speech.audio import AudioError, read_wav, resample
    from anruflotse.speech.pico import PicoSynthesiser

    if not item.lower().endswith(".wav"):
        return asyncio.run(PicoSynthesiser().speak(item))
    try:
        audio = read_wav(folder / item)
    except AudioError as error:
        raise typer.BadParameter(str(error), param_hint="--say") from error
    return resample(audio, 8_000 if audio.rate < 16_000 else 16_000)  # noqa: PLR2004 - what the line takes
