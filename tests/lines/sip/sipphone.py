"""A telephone for tests, written against the RFCs and not against our stack: SIP over UDP, RTP with G.711.

It answers what it must and leaves the rest to the test: a REFER waits in `refers` until the test accepts or refuses
it and says with NOTIFYs what became of it.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import struct
from dataclasses import dataclass, field
from typing import Self

import numpy as np

_count = itertools.count(1)
PAYLOAD = {"PCMU": 0, "PCMA": 8}
EVENT_PAYLOAD = 101
KEYS = "0123456789*#"


def _alaw_table() -> np.ndarray:
    table = []
    for code in range(256):
        value = code ^ 0x55
        segment, mantissa = (value & 0x70) >> 4, value & 0x0F
        size = (mantissa << 4) + 8 if segment == 0 else ((mantissa << 4) + 0x108) << (segment - 1)
        table.append(size if value & 0x80 else -size)
    return np.array(table, dtype=np.int32)


def _ulaw_table() -> np.ndarray:
    table = []
    for code in range(256):
        value = ~code & 0xFF
        size = (((value & 0x0F) << 3) + 0x84 << ((value & 0x70) >> 4)) - 0x84
        table.append(-size if value & 0x80 else size)
    return np.array(table, dtype=np.int32)


TABLES = {"PCMA": _alaw_table(), "PCMU": _ulaw_table()}


def tone(hertz: float, seconds: float, rate: int = 8000) -> np.ndarray:
    """A sine as int16."""
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def pitch(samples: np.ndarray, rate: int = 8000) -> float:
    """The loudest frequency in Hz; 0 for silence."""
    if len(samples) < rate // 10 or np.abs(samples).max() < 500:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def encode(samples: np.ndarray, codec: str) -> bytes:
    """G.711, by looking for the nearest value."""
    table = TABLES[codec]
    order = np.argsort(table, kind="stable")
    at = np.clip(np.searchsorted(table[order], samples), 1, 255)
    lower, upper = table[order][at - 1], table[order][at]
    return order[np.where(samples - lower < upper - samples, at - 1, at)].astype(np.uint8).tobytes()


def header(message: str, name: str) -> str:
    """The first header `name` of a message, or an empty text."""
    found = re.search(rf"^{name}\s*:\s*(.*?)\s*$", message, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""


@dataclass
class Phone(asyncio.DatagramProtocol):
    """One call to `port` of this machine. `async with Phone(port) as phone: await phone.call()`."""

    port: int
    codec: str = "PCMA"
    headers: tuple[str, ...] = ()
    numbered: bool = True
    from_uri: str = "sip:+4930123456@127.0.0.1"
    replies: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    refers: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    surprises: list[str] = field(default_factory=list)
    heard: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    acked_at: float = 0.0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.loop = loop
        self.sip, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        phone = self

        class Rtp(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                del addr
                if len(data) > 12:
                    kind, sequence = data[1] & 0x7F, struct.unpack_from("!H", data, 2)[0]
                    phone.heard.append((loop.time(), kind, sequence, data[12:]))

        self.rtp, _ = await loop.create_datagram_endpoint(Rtp, local_addr=("127.0.0.1", 0))
        self.own = self.sip.get_extra_info("sockname")[1]
        self.call_id = f"t{next(_count)}-{secrets.token_hex(6)}"
        self.tag, self.their_tag = secrets.token_hex(4), ""
        self.cseq = itertools.count(1)
        self.sequence, self.stamp = itertools.count(1), itertools.count(0, 160)
        self.remote_rtp = 0
        self.event = ""
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self.their_tag and not self.ended.is_set():
            await self.hang_up()
        self.sip.close()
        self.rtp.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        del addr
        message = data.decode("utf-8", "replace")
        method = message.split(" ", 1)[0]
        if method == "SIP/2.0":
            self.replies.put_nowait(message)
        elif method == "REFER":
            self.refers.put_nowait(message)
        elif method == "BYE":
            self.reply(message, "200 OK")
            self.ended.set()
        elif method == "SUBSCRIBE":  # ends the subscription of a transfer it no longer waits for
            self.reply(message, "200 OK")
        elif method != "ACK":
            self.surprises.append(message)

    def request(self, method: str, body: str = "", extra: tuple[str, ...] = (), cseq: int | None = None) -> str:
        to = f"<sip:bot@127.0.0.1:{self.port}>" + (f";tag={self.their_tag}" if self.their_tag else "")
        lines = [
            f"{method} sip:bot@127.0.0.1:{self.port} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.own};branch=z9hG4bK{secrets.token_hex(8)};rport",
            f'From: "Anna" <{self.from_uri}>;tag={self.tag}',
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {next(self.cseq) if cseq is None else cseq} {method}",
            f"Contact: <sip:anna@127.0.0.1:{self.own}>",
            "Max-Forwards: 70",
            *extra,
            f"Content-Length: {len(body)}",
        ]
        message = "\r\n".join(lines) + "\r\n\r\n" + body
        self.sip.sendto(message.encode(), ("127.0.0.1", self.port))
        return message

    def reply(self, message: str, status: str) -> None:
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = [f"SIP/2.0 {status}", *(f"{name}: {header(message, name)}" for name in names)]
        lines += [f"Contact: <sip:anna@127.0.0.1:{self.own}>", "Content-Length: 0", "", ""]
        self.sip.sendto("\r\n".join(lines).encode(), ("127.0.0.1", self.port))

    async def final(self, method: str) -> str:
        """The final answer to our last `method`."""
        while True:
            message = await asyncio.wait_for(self.replies.get(), 5)
            if header(message, "CSeq").endswith(method) and not message.startswith("SIP/2.0 1"):
                return message

    async def call(self) -> int:
        """Dial; acknowledge; return the status."""
        kind = PAYLOAD[self.codec]
        body = "\r\n".join([
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
            f"m=audio {self.rtp.get_extra_info('sockname')[1]} RTP/AVP {kind} {EVENT_PAYLOAD}",
            f"a=rtpmap:{kind} {self.codec}/8000", f"a=rtpmap:{EVENT_PAYLOAD} telephone-event/8000",
            f"a=fmtp:{EVENT_PAYLOAD} 0-15", "a=ptime:20", "a=sendrecv", "",
        ])  # fmt: skip
        self.request("INVITE", body, (*self.headers, "Content-Type: application/sdp"), cseq=1)
        next(self.cseq)
        answer = await self.final("INVITE")
        self.their_tag = header(answer, "To").partition(";tag=")[2] if " 200 " in answer[:14] else ""
        if self.their_tag:
            self.remote_rtp = int(re.search(r"^m=audio (\d+) ", answer, re.MULTILINE)[1])  # type: ignore[index]
            self.request("ACK", cseq=1)
            self.acked_at = self.loop.time()
        return int(answer.split(" ")[1])

    async def hang_up(self) -> None:
        self.request("BYE")
        self.ended.set()
        await self.final("BYE")

    def accept(self, refer: str) -> None:
        # RFC 3515 2.4.6: from the second REFER in a dialog on, its NOTIFYs carry its CSeq as id.
        self.event = "refer" if not self.event or not self.numbered else f"refer;id={header(refer, 'CSeq').split()[0]}"
        self.reply(refer, "202 Accepted")

    async def notify(self, sipfrag: str, *, last: bool) -> None:
        state = "terminated;reason=noresource" if last else "active;expires=60"
        extra = (f"Event: {self.event}", f"Subscription-State: {state}", "Content-Type: message/sipfrag;version=2.0")
        self.request("NOTIFY", f"SIP/2.0 {sipfrag}\r\n", extra)
        await self.final("NOTIFY")

    async def info_key(self, key: str) -> None:
        self.request("INFO", f"Signal={key}\r\nDuration=160\r\n", ("Content-Type: application/dtmf-relay",))
        await self.final("INFO")

    def _rtp(self, kind: int, payload: bytes, stamp: int, *, marker: bool = False) -> None:
        packet = struct.pack("!BBHII", 0x80, kind | marker << 7, next(self.sequence) & 0xFFFF, stamp, 0x1234) + payload
        self.rtp.sendto(packet, ("127.0.0.1", self.remote_rtp))

    async def say(self, samples: np.ndarray) -> None:
        """Send audio in real time."""
        data = encode(samples, self.codec)
        due = self.loop.time()
        for at in range(0, len(data), 160):
            self._rtp(PAYLOAD[self.codec], data[at : at + 160], next(self.stamp))
            due += 0.02
            await asyncio.sleep(max(0.0, due - self.loop.time()))

    async def event_key(self, key: str, packets: int = 4) -> None:
        """RFC 4733: the growing event, then its end three times."""
        stamp = next(self.stamp)
        for number in range(packets + 3):
            end = number >= packets
            duration = 160 * (min(number, packets) + 1)
            event = struct.pack("!BBH", KEYS.index(key), 0x80 * end | 10, duration)
            self._rtp(EVENT_PAYLOAD, event, stamp, marker=number == 0)
            await asyncio.sleep(0.02)

    def audio(self, since: int = 0) -> np.ndarray:
        """Everything heard from packet `since` on, decoded."""
        kind = PAYLOAD[self.codec]
        data = b"".join(payload for _, got, _, payload in self.heard[since:] if got == kind)
        return TABLES[self.codec][np.frombuffer(data, np.uint8)].astype(np.int16)
