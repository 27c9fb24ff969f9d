"""The one shape audio has inside this project: mono 16-bit linear PCM with its rate."""

from __future__ import annotations

from dataclasses import dataclass, field

SAMPLE_BYTES = 2
FRAME_MS = 20


@dataclass(frozen=True, slots=True)
class Pcm:
    """A stretch of audio: `data` is mono s16le, `rate` in Hz (8000 or 16000 on the line).

    The bytes never show in a `repr`: what a caller said must not reach a log by accident.
    """

    data: bytes = field(repr=False)
    rate: int

    def __post_init__(self) -> None:
        """Refuse half a sample and a senseless rate: both are programming errors upstream."""
        if len(self.data) % SAMPLE_BYTES:
            message = f"PCM needs whole 16-bit samples, got {len(self.data)} bytes."
            raise ValueError(message)
        if self.rate <= 0:
            message = f"A sample rate is positive, got {self.rate} Hz."
            raise ValueError(message)

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.data) / SAMPLE_BYTES / self.rate
