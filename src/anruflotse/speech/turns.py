"""Where a turn begins and ends, given how likely each window of audio is speech. Pure: no model, no clock.

The thresholds are Silero's own (a turn begins at 0.5 and is only over below 0.35), so that a voice that fades at the
end of a sentence is not cut.
"""

from __future__ import annotations

from typing import Final

from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.speech.seams import Turn, TurnEvent

ON: Final = 0.5
OFF: Final = 0.35
PRE_ROLL_MS: Final = 250
POST_ROLL_MS: Final = 250
MIN_SPEECH_MS: Final = 120
MAX_TURN_MS: Final = 30_000
_MAX_GAP_MS: Final = 100
"""Silence within an onset that still counts as one sound: the gap of a stop consonant is shorter."""


class TurnFinder:
    """Cuts a stream of windows into turns; keeps at most 30 s of audio, and between turns only the pre-roll.

    An utterance carries 250 ms of audio before its first speech, because the first consonant is often missed, and at
    most 250 ms after its last: the pause that ended the turn helps no recogniser.
    """

    def __init__(self, rate: int, window_samples: int, pause_ms: int = 700) -> None:
        """Take windows of `window_samples` at `rate` Hz; `pause_ms` of silence end a turn."""
        self._rate = rate
        self._window_bytes = window_samples * SAMPLE_BYTES
        self._window_ms = window_samples * 1_000 / rate
        self._span = (0.0, 0.0)
        self.expect(pause_ms)
        self.reset()

    @property
    def span(self) -> tuple[float, float]:
        """Where the speech of the turn last ended began and ended, in seconds since the last reset, rolls excluded."""
        return self._span

    def expect(self, pause_ms: int) -> None:
        """From the next window on, `pause_ms` of silence end a turn. Raises ValueError unless it is positive."""
        if pause_ms <= 0:
            message = f"The pause that ends a turn is positive, got {pause_ms} ms."
            raise ValueError(message)
        self._pause_ms = pause_ms

    def reset(self) -> None:
        """Forget everything heard so far; what `expect` said stays."""
        self._kept = bytearray()
        self._seen = 0
        self._speaking = False
        self._speech_ms = 0.0
        self._silence_ms = 0.0
        self._onset = 0
        self._speech_end = 0
        self._paused = False

    def take(self, window: bytes, probability: float) -> list[Turn]:
        """Take the next window, which is speech with `probability` (0..1), and say what that means."""
        self._kept += window
        self._seen += len(window)
        if not self._speech_ms and probability < ON:
            self._keep_last(self._bytes(PRE_ROLL_MS))
            return []
        self._count(len(window), probability)
        if not self._speaking:
            return self._onset_turns()
        if self._silence_ms >= self._pause_ms:
            return [self._end(min(self._speech_end + self._bytes(POST_ROLL_MS), len(self._kept)))]
        if not self._paused and self._silence_ms >= POST_ROLL_MS:
            # All the audio the turn would have if it were over: nothing recognised from here on is premature.
            self._paused = True
            return [
                Turn(
                    TurnEvent.PAUSED, Pcm(bytes(self._kept[: self._speech_end + self._bytes(POST_ROLL_MS)]), self._rate)
                )
            ]
        if len(self._kept) >= self._bytes(MAX_TURN_MS):
            return [self._end(self._bytes(MAX_TURN_MS))]
        return []

    def _count(self, size: int, probability: float) -> None:
        if not self._speech_ms:
            self._onset = self._seen - size
        if probability >= ON or (probability >= OFF and not self._silence_ms):
            self._speech_ms += self._window_ms
            self._silence_ms = 0.0
            self._paused = False
            self._speech_end = len(self._kept)
        else:
            self._silence_ms += self._window_ms

    def _onset_turns(self) -> list[Turn]:
        if self._speech_ms >= MIN_SPEECH_MS:
            self._speaking = True
            return [Turn(TurnEvent.SPEECH_STARTED)]
        if self._silence_ms > _MAX_GAP_MS:
            self._quiet(self._bytes(PRE_ROLL_MS))
        return []

    def _end(self, size: int) -> Turn:
        audio = Pcm(bytes(self._kept[:size]), self._rate)
        start_of_kept = self._seen - len(self._kept)
        speech_end = start_of_kept + min(self._speech_end, size)
        self._span = (self._onset / SAMPLE_BYTES / self._rate, speech_end / SAMPLE_BYTES / self._rate)
        # What the utterance already holds must not become the pre-roll of the next one: nobody says it twice.
        self._quiet(min(len(self._kept) - size, self._bytes(PRE_ROLL_MS)))
        return Turn(TurnEvent.SPEECH_ENDED, audio)

    def _quiet(self, keep: int) -> None:
        self._speaking = False
        self._speech_ms = self._silence_ms = 0.0
        self._keep_last(keep)

    def _keep_last(self, size: int) -> None:
        del self._kept[: max(0, len(self._kept) - size)]

    def _bytes(self, milliseconds: int) -> int:
        return milliseconds * self._rate // 1_000 * SAMPLE_BYTES
