"""The audio of one call on the wire: RTP (RFC 3550) every 20 ms, telephone events (RFC 4733), SRTP with a key."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from anruflotse.lines.peers.codecs import Codec, at_rate
from anruflotse.lines.peers.heard import Heard
from anruflotse.lines.peers.srtp import Srtp
from anruflotse.pcm import SAMPLE_BYTES, Pcm

KEYS: Final = "0123456789*#ABCD"
TICK: Final = 0.02
TICK_UNITS: Final = 160
KEY_MS: Final = 120
_END_PACKETS: Final = 3
_REST_TICKS: Final = 4
_VOLUME: Final = 10
_EVENT_BYTES: Final = 4
_HEADER: Final = 12
_REBASE_AFTER: Final = 0.5
_EARLY_PACKETS: Final = 100
_PORT_ATTEMPTS: Final = 50
_PACKETS_AT_ONCE: Final = 64
_MAX_PACKET: Final = 2_048
_SO_TIMESTAMPNS: Final = 35
"""Linux's socket option, which Python's `socket` does not name, on the architectures it runs on."""
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet without CSRC and extension."""

    payload_type: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes = field(repr=False)
    marker: bool = False

    def encode(self) -> bytes:
        """The packet on the wire."""
        kind = self.payload_type | (0x80 if self.marker else 0)
        return struct.pack("!BBHII", 0x80, kind, self.sequence, self.timestamp, self.source) + self.payload


def parse(data: bytes) -> Packet | None:
    """Read an RTP packet; None for anything else (RTCP, other versions, lengths that do not add up)."""
    if len(data) < _HEADER or data[0] >> 6 != 2:  # noqa: PLR2004 - the RTP version
        return None
    first, kind, sequence, timestamp, source = struct.unpack_from("!BBHII", data)
    start = _HEADER + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end or 72 <= kind & 0x7F <= 76:  # noqa: PLR2004 - RTCP packet types (RFC 5761)
        return None
    return Packet(kind & 0x7F, sequence, timestamp, source, data[start:end], bool(kind & 0x80))


@dataclass(slots=True)
class _Utterance:
    chunks: deque[bytes] = field(repr=False)
    said: asyncio.Future[bool]


@dataclass(slots=True)
class _KeyPress:
    event: int
    steps: deque[tuple[int, bool] | None]
    pressed: asyncio.Future[bool]
    timestamp: int | None = None


class Stream:
    """One call's audio both ways. Made with `Stream.open`; sends nothing before `start`.

    From `start` on a packet goes out every 20 ms, silence when there is nothing to say, as a telephone does. A loop
    that was blocked for up to 0.5 s catches up; beyond that the time is skipped. `late_ms` is the worst delay seen.
    """

    def __init__(self, clock: Callable[[], float], on_key: Callable[[str], None]) -> None:
        """`clock` gives seconds since dialling; `on_key` is told each key the other side presses."""
        self.heard: Heard | None = None
        self.sent = 0
        self.strangers = 0
        self.late_ms = 0.0
        self._clock = clock
        self._on_key = on_key
        self._socket: socket.socket | None = None
        self._port = 0
        self._control: socket.socket | None = None
        self._remote: tuple[str, int] | None = None
        self._early: list[tuple[float, bytes, tuple[str, int]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(31)
        self._source = secrets.randbits(32)
        self._utterances: deque[_Utterance] = deque()
        self._presses: deque[_KeyPress] = deque()
        self._last_event: int | None = None
        self._event_type: int | None = None
        self._keys: tuple[bytes | None, bytes | None] = (None, None)
        self._seal: Srtp | None = None
        self._unseal: Srtp | None = None
        self._talking = False

    @classmethod
    async def open(cls, host: str, clock: Callable[[], float], on_key: Callable[[str], None]) -> Stream:
        """Bind a free even port on `host`, and the odd one above it so that RTCP meant for us disturbs nobody."""
        stream = cls(clock, on_key)
        stream._socket, stream._control = _bind_pair(host)
        stream._port = stream._socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(stream._socket, stream._readable)
        return stream

    @property
    def port(self) -> int:
        """The port we receive on."""
        return self._port

    def start(
        self,
        remote: tuple[str, int],
        codec: Codec,
        event_type: int | None,
        send_key: bytes | None = None,
        receive_key: bytes | None = None,
    ) -> None:
        """Send to `remote` and receive from there; called again after a re-INVITE, it redirects the running stream."""
        self._remote = remote
        self._event_type = event_type
        if (send_key, receive_key) != self._keys:
            # Kept over a re-INVITE with the same keys: the packet count that SRTP derives from goes on.
            self._keys = (send_key, receive_key)
            self._seal = Srtp(send_key) if send_key else None
            self._unseal = Srtp(receive_key) if receive_key else None
        if self.heard is None or self.heard.codec is not codec:
            self.heard = Heard(codec)
            self._encode = codec.encoder()
            self._chunk = codec.rate // 50 * SAMPLE_BYTES
        if self._timer is None:
            self._due = asyncio.get_running_loop().time()
            self._tick()
        early, self._early = self._early, []
        for at, data, source in early:
            self._take(at, data, source)

    def say(self, audio: Pcm) -> asyncio.Future[bool]:
        """Queue `audio` (8 or 16 kHz) behind what is being said; the future is True once its last frame went out."""
        loop = asyncio.get_running_loop()
        said: asyncio.Future[bool] = loop.create_future()
        if self.heard is None or self._socket is None:
            said.set_result(False)
            return said
        data = at_rate(audio, self.heard.codec.rate).data
        chunks = deque(data[index : index + self._chunk] for index in range(0, len(data), self._chunk))
        if not chunks:
            said.set_result(True)
            return said
        chunks[-1] = chunks[-1].ljust(self._chunk, b"\0")
        self._utterances.append(_Utterance(chunks, said))
        return said

    def stop_saying(self) -> None:
        """Drop what is queued; futures of `say` become False."""
        while self._utterances:
            utterance = self._utterances.popleft()
            if not utterance.said.done():
                utterance.said.set_result(False)

    def press(self, key: str, milliseconds: int = KEY_MS) -> asyncio.Future[bool]:
        """Send `key` as telephone events (RFC 4733) in place of audio; the future is True once it was released."""
        ticks = max(1, round(milliseconds / 20))
        pressed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._socket is None:
            pressed.set_result(False)
            return pressed
        steps: deque[tuple[int, bool] | None] = deque((tick * TICK_UNITS, False) for tick in range(1, ticks + 1))
        # The end is sent three times (section 2.5.1.4), and keys need a rest between them to be told apart.
        steps.extend([(ticks * TICK_UNITS, True)] * _END_PACKETS)
        steps.extend([None] * _REST_TICKS)
        self._presses.append(_KeyPress(KEYS.index(key), steps, pressed))
        return pressed

    @property
    def takes_events(self) -> bool:
        """Whether the other side offered or accepted telephone events."""
        return self._event_type is not None

    def close(self) -> None:
        """Stop sending and free the ports. Safe to call twice."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self.stop_saying()
        while self._presses:
            press = self._presses.popleft()
            if not press.pressed.done():
                press.pressed.set_result(False)
        if self._socket:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._control:
            self._control.close()
            self._control = None

    def _readable(self) -> None:
        """Take what has arrived, each packet with the time at which the kernel got it: however late we come to look."""
        for _ in range(_PACKETS_AT_ONCE):
            if self._socket is None:
                return
            try:
                data, ancillary, _, source = self._socket.recvmsg(_MAX_PACKET, _ANCILLARY_BYTES)
            except OSError:
                # Nothing more, or the news that nobody listens at the other end: a BYE ends the call, not this.
                return
            at = self._clock() - _age(ancillary)
            if self._remote is not None:
                self._take(at, data, source)
            elif len(self._early) < _EARLY_PACKETS:
                # Audio may overtake the answer that says where it comes from.
                self._early.append((at, data, source))

    def _take(self, at: float, data: bytes, source: tuple[str, int]) -> None:
        if source[:2] != self._remote:
            self.strangers += 1
            return
        plain = self._unseal.open(data) if self._unseal else data
        packet = parse(plain) if plain is not None else None
        if packet is None or self.heard is None:
            self.strangers += plain is None
            return
        self.heard.count(packet.source, packet.sequence)
        if packet.payload_type == self._event_type:
            self._key(packet)
        elif packet.payload_type == self.heard.codec.payload_type and packet.payload:
            self.heard.add(at, packet.source, packet.timestamp, packet.payload)

    def _key(self, packet: Packet) -> None:
        new = packet.timestamp != self._last_event
        if len(packet.payload) >= _EVENT_BYTES and packet.payload[0] < len(KEYS) and new:
            self._last_event = packet.timestamp
            self._on_key(KEYS[packet.payload[0]])

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        late = loop.time() - self._due
        self.late_ms = max(self.late_ms, late * 1_000)
        if late > _REBASE_AFTER:
            skipped = int(late / TICK)
            self._due += skipped * TICK
            self._timestamp += skipped * TICK_UNITS
        while self._due <= loop.time():
            self._send_next()
            self._due += TICK
        self._timer = loop.call_at(self._due, self._tick)

    def _send_next(self) -> None:
        self._timestamp = (self._timestamp + TICK_UNITS) & 0xFFFFFFFF
        if self._presses:
            press = self._presses[0]
            step = press.steps.popleft()
            if step:
                self._send_event(press, *step)
            if not press.steps:
                self._presses.popleft()
                if not press.pressed.done():
                    press.pressed.set_result(True)
            if step:
                return
        self._send_audio()

    def _send_event(self, press: _KeyPress, duration: int, end: bool) -> None:  # noqa: FBT001 - a field of the packet
        first = press.timestamp is None
        if press.timestamp is None:
            press.timestamp = self._timestamp
        payload = struct.pack("!BBH", press.event, (0x80 if end else 0) | _VOLUME, duration)
        self._send(self._event_type or 0, payload, press.timestamp, marker=first)
        self._talking = False

    def _send_audio(self) -> None:
        chunk = bytes(self._chunk)
        talking = bool(self._utterances) and not self._presses
        if talking:
            utterance = self._utterances[0]
            chunk = utterance.chunks.popleft()
            if not utterance.chunks:
                self._utterances.popleft()
                if not utterance.said.done():
                    utterance.said.set_result(True)
        if self.heard:
            payload_type = self.heard.codec.payload_type
            self._send(payload_type, self._encode(chunk), self._timestamp, marker=talking and not self._talking)
        self._talking = talking

    def _send(self, payload_type: int, payload: bytes, timestamp: int, *, marker: bool) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        data = Packet(payload_type, self._sequence, timestamp, self._source, payload, marker).encode()
        if self._socket and self._remote:
            # A packet that the network does not take is lost, as packets are.
            with contextlib.suppress(OSError):
                self._socket.sendto(self._seal.protect(data) if self._seal else data, self._remote)
                self.sent += 1


def _age(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Seconds since the kernel got the packet these control messages came with; 0 where it does not say."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            # Never negative, whoever sets the machine's clock in this moment.
            return max(0.0, float(time.time() - seconds - nanoseconds / 1e9))
    return 0.0


def _bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on an even port and the odd one above it. Raises OSError when none can be had."""
    for _ in range(_PORT_ATTEMPTS):
        media, control = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with contextlib.suppress(OSError):
            media.bind((host, 0))
            port = media.getsockname()[1]
            if port % 2 == 0:
                control.bind((host, port + 1))
                # Not every system knows it; then a packet's time is when we looked.
                with contextlib.suppress(OSError):
                    media.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                media.setblocking(False)  # noqa: FBT003 - the standard library's signature
                return media, control
        media.close()
        control.close()
    message = "no free pair of UDP ports for audio"
    raise OSError(message)
