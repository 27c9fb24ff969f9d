"""The master key, and the only thing ever done with it: wrapping other keys.

`Master` is the seam: a key service that never hands its key out (HashiCorp Vault transit) fits it as a key file does.
"""

from __future__ import annotations

import secrets
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from anruflotse.records.model import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12


class TamperedError(StoreError):
    """Something stored does not decrypt: it was changed, swapped, or sealed under another key."""


class Master(Protocol):
    """Wraps keys under a key it keeps to itself."""

    @property
    def id(self) -> str:
        """Names the key without revealing it, so that what was wrapped under another one is recognised."""
        ...

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a data key, bound to `context`."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The data key again. Raises `TamperedError` unless key and `context` are the ones it was wrapped with."""
        ...


class LocalMaster:
    """A master key held in this process: AES-256-GCM under a key derived from it by HKDF."""

    def __init__(self, key: bytes) -> None:
        """Use `key`: 32 random bytes."""
        if len(key) != KEY_BYTES:
            message = f"A master key has {KEY_BYTES} bytes, this one has {len(key)}."
            raise ValueError(message)
        self._wrapping = AESGCM(_derived(key, b"wrap"))
        self._hashing = _derived(key, b"fingerprint")
        self._id = _derived(key, b"id")[:8].hex()

    @property
    def id(self) -> str:
        """Sixteen hex digits derived from the key (HKDF)."""
        return self._id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Nonce and ciphertext of `key`, bound to `context` as associated data."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key wrapped with `context`. Raises `TamperedError`."""
        try:
            return self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise tampered() from None

    @property
    def fingerprint_key(self) -> bytes:
        """The key that hashed numbers before the store had one of its own; stores of that time go on with it."""
        return self._hashing

    def __repr__(self) -> str:
        """The key's name, never the key."""
        return f"<LocalMaster {self._id}>"


def tampered() -> TamperedError:
    """The error for a wrapped key that does not open."""
    return TamperedError(
        "A record's key does not open: the key store was changed, or it belongs to another master key."
    )


def _derived(key: bytes, purpose: bytes) -> bytes:
    """A key of its own for every use (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"anruflotse/1/" + purpose).derive(key)
