"""What is signed of the audit trail, and how a signed head looks when it is filed elsewhere.

A head says how far the trail had come: the number and the hash of its last entry, which through the chain stands for
all entries before. Signed with Ed25519 (RFC 8032) over a canonical form, so that whoever has the public key can check
it without any secret of ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LATEST = "latest"
"""The `day` of the head that moves forward with every entry."""
NEXT = "next"
"""The `day` of the entry announced last: written before the entry itself, so that none can be added without the key."""
DAYS = "days"
"""The `day` of the row over all daily heads: `seq` is their number, `hash` covers them all, so that none can go."""
SPECIAL = (LATEST, NEXT, DAYS)

_VERSION = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_LIMIT = 2**63
_SIGNATURE_BYTES = 64
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Head:
    """Where the trail had come to. `at` in microseconds; `day` an ISO date (UTC) or one of `SPECIAL`."""

    day: str
    seq: int
    hash: str
    at: int
    signature: bytes = field(default=b"", repr=False)

    def message(self) -> bytes:
        """What is signed: JSON, keys sorted, no blanks, ASCII."""
        told = {"v": _VERSION, "day": self.day, "seq": self.seq, "hash": self.hash, "at": self.at}
        return b"anruflotse/audit/head/" + json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    def signed(self, key: Ed25519PrivateKey) -> Head:
        """The same head with its signature."""
        return Head(self.day, self.seq, self.hash, self.at, key.sign(self.message()))

    def fits(self, key: Ed25519PublicKey) -> bool:
        """Whether `key` signed exactly this."""
        try:
            key.verify(self.signature, self.message())
        except InvalidSignature:
            return False
        return True


def over_days(heads: Iterable[tuple[str, bytes]]) -> str:
    """What the row `DAYS` has as its hash: SHA-256 over days and signatures of all daily heads, by day."""
    told = hashlib.sha256()
    for day, signature in sorted(heads):
        # What is stored may be no text at all when somebody changed it.
        told.update(f"{day}:{signature.hex()}\n".encode("utf-8", "surrogateescape"))
    return told.hexdigest()


def raw(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes_raw()


def filed(head: Head, key: Ed25519PublicKey) -> dict[str, object]:
    """A head as it is filed elsewhere: plain JSON values, signature and public key in hex."""
    return {
        "version": _VERSION,
        "day": head.day,
        "seq": head.seq,
        "hash": head.hash,
        "at": head.at,
        "signature": head.signature.hex(),
        "public_key": raw(key).hex(),
    }


def unfiled(told: Mapping[str, object]) -> tuple[Head, Ed25519PublicKey]:
    """A filed head and the key it was filed with, once its signature has been checked.

    Raises `ValueError` when it is no head, or was changed since it was signed.
    """
    day, seq, digest, at = (told.get(name) for name in ("day", "seq", "hash", "at"))
    signature, public = (_bytes(told.get(name)) for name in ("signature", "public_key"))
    if (
        told.get("version") != _VERSION
        or not isinstance(day, str)
        or not _natural(seq)
        or not isinstance(digest, str)
        or not _HASH.fullmatch(digest)
        or not _natural(at)
        or len(signature) != _SIGNATURE_BYTES
        or len(public) != _KEY_BYTES
    ):
        message = "This is no head of an audit trail: give what `anruflotse audit head --json` printed."
        raise ValueError(message)
    head = Head(day, seq, digest, at, signature)
    key = Ed25519PublicKey.from_public_bytes(public)
    if not head.fits(key) or day == DAYS:
        message = "The filed head was changed since it was signed: its signature does not fit."
        raise ValueError(message)
    return head, key


def _natural(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LIMIT


def _bytes(value: object) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""
