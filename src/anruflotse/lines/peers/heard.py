"""What a caller has heard: every received frame with the time it arrived, and when the other side spoke.

No clock and no socket in here: frames come in with their time of arrival, questions with the present time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from anruflotse.lines.peers.codecs import RTP_CLOCK, Codec, Transcoder
from anruflotse.pcm import SAMPLE_BYTES, Pcm

SPEECH_DBFS: Final = -45.0
"""A frame louder than this is speech or a tone; line noise and the silence between prompts stay far below."""
_BRIDGE: Final = 0.1
_SHORTEST: Final = 0.1
_JUMP: Final = 5 * RTP_CLOCK
_WRAP: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet's audio: arrival in seconds, place on the stream's own timeline in seconds, level in dBFS."""

    at: float
    position: float
    level: float
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of uninterrupted speech or tone, by time of arrival in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


class Heard:
    """The audio received on one call. Times are seconds since dialling.

    Frames are decoded only when somebody asks, so that a hundred calls whose audio nobody looks at stay cheap.
    """

    def __init__(self, codec: Codec) -> None:
        """Decode with `codec` and start empty."""
        self.codec = codec
        self.packets = 0
        self.lost = 0
        self._decode: Transcoder = codec.decoder()
        self._pending: list[tuple[float, float, bytes]] = []
        self._frames: list[Frame] = []
        self._runs: list[Stretch] = []
        self._arrivals: list[float] = []
        self._source: int | None = None
        self._counted: int | None = None
        self._last_timestamp = 0
        self._last_sequence = 0
        self._position = 0

    def count(self, source: int, sequence: int) -> None:
        """Count the packet (audio or key) with this sequence number, and what is missing before it.

        Reordered packets count as lost first and are taken back when they come.
        """
        ahead = (sequence - self._last_sequence) & 0xFFFF
        if source != self._counted:
            self._counted, self._last_sequence = source, sequence
        elif ahead < 0x8000:  # noqa: PLR2004 - half the sequence space
            self.lost += ahead - 1
            self._last_sequence = sequence
        else:
            self.lost -= 1

    def add(self, at: float, source: int, timestamp: int, payload: bytes) -> None:
        """Take one RTP packet's payload that arrived `at`; a new source or a jump over 5 s goes on behind the last."""
        step = (timestamp - self._last_timestamp + _WRAP // 2) % _WRAP - _WRAP // 2
        if self._source is None:
            step = 0
        elif source != self._source or abs(step) > _JUMP:
            step = max(RTP_CLOCK // 50, round((at - self._arrivals[-1]) * RTP_CLOCK))
        position = self._position + step
        if step >= 0 or self._source != source:
            self._position, self._last_timestamp = position, timestamp
        self._source = source
        self.packets += 1
        self._arrivals.append(at)
        self._pending.append((at, max(0, position) / RTP_CLOCK, payload))

    @property
    def frames(self) -> list[Frame]:
        """Every frame so far, in order of arrival."""
        self._catch_up()
        return self._frames

    @property
    def seconds(self) -> float:
        """Audio received, in seconds, silence included."""
        return sum(len(frame.data) for frame in self.frames) / SAMPLE_BYTES / self.codec.rate

    @property
    def spoken_seconds(self) -> float:
        """Of these, seconds in which there was speech or a tone."""
        return sum(frame.level > SPEECH_DBFS for frame in self.frames) * 0.02

    @property
    def audio(self) -> Pcm:
        """Everything heard, each frame at its place on the stream's timeline; missing frames are silence."""
        frames = self.frames
        if not frames:
            return Pcm(b"", self.codec.rate)
        ends = [round(frame.position * self.codec.rate) * SAMPLE_BYTES + len(frame.data) for frame in frames]
        data = bytearray(max(ends))
        for frame, end in zip(frames, ends, strict=True):
            data[end - len(frame.data) : end] = frame.data
        return Pcm(bytes(data), self.codec.rate)

    @property
    def first_packet_at(self) -> float | None:
        """When the first audio packet arrived."""
        return self._arrivals[0] if self._arrivals else None

    def gaps_ms(self) -> list[float]:
        """The time between one packet's arrival and the next, in ms."""
        return [(later - earlier) * 1_000 for earlier, later in zip(self._arrivals, self._arrivals[1:], strict=False)]

    def stretches(self, pause: float = 0.6) -> list[Stretch]:
        """Where the other side spoke: stretches that pauses of `pause` seconds or more set apart, clicks left out."""
        self._catch_up()
        return [stretch for stretch in _merge(self._runs, pause) if stretch.seconds >= _SHORTEST]

    def silent_since(self, now: float) -> float:
        """Seconds since the last loud frame, counted from dialling when there was none."""
        self._catch_up()
        return now - (self._runs[-1].end if self._runs else 0.0)

    def finished_after(self, mark: float, now: float, pause: float = 0.6) -> Stretch | None:
        """The first stretch that ended after `mark` and has been over for `pause` seconds; None while there is none."""
        for stretch in self.stretches(pause):
            if stretch.end > mark and now - stretch.end >= pause:
                return stretch
        return None

    def _catch_up(self) -> None:
        pending, self._pending = self._pending, []
        for at, position, payload in pending:
            data = self._decode(payload)
            level = level_dbfs(data)
            self._frames.append(Frame(at, position, level, data))
            if level <= SPEECH_DBFS:
                continue
            end = at + len(data) / SAMPLE_BYTES / self.codec.rate
            if self._runs and at - self._runs[-1].end <= _BRIDGE:
                self._runs[-1] = Stretch(self._runs[-1].start, end)
            else:
                self._runs.append(Stretch(at, end))


def level_dbfs(data: bytes) -> float:
    """The RMS level of s16le samples in dB relative to full scale; minus infinity for digital silence."""
    samples = np.frombuffer(data, "<i2").astype(np.float32)
    power = float(np.dot(samples, samples)) / max(1, samples.size) / 32_768**2
    return 10 * math.log10(power) if power > 0 else -math.inf


def _merge(runs: list[Stretch], pause: float) -> Iterator[Stretch]:
    current: Stretch | None = None
    for run in runs:
        if current and run.start - current.end < pause:
            current = Stretch(current.start, run.end)
        else:
            if current:
                yield current
            current = run
    if current:
        yield current
