"""What the SIP worker process and its supervisor say to each other over a socket pair.

Every message is `kind (1 byte) + length (4 bytes, big endian) + payload`:

    J  control: a JSON object, {"is": "play", ...}; the dataclasses below, field by field
    A  audio, worker to parent: the frames of all calls of one tick, each `leg (4) + length (4) + s16le`
    P  a prompt, parent to worker, once per prompt and worker: `key (16) + rate (4) + s16le`

    parent to worker                              worker to parent
    Setup            first, exactly once          Ready | Failed    the answer to Setup
    Prompt, Forget   fill and empty its cache     Registered        at every answer of the registrar
    Play, Stop       -> Played                    Incoming          a call was answered, media runs
    Refer            -> Referred                  Audio, Key        what the caller says and presses
    HangUp           -> Closed                    Closed            the call is over; nothing follows for this leg
    Refuse           no new calls from now on     Pulse             once a second: alive, and how loaded
    Quit             end all calls and exit

Legs are numbers the worker hands out; they are never used again in its life. The end of the stream ends both sides:
a parent closes the worker's legs, a worker exits.
"""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, get_type_hints

HEADER = struct.Struct("!cI")
CHUNK = struct.Struct("!II")
PROMPT = struct.Struct("!16sI")
CONTROL_KIND, AUDIO_KIND, PROMPT_KIND = b"J", b"A", b"P"
MAX_PAYLOAD = 32 * 1024 * 1024
"""A prompt of 17 minutes at 16 kHz; anything longer is a broken stream."""
MIN_RATE, MAX_RATE = 8000, 48000


class WireError(Exception):
    """The other side sent something that is not this protocol: it must be given up."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How to listen; `account` carries the password, so nothing of it shows in a `repr`."""

    host: str
    port: int
    transports: list[str]
    max_calls: int
    codecs: list[str]
    headers: list[str]
    expose: list[str]
    rtp_ports: list[int]
    rtp_timeout: int
    tls: dict[str, str]
    account: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Audio to keep for `Play`: `key` is the content's 16-byte hash, `pcm` mono s16le at `rate` Hz."""

    key: bytes
    rate: int
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the prompt with this hexadecimal key; a leg that is playing it plays on."""

    key: str


@dataclass(frozen=True, slots=True)
class Play:
    """Play a prompt on a leg, instead of what it is playing; `number` comes back in `Played`."""

    leg: int
    number: int
    key: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Flush what is playing."""

    leg: int


@dataclass(frozen=True, slots=True)
class Refer:
    """Send a REFER with `refer_to` and follow it for `seconds`; `number` comes back in `Referred`."""

    leg: int
    number: int
    refer_to: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""

    leg: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer 486 to new calls from now on; there is no way back."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End everything and exit."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Listening; calls may come."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Could not start: `part` is `transport`, `certificate` or `stack`; `detail` names the error, never a call."""

    part: str
    detail: str


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar's answer: `status` is the SIP code, 0 when there was none."""

    ok: bool
    status: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call is up: the caller's number, the rate of its audio in Hz, the headers asked for (lower-case names)."""

    leg: int
    rate: int
    caller: str | None = field(repr=False)
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Audio:
    """One tick of caller audio: `(leg, s16le)` pairs, whole 20 ms frames each."""

    chunks: tuple[tuple[int, bytes], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """A key the caller pressed."""

    leg: int
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Played:
    """A prompt's last sample went out."""

    leg: int
    number: int


@dataclass(frozen=True, slots=True)
class Referred:
    """A transfer is decided: `outcome` is a value of `lines.line.Outcome`."""

    leg: int
    number: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The call is over."""

    leg: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """Alive, with `calls` up; the tick was late by at most `late_ms` since the last pulse."""

    calls: int
    late_ms: int


Control = (
    Setup | Forget | Play | Stop | Refer | HangUp | Refuse | Quit
    | Ready | Failed | Registered | Incoming | Key | Played | Referred | Closed | Pulse
)  # fmt: skip
Message = Control | Audio | Prompt

_CONTROL: dict[str, type[Any]] = {cls.__name__.lower(): cls for cls in Control.__args__}
_HINTS: dict[type[Any], dict[str, Any]] = {cls: get_type_hints(cls) for cls in _CONTROL.values()}


def encode(message: Message) -> bytes:
    """The bytes of one message."""
    if isinstance(message, Audio):
        parts = [part for leg, pcm in message.chunks for part in (CHUNK.pack(leg, len(pcm)), pcm)]
        return _frame(AUDIO_KIND, b"".join(parts))
    if isinstance(message, Prompt):
        return _frame(PROMPT_KIND, PROMPT.pack(message.key, message.rate) + message.pcm)
    body = {"is": type(message).__name__.lower(), **asdict(message)}
    return _frame(CONTROL_KIND, json.dumps(body).encode())


def decode(kind: bytes, payload: bytes) -> Message:
    """The message in one frame. Raises `WireError` for anything that `encode` would not have written."""
    if kind == CONTROL_KIND:
        return _control(payload)
    if kind == AUDIO_KIND:
        return _audio(payload)
    if kind == PROMPT_KIND:
        return _prompt(payload)
    message = f"Unknown kind of message {kind!r}."
    raise WireError(message)


async def read(reader: asyncio.StreamReader) -> Message | None:
    """The next message, or None when the stream ended between two. Raises `WireError` when it ended within one."""
    try:
        kind, length = HEADER.unpack(await reader.readexactly(HEADER.size))
        if length > MAX_PAYLOAD:
            message = f"A message of {length} bytes is longer than {MAX_PAYLOAD}: the stream is broken."
            raise WireError(message)
        payload = await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if not error.partial and error.expected == HEADER.size:
            return None
        message = "The stream ended in the middle of a message."
        raise WireError(message) from error
    except ConnectionError:
        return None
    return decode(kind, payload)


def _frame(kind: bytes, payload: bytes) -> bytes:
    if len(payload) > MAX_PAYLOAD:
        message = f"A message of {len(payload)} bytes is longer than the {MAX_PAYLOAD} the protocol allows."
        raise ValueError(message)
    return HEADER.pack(kind, len(payload)) + payload


def _audio(payload: bytes) -> Audio:
    chunks: list[tuple[int, bytes]] = []
    at = 0
    while at < len(payload):
        if at + CHUNK.size > len(payload):
            message = "An audio message ends in the middle of a chunk's head."
            raise WireError(message)
        leg, length = CHUNK.unpack_from(payload, at)
        at += CHUNK.size
        if length % 2 or at + length > len(payload):
            message = "An audio chunk is cut short."
            raise WireError(message)
        chunks.append((leg, payload[at : at + length]))
        at += length
    return Audio(tuple(chunks))


def _prompt(payload: bytes) -> Prompt:
    if len(payload) < PROMPT.size or (len(payload) - PROMPT.size) % 2:
        message = "A prompt message is cut short."
        raise WireError(message)
    key, rate = PROMPT.unpack_from(payload)
    if not MIN_RATE <= rate <= MAX_RATE:
        message = f"A prompt at {rate} Hz is outside {MIN_RATE} to {MAX_RATE} Hz."
        raise WireError(message)
    return Prompt(key, rate, payload[PROMPT.size :])


def _control(payload: bytes) -> Control:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        # Not chained: the JSON error quotes the document, and that may hold a caller's number.
        message = "A control message is not JSON."
        raise WireError(message) from None
    name = body.pop("is", None) if isinstance(body, dict) else None
    cls = _CONTROL.get(name) if isinstance(name, str) else None
    if cls is None:
        message = "A control message does not say what it is."
        raise WireError(message)
    hints = _HINTS[cls]
    known = {each.name for each in fields(cls)}
    needed = {each.name for each in fields(cls) if each.default is MISSING}
    if not needed <= body.keys() <= known or not all(_fits(value, hints[name]) for name, value in body.items()):
        message = f"A control message '{cls.__name__.lower()}' has wrong fields."
        raise WireError(message)
    made: Control = cls(**body)
    return made


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 (a type hint has no better type)
    """Whether `value`, fresh out of JSON, is what the dataclass says."""
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        # Legs and lengths travel as 32 bits; JSON has no bound.
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32
    if hint == str | None:
        return value is None or isinstance(value, str)
    if hint in (list[str], list[int]):
        inner = str if hint == list[str] else int
        return isinstance(value, list) and all(isinstance(item, inner) for item in value)
    if hint == dict[str, str]:
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return isinstance(value, hint)
