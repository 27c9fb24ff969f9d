"""The session description of a telephone call: one audio stream (RFC 8866), with SDES keys if wanted (RFC 4568)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from anruflotse.lines.peers.codecs import CODECS, RTP_CLOCK, Codec
from anruflotse.lines.peers.message import MalformedMessageError

EVENT_TYPE: Final = 101
SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
KEY_BYTES: Final = 30
_MAX_PORT: Final = 65_535
_MEDIA_FIELDS: Final = 4


@dataclass(frozen=True, slots=True)
class Description:
    """Where a peer wants its audio and how: codecs it takes in its order, the telephone-event type, the SRTP key."""

    host: str
    port: int
    codecs: tuple[Codec, ...]
    event_type: int | None
    key: bytes | None = field(default=None, repr=False)
    key_tag: str = "1"

    @property
    def secure(self) -> bool:
        """Whether the stream is SRTP."""
        return self.key is not None


def describe(
    host: str,
    port: int,
    codecs: Sequence[Codec],
    session: int,
    event_type: int | None = EVENT_TYPE,
    key: bytes | None = None,
    key_tag: str = "1",
) -> bytes:
    """An offer or an answer for one audio stream at `host`:`port`; with `key` (30 bytes) it is RTP/SAVP."""
    types = [str(codec.payload_type) for codec in codecs] + ([str(event_type)] if event_type is not None else [])
    lines = [
        "v=0",
        f"o=- {session} 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} {'RTP/SAVP' if key else 'RTP/AVP'} {' '.join(types)}",
        *(f"a=rtpmap:{codec.payload_type} {codec.name}/{RTP_CLOCK}" for codec in codecs),
    ]
    if event_type is not None:
        lines += [f"a=rtpmap:{event_type} telephone-event/{RTP_CLOCK}", f"a=fmtp:{event_type} 0-15"]
    if key:
        lines.append(f"a=crypto:{key_tag} {SUITE} inline:{base64.b64encode(key).decode()}")
    lines += ["a=ptime:20", "a=sendrecv"]
    return ("\r\n".join(lines) + "\r\n").encode()


def read(body: bytes) -> Description:
    """Read the first audio stream of an offer or answer. Raises MalformedMessageError."""
    host, media, attributes = "", "", list[str]()
    for line in body.decode("utf-8", "replace").splitlines():
        kind, _, value = line.partition("=")
        if kind == "m":
            if media:
                break
            if value.startswith("audio "):
                media = value
        elif kind == "c":
            host = value.split(" ")[-1].strip()
        elif kind == "a" and media:
            attributes.append(value.strip())
    fields = media.split()
    if len(fields) < _MEDIA_FIELDS or not host:
        message = "The session description has no audio stream or no address."
        raise MalformedMessageError(message)
    port, profile, types = fields[1].partition("/")[0], fields[2], fields[3:]
    if not port.isascii() or not port.isdigit() or int(port) > _MAX_PORT:
        message = "The audio stream has no port."
        raise MalformedMessageError(message)
    tag, key = _key(attributes) if profile.startswith("RTP/SAVP") else ("1", None)
    names = _names(attributes)
    known = {codec.name.lower(): codec for codec in CODECS}
    static = {str(codec.payload_type): codec.name.lower() for codec in CODECS}
    wanted = [known.get(names.get(number, static.get(number, ""))) for number in types]
    return Description(
        host=host,
        port=int(port),
        # A dynamic payload type for a codec that has a static one is something no telephone does: not supported.
        codecs=tuple(codec for codec, number in zip(wanted, types, strict=True) if codec and static.get(number)),
        event_type=next((int(number) for number in types if names.get(number) == "telephone-event"), None),
        key=key,
        key_tag=tag,
    )


def choose(offered: Description, supported: Sequence[Codec]) -> Codec | None:
    """The offerer's most wanted codec among `supported`, None when there is none in common."""
    return next((codec for codec in offered.codecs if codec in supported), None)


def _names(attributes: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for attribute in attributes:
        if attribute.startswith("rtpmap:"):
            number, _, encoding = attribute.removeprefix("rtpmap:").partition(" ")
            if number.isascii() and number.isdigit():
                names[number] = encoding.partition("/")[0].lower()
    return names


def _key(attributes: Sequence[str]) -> tuple[str, bytes]:
    for attribute in attributes:
        if not attribute.startswith("crypto:"):
            continue
        tag, _, rest = attribute.removeprefix("crypto:").partition(" ")
        suite, _, keys = rest.partition(" ")
        if suite != SUITE or not keys.startswith("inline:"):
            continue
        try:
            key = base64.b64decode(keys.removeprefix("inline:").split("|")[0].split(" ")[0], validate=True)
        except ValueError as error:
            message = "The SRTP key is not base64."
            raise MalformedMessageError(message) from error
        if len(key) != KEY_BYTES:
            break
        return tag, key
    message = f"The secure audio stream has no usable key for {SUITE}."
    raise MalformedMessageError(message)
