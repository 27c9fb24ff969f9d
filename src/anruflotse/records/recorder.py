"""Holds what one caller says, in memory only, until the call has decided what becomes of it.

The audio lies in anonymous memory of its own (not on Python's heap), so that it can be overwritten for certain, is left
out of core dumps and forked children and, where the system allows, is never swapped out. Nothing here touches a file.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from enum import StrEnum

from anruflotse.pcm import SAMPLE_BYTES, Pcm

LIMIT_SECONDS = 95.0
"""Three utterances of at most 30 s (an answer and two re-asks) and a margin for pre-roll."""

_MAX_RATE = 48_000
_MLOCK_ONFAULT = 1


class RecorderStateError(RuntimeError):
    """The recorder was asked for something its state forbids: a programming error in the call."""


class RecorderState(StrEnum):
    """Where a recorder is in its life; `DROPPED` and `TAKEN` are final."""

    IDLE = "idle"
    RECORDING = "recording"
    STOPPED = "stopped"
    TAKEN = "taken"
    DROPPED = "dropped"


class Recorder:
    """One call's recording: `start`, `append`, `stop` (again for the next utterance), then `take` or `drop`.

    Utterances follow each other without a gap. Not thread-safe: it belongs to the call's own task.
    """

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        """Hold at most `limit_seconds` of audio; what exceeds them is not kept and `truncated` says so."""
        if limit_seconds <= 0:
            message = f"A recorder needs room for some audio, got a limit of {limit_seconds} s."
            raise ValueError(message)
        self._limit_seconds = limit_seconds
        self._memory: _Memory | None = None
        self._length = 0
        self._rate = 0
        self._state = RecorderState.IDLE
        self._refused = 0
        self._truncated = False

    @property
    def state(self) -> RecorderState:
        """Where this recorder is in its life."""
        return self._state

    @property
    def seconds(self) -> float:
        """Seconds of audio held now; 0.0 after `take` and `drop`."""
        return self._length / SAMPLE_BYTES / self._rate if self._rate else 0.0

    @property
    def refused(self) -> int:
        """How many chunks came while nothing was being recorded; none of them was kept."""
        return self._refused

    @property
    def truncated(self) -> bool:
        """Whether the limit was reached and audio beyond it was not kept."""
        return self._truncated

    def start(self, rate: int) -> None:
        """Record from now on, at `rate` Hz; after `stop` this continues the same recording with the next utterance.

        Raises `RecorderStateError` while recording, after `take` or `drop`, and when the rate changes.
        """
        if self._state not in {RecorderState.IDLE, RecorderState.STOPPED}:
            message = f"A recorder that is {self._state} cannot start."
            raise RecorderStateError(message)
        if not 0 < rate <= _MAX_RATE:
            message = f"A recorder takes 1 to {_MAX_RATE} Hz, got {rate} Hz."
            raise ValueError(message)
        if self._rate not in {0, rate}:
            message = f"This recording is at {self._rate} Hz, it cannot continue at {rate} Hz."
            raise RecorderStateError(message)
        if self._memory is None:
            self._memory = _Memory(int(self._limit_seconds * rate) * SAMPLE_BYTES)
        self._rate = rate
        self._state = RecorderState.RECORDING

    def append(self, chunk: bytes) -> bool:
        """Keep `chunk` (mono s16le) and return True; return False and keep nothing while not recording.

        Raises `ValueError` for half a sample. A chunk that does not fit is kept up to the limit.
        """
        if self._state is not RecorderState.RECORDING or self._memory is None:
            self._refused += 1
            return False
        if len(chunk) % SAMPLE_BYTES:
            message = f"A recorder needs whole 16-bit samples, got {len(chunk)} bytes."
            raise ValueError(message)
        fits = min(len(chunk), self._memory.size - self._length)
        if fits < len(chunk):
            self._truncated = True
        self._memory.write(self._length, chunk[:fits])
        self._length += fits
        return True

    def stop(self) -> bool:
        """Record no more; True acknowledges that nothing is being recorded. Safe in every state."""
        if self._state in {RecorderState.IDLE, RecorderState.RECORDING}:
            self._state = RecorderState.STOPPED
        return True

    def take(self) -> Pcm:
        """Hand the recording over, once, and overwrite the memory it was held in.

        Raises `RecorderStateError` unless stopped with audio. The `Pcm` is ordinary memory: seal it and let it go.
        """
        if self._state is not RecorderState.STOPPED:
            message = f"Only a stopped recorder hands its recording over; this one is {self._state}."
            raise RecorderStateError(message)
        if self._memory is None or not self._length:
            message = "This recorder holds no audio to hand over."
            raise RecorderStateError(message)
        audio = Pcm(self._memory.read(self._length), self._rate)
        self._release()
        self._state = RecorderState.TAKEN
        return audio

    def drop(self) -> None:
        """Overwrite what is held with zeros and give the memory back, for good. Safe in every state, and again."""
        self._release()
        if self._state is not RecorderState.TAKEN:
            self._state = RecorderState.DROPPED

    def _release(self) -> None:
        if self._memory is not None:
            self._memory.wipe(self._length)
            self._memory.close()
            self._memory = None
        self._length = 0

    def __repr__(self) -> str:
        """State and duration, never a sample."""
        return f"<Recorder {self._state} {self.seconds:.2f} s>"

    def __del__(self) -> None:
        """A recorder that was forgotten leaves nothing behind either."""
        with contextlib.suppress(AttributeError, ValueError):
            self._release()


class _Memory:
    """Anonymous memory of a fixed size, overwritten before it is given back. Pages cost nothing until written."""

    def __init__(self, size: int) -> None:
        self.size = max(size, SAMPLE_BYTES)
        # Private, so that a forked child could at most hold a copy, and MADV_DONTFORK takes even that away.
        self._map = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for advice in ("MADV_DONTDUMP", "MADV_DONTFORK"):
            if hasattr(mmap, advice):
                with contextlib.suppress(OSError):
                    self._map.madvise(getattr(mmap, advice))
        _keep_out_of_swap(self._map)

    def write(self, at: int, data: bytes) -> None:
        self._map[at : at + len(data)] = data

    def read(self, length: int) -> bytes:
        return self._map[:length]

    def wipe(self, length: int) -> None:
        self._map[:length] = bytes(length)

    def close(self) -> None:
        self._map.close()


def _keep_out_of_swap(memory: mmap.mmap) -> None:
    """Ask the kernel not to swap these pages out (mlock2(2), only as they are touched).

    An unprivileged process may lock only little (RLIMIT_MEMLOCK), other systems lack the call: then nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        address = ctypes.c_char.from_buffer(memory)
        start, size = ctypes.c_void_p(ctypes.addressof(address)), ctypes.c_size_t(len(memory))
        ctypes.CDLL(None).mlock2(start, size, _MLOCK_ONFAULT)
        # The ctypes view would forbid closing the map.
        del address
