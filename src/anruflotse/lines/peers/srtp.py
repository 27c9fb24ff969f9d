"""SRTP with AES_CM_128_HMAC_SHA1_80 and the default key derivation (RFC 3711): one direction of one stream."""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

TAG_BYTES: Final = 10
_KEY_BYTES: Final = 16
_SALT_BYTES: Final = 14
_LABEL_CIPHER, _LABEL_AUTH, _LABEL_SALT = 0, 1, 2
_HEADER: Final = 12
_HALF: Final = 0x8000
_ROUND: Final = 0x10000


def derive(master: bytes, label: int, length: int) -> bytes:
    """The session key for `label` (0 cipher, 1 authentication, 2 salt) from 16 bytes of key and 14 of salt (4.3)."""
    salt = int.from_bytes(master[_KEY_BYTES:], "big") ^ (label << 48)
    return _keystream(master[:_KEY_BYTES], salt << 16, bytes(length))


class Srtp:
    """Protects the packets we send, or opens those we receive; `master` is the 30 bytes of the SDES key."""

    def __init__(self, master: bytes) -> None:
        """Derive the session keys."""
        self._cipher = derive(master, _LABEL_CIPHER, _KEY_BYTES)
        self._auth = derive(master, _LABEL_AUTH, 20)
        self._salt = int.from_bytes(derive(master, _LABEL_SALT, _SALT_BYTES), "big")
        self._rollover = 0
        self._highest: int | None = None

    def protect(self, packet: bytes) -> bytes:
        """Encrypt and sign one RTP packet without CSRC or extension, as ours are."""
        rollover = self._estimate(int.from_bytes(packet[2:4], "big"))
        sealed = packet[:_HEADER] + self._crypt(packet, _HEADER, rollover)
        self._advance(int.from_bytes(packet[2:4], "big"), rollover)
        return sealed + self._tag(sealed, rollover)

    def open(self, packet: bytes) -> bytes | None:
        """The RTP packet inside, or None when it was not made with this key (or was damaged)."""
        if len(packet) < _HEADER + TAG_BYTES:
            return None
        sealed, tag = packet[:-TAG_BYTES], packet[-TAG_BYTES:]
        sequence = int.from_bytes(packet[2:4], "big")
        rollover = self._estimate(sequence)
        if rollover < 0 or not hmac.compare_digest(tag, self._tag(sealed, rollover)):
            return None
        start = _HEADER + 4 * (packet[0] & 0x0F)
        if packet[0] & 0x10:
            start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
        if start > len(sealed):
            return None
        self._advance(sequence, rollover)
        return sealed[:start] + self._crypt(sealed, start, rollover)

    def _crypt(self, packet: bytes, start: int, rollover: int) -> bytes:
        index = (rollover << 16) | int.from_bytes(packet[2:4], "big")
        source = int.from_bytes(packet[8:12], "big")
        return _keystream(self._cipher, (self._salt << 16) ^ (source << 64) ^ (index << 16), packet[start:])

    def _tag(self, sealed: bytes, rollover: int) -> bytes:
        return hmac.digest(self._auth, sealed + rollover.to_bytes(4, "big"), "sha1")[:TAG_BYTES]

    def _estimate(self, sequence: int) -> int:
        """The rollover counter the sequence number belongs to (section 3.3.1)."""
        if self._highest is None:
            return self._rollover
        if sequence - self._highest > _HALF:
            return self._rollover - 1
        if self._highest - sequence > _HALF:
            return self._rollover + 1
        return self._rollover

    def _advance(self, sequence: int, rollover: int) -> None:
        if self._highest is None or rollover * _ROUND + sequence > self._rollover * _ROUND + self._highest:
            self._rollover, self._highest = rollover, sequence


def _keystream(key: bytes, counter: int, data: bytes) -> bytes:
    return Cipher(AES(key), CTR(counter.to_bytes(16, "big"))).encryptor().update(data)
