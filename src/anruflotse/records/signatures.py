"""What the software signs beside the audit trail: reports and copies of records, with the key of the trail (Ed25519).

Three kinds of text are signed with one key, and none can pass as another: heads of the trail begin with
`anruflotse/audit/head/`, what is signed for a domain with `anruflotse/signed/DOMAIN/`, and a JWS (RFC 7515) consists of
letters, digits, `-` and `_` around one dot.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_DOMAIN = re.compile(r"[a-z][a-z0-9-]{0,39}")
_JWS_INPUT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature (64 bytes, RFC 8032), the public key that fits it (32 bytes), and that key's name."""

    signature: bytes = field(repr=False)
    public: bytes = field(repr=False)
    key_id: str


def signed(payload: bytes, domain: str, key: Ed25519PrivateKey) -> Signature:
    """`payload` signed for `domain`, a word such as `report`. Raises `ValueError` for another shape of domain."""
    return _signature(_message(payload, domain), key)


def signed_jws(signing_input: bytes, key: Ed25519PrivateKey) -> Signature:
    """The signature of a JWS (RFC 7515, `EdDSA` of RFC 8037) over its signing input.

    Raises `ValueError` for what is no such input.
    """
    if not _JWS_INPUT.fullmatch(signing_input):
        message = "This is no JWS signing input: protected header and payload in base64url, with a dot between them."
        raise ValueError(message)
    return _signature(signing_input, key)


def verify_signature(payload: bytes, domain: str, signature: bytes, public: bytes) -> bool:
    """Whether the key `public` signed exactly this for this domain; needs no secret and no store.

    Whose key it is, is for the reader to know: compare it with the public key of a filed head of the audit trail.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _message(payload, domain))
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public: bytes) -> str:
    """The name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def _signature(message: bytes, key: Ed25519PrivateKey) -> Signature:
    public = key.public_key().public_bytes_raw()
    return Signature(key.sign(message), public, key_id(public))


def _message(payload: bytes, domain: str) -> bytes:
    if not _DOMAIN.fullmatch(domain):
        message = "A domain is a word of up to 40 of a-z, 0-9 and '-'."
        raise ValueError(message)
    return f"anruflotse/signed/{domain}/".encode() + payload
