"""What a call agrees on about its audio: offer, answer, and the stream that follows from them (RFC 3264)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from anruflotse.lines.peers import sdp
from anruflotse.lines.peers.call_state import NotAnsweredError
from anruflotse.lines.peers.codecs import CODECS, Codec
from anruflotse.lines.peers.message import MalformedMessageError
from anruflotse.lines.peers.rtp import Stream


class Media:
    """One call's audio stream and the codec and keys agreed for it."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        self.codec: Codec | None = None
        self._codecs: Sequence[Codec] = CODECS
        self._stream: Stream | None = None
        self._host = ""
        self._key: bytes | None = None
        self._session = secrets.randbits(31)

    async def open(
        self, host: str, codecs: Sequence[Codec], clock: Callable[[], float], on_key: Callable[[str], None]
    ) -> None:
        """Bind the ports on `host` and offer or accept `codecs`, in that order."""
        self._stream = await Stream.open(host, clock, on_key)
        self._host = host
        self._codecs = codecs

    @property
    def stream(self) -> Stream:
        """The stream. Raises NotAnsweredError when there is none yet."""
        if self._stream is None:
            message = "The call has no audio yet."
            raise NotAnsweredError(message)
        return self._stream

    def offer(self, *, secure: bool) -> bytes:
        """Our offer; `secure` asks for SRTP and nothing less."""
        self._key = secrets.token_bytes(sdp.KEY_BYTES) if secure else None
        return self._describe(self._codecs)

    def reoffer(self) -> bytes:
        """An offer of what is in use, for a re-INVITE that came without one."""
        return self._describe([self.codec] if self.codec else self._codecs)

    def answered(self, body: bytes) -> bool:
        """Start (or redirect) the stream as the answer to our offer says; False when it is none we can use."""
        try:
            theirs = sdp.read(body)
        except MalformedMessageError:
            return False
        codec = next((codec for codec in theirs.codecs if codec in self._codecs), None)
        if codec is None or theirs.secure != (self._key is not None) or not theirs.port:
            return False
        self.codec = codec
        self.stream.start((theirs.host, theirs.port), codec, theirs.event_type, self._key, theirs.key)
        return True

    def answer(self, body: bytes) -> bytes | None:
        """Start (or redirect) the stream as the offer in `body` says; our answer, None with nothing in common."""
        try:
            offer = sdp.read(body)
        except MalformedMessageError:
            return None
        codec = self.codec if self.codec in offer.codecs else sdp.choose(offer, self._codecs)
        if codec is None:
            return None
        if not offer.secure:
            self._key = None
        elif self._key is None:
            self._key = secrets.token_bytes(sdp.KEY_BYTES)
        self.codec = codec
        self.stream.start((offer.host, offer.port), codec, offer.event_type, self._key, offer.key)
        return self._describe([codec], offer.event_type, offer.key_tag)

    def close(self) -> None:
        """Stop the stream and free its ports; what was heard stays readable. Safe to call twice."""
        if self._stream:
            self._stream.close()

    def _describe(self, codecs: Sequence[Codec], event_type: int | None = sdp.EVENT_TYPE, key_tag: str = "1") -> bytes:
        return sdp.describe(self._host, self.stream.port, codecs, self._session, event_type, self._key, key_tag)
