"""SIP messages as bytes and back (RFC 3261 sections 7, 19 and 25), as far as two telephones need them.

Pure: no socket, no clock. What cannot be read raises `MalformedMessageError` and nothing else, so that a peer that
sends rubbish costs one dropped datagram.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

MAX_MESSAGE: Final = 65_535
MAX_HEADERS: Final = 128

_COMPACT: Final = {
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
    "r": "refer-to",
    "b": "referred-by",
    "o": "event",
}
_LENGTH: Final = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\S+)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_QUOTED: Final = re.compile(r'^\s*"(?:[^"\\]|\\.)*"')
_STATUS: Final = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?")
_REQUEST: Final = re.compile(r"([A-Z]{2,20}) (\S+) SIP/2\.0")
_HEADER: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)[ \t]*:[ \t]*(.*)")
_URI: Final = re.compile(
    r"(sips?):(?:([^@;?<>\s]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?((?:;[^?]*)?)(\?.*)?"
)
_MAX_PORT: Final = 65_535


class SipError(Exception):
    """Something about a SIP peer or its messages is not as it must be; the message says what."""


class MalformedMessageError(SipError):
    """Bytes or text that are not SIP."""


@dataclass(frozen=True, slots=True)
class SipUri:
    """A `sip:` or `sips:` URI in its parts; parameter and header values are unescaped."""

    user: str = field(repr=False)
    host: str
    port: int | None = None
    scheme: str = "sip"
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def param(self, name: str) -> str | None:
        """The value of the URI parameter `name` (lower case), "" when it has none, None when it is not there."""
        return next((value for key, value in self.params if key == name), None)

    @property
    def transport(self) -> str:
        """`udp`, `tcp` or `tls`, as the URI asks for it (RFC 3263 without DNS)."""
        if self.scheme == "sips":
            return "tls"
        return (self.param("transport") or "udp").lower()

    def bare(self) -> str:
        """The URI as it stands in a request line: without its headers."""
        port = "" if self.port is None else f":{self.port}"
        at = f"{self.user}@" if self.user else ""
        params = "".join(f";{key}={value}" if value else f";{key}" for key, value in self.params)
        return f"{self.scheme}:{at}{self.host}{port}{params}"


@dataclass(slots=True)
class Message:
    """A request (`method` and `uri` set) or a response (`status` set).

    Header names are lower case and in the long form. Neither headers nor body show in a repr: they hold numbers.
    """

    method: str = ""
    uri: str = field(default="", repr=False)
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    body: bytes = field(default=b"", repr=False)

    def get(self, name: str, default: str = "") -> str:
        """The first header called `name` (lower case), else `default`."""
        return next((value for key, value in self.headers if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of the header `name`, comma-separated lists taken apart, in order."""
        return [part for key, value in self.headers if key == name for part in split_list(value)]

    def raw(self, name: str) -> list[str]:
        """Every header line called `name`, as it was sent."""
        return [value for key, value in self.headers if key == name]

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq. Raises MalformedMessageError."""
        number, _, method = self.get("cseq").partition(" ")
        if not number.isascii() or not number.isdigit() or not method.strip():
            message = "CSeq must be a number and a method."
            raise MalformedMessageError(message)
        return int(number), method.strip()

    @property
    def branch(self) -> str:
        """The branch of the topmost Via, or ""."""
        vias = self.all("via")
        return parameters(vias[0]).get("branch", "") if vias else ""

    def encode(self) -> bytes:
        """The message on the wire, Content-Length included."""
        first = f"{self.method} {self.uri} SIP/2.0" if self.method else f"SIP/2.0 {self.status} {self.reason}"
        lines = [first, *(f"{_display(key)}: {value}" for key, value in self.headers if key != "content-length")]
        lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


def parse(data: bytes) -> Message:
    """Read one message. Raises MalformedMessageError; a body longer than Content-Length says is cut to it."""
    if len(data) > MAX_MESSAGE:
        message = "A SIP message of more than 64 KiB is refused."
        raise MalformedMessageError(message)
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        message = "A SIP message ends its headers with an empty line."
        raise MalformedMessageError(message)
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        message = "SIP headers are UTF-8."
        raise MalformedMessageError(message) from error
    lines = re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")
    result = _first_line(lines[0])
    if len(lines) - 1 > MAX_HEADERS:
        message = "Too many headers."
        raise MalformedMessageError(message)
    for line in lines[1:]:
        match = _HEADER.fullmatch(line)
        if not match:
            message = "A header is a name, a colon and a value."
            raise MalformedMessageError(message)
        name = match[1].lower()
        result.headers.append((_COMPACT.get(name, name), match[2].strip()))
    length = content_length(result.get("content-length"), len(body))
    if length > len(body):
        message = "The body is shorter than Content-Length says."
        raise MalformedMessageError(message)
    result.body = body[:length]
    _check(result)
    return result


def _check(message: Message) -> None:
    for needed in ("via", "from", "to", "call-id"):
        if not message.get(needed):
            text = f"The header {needed} is missing."
            raise MalformedMessageError(text)
    if message.cseq[1] != message.method and message.method:
        text = "CSeq names another method than the request line."
        raise MalformedMessageError(text)


def content_length(value: str, otherwise: int) -> int:
    """The number in a Content-Length header, `otherwise` when there is none. Raises MalformedMessageError."""
    if not value:
        return otherwise
    if not value.isascii() or not value.isdigit() or int(value) > MAX_MESSAGE:
        message = "Content-Length must be a number of bytes up to 65535."
        raise MalformedMessageError(message)
    return int(value)


def parse_uri(text: str) -> SipUri:
    """Read `sip:user@host:port;params?headers`. Raises MalformedMessageError with what is allowed."""
    match = _URI.fullmatch(text.strip())
    if not match or int(match[4] or 0) > _MAX_PORT:
        message = "A SIP URI looks like sip:name@host:port, with ;transport=udp, tcp or tls if wanted."
        raise MalformedMessageError(message)
    scheme, user, host, port, params, headers = match.groups()
    return SipUri(
        user=user or "",
        host=host,
        port=int(port) if port else None,
        scheme=scheme,
        params=tuple(_pairs(params.lstrip(";"), ";", lower=True)) if params else (),
        headers=tuple(_pairs(headers[1:], "&", lower=False)) if headers else (),
    )


def address(value: str) -> str:
    """The URI inside a From, To, Contact or Refer-To value, with or without angle brackets and display name."""
    value = _QUOTED.sub("", value)
    opened = value.find("<")
    if opened >= 0:
        return value[opened + 1 :].partition(">")[0].strip()
    return value.partition(";")[0].strip()


def parameters(value: str) -> dict[str, str]:
    """The header parameters of a value (those behind the angle brackets, if there are any), names in lower case."""
    rest = value.rpartition(">")[2] if "<" in value else value
    found: dict[str, str] = {}
    for part in rest.split(";")[1:]:
        name, _, content = part.partition("=")
        found.setdefault(name.strip().lower(), content.strip().strip('"'))
    return found


def split_list(value: str) -> list[str]:
    """Take a comma-separated header value apart, leaving commas in quotes and angle brackets alone."""
    parts: list[str] = []
    start, quoted, depth = 0, False, 0
    for index, char in enumerate(value):
        if char == '"' and value[index - 1 : index] != "\\":
            quoted = not quoted
        elif not quoted and char in "<>":
            depth += 1 if char == "<" else -1
        elif char == "," and not quoted and depth == 0:
            parts.append(value[start:index].strip())
            start = index + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]


class Framer:
    """Takes a TCP or TLS byte stream apart into messages (RFC 3261 section 18.3)."""

    def __init__(self) -> None:
        """Start with nothing received."""
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The complete messages that `data` finishes. Raises MalformedMessageError: the stream is then unusable."""
        self._buffer += data
        found: list[bytes] = []
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                if len(self._buffer) > MAX_MESSAGE:
                    message = "SIP headers of more than 64 KiB are refused."
                    raise MalformedMessageError(message)
                return found
            match = _LENGTH.search(head.replace(b"\r", b""))
            length = content_length(match[1].decode("ascii", "replace") if match else "", 0)
            if len(rest) < length:
                return found
            found.append(head + separator + rest[:length])
            self._buffer = rest[length:]


def _first_line(line: str) -> Message:
    if match := _STATUS.fullmatch(line):
        return Message(status=int(match[1]), reason=match[2] or "")
    if match := _REQUEST.fullmatch(line):
        return Message(method=match[1], uri=match[2])
    message = "The first line is neither a SIP/2.0 request nor a response."
    raise MalformedMessageError(message)


def _pairs(text: str, separator: str, *, lower: bool) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in text.split(separator) if part)
    return [(unquote(name.lower() if lower else name), unquote(value)) for name, _, value in pairs]


def _display(name: str) -> str:
    special = {"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate"}
    return special.get(name) or "-".join(part.capitalize() for part in name.split("-"))
