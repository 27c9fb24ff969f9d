"""Envelope encryption: every record has a data key of its own, and only the wrapped form of that key is ever stored.

Destroying the wrapped key destroys the record, in every copy of the rows. What is sealed is bound to the record and
field it belongs to, and the wrapped key to the expiry and to what restricts it: nothing can be swapped, no expiry put
off and no restriction lifted by editing a database.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import replace
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from anruflotse.records.model import StoreError
from anruflotse.records.restriction import Restriction
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.vault.keyring import Keyring, UnknownMasterError, Wrapped
from anruflotse.records.vault.master import KEY_BYTES, NONCE_BYTES, TamperedError
from anruflotse.records.vault.numbers import normalised, telephone
from anruflotse.records.vault.secrets import AUDIT, FINGERPRINT, OBJECTION, Secrets

FORMAT = 1
"""The version of what is stored, part of everything that is sealed."""


class DataKey:
    """The key of one record, in memory for as long as it is written or read."""

    def __init__(self, record_id: str, key: bytes) -> None:
        """Use `key` (32 bytes) for the record `record_id`."""
        self._record_id = record_id
        self._key = key
        self._cipher = AESGCM(key)

    def seal(self, field: str, plain: bytes) -> bytes:
        """Nonce and AES-256-GCM ciphertext of `plain`, bound to record, field and format."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, self._context(field))

    def open(self, field: str, sealed: bytes) -> bytes:
        """What was sealed for this field of this record. Raises `TamperedError`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._context(field))
        except (InvalidTag, ValueError):
            message = "A record does not open: its stored content was changed or belongs to another record."
            raise TamperedError(message) from None

    def tag(self, field: str, name: str) -> str:
        """A name under which something is found again that does not tell the name: HMAC-SHA256 in hex."""
        return hmac.new(self._key, self._context(field) + b"/" + name.encode(), hashlib.sha256).hexdigest()

    def wrapped(self, ring: Keyring, context: bytes) -> Wrapped:
        """The key itself, wrapped with the current master key of `ring`."""
        return ring.wrap(self._key, context)

    def _context(self, field: str) -> bytes:
        return f"anruflotse/{FORMAT}/content/{self._record_id}/{field}".encode()

    def __repr__(self) -> str:
        """The record it belongs to, never the key."""
        return f"<DataKey of {self._record_id}>"


class StoredKeys(Protocol):
    """What a vault wants to know of the key store."""

    def one(self, record_id: str) -> StoredKey | None:
        """The key of a record as it is stored now, expired or not."""
        ...

    def retired(self) -> set[str]:
        """The master keys that have been retired."""
        ...


class Vault:
    """Makes and opens data keys under the master keys of a ring."""

    def __init__(self, ring: Keyring, secrets_: Secrets, stored: StoredKeys) -> None:
        """Wrap with the current master key of `ring`; numbers are hashed with a key of `secrets_`."""
        self.ring = ring
        self.secrets = secrets_
        self._stored = stored

    def check(self) -> None:
        """Make certain that something could be wrapped and stored now. Raises `StoreError`."""
        # In this order: a rotation brings the new master key before it retires the old one.
        retired = self._stored.retired()
        if self.ring.check() in retired:
            message = (
                "The current master key was taken out of use by an earlier rotation: put back the one that came after "
                "it, or run `anruflotse keys rotate`."
            )
            raise StoreError(message)

    def new_key(self, record_id: str, expires_at: int) -> tuple[DataKey, StoredKey]:
        """A fresh data key, and what is stored of it; that opens only with the same id and expiry (microseconds)."""
        key = secrets.token_bytes(KEY_BYTES)
        wrapped = self.ring.wrap(key, _key_context(record_id, expires_at, None))
        return DataKey(record_id, key), StoredKey(record_id, wrapped.data, wrapped.master, expires_at)

    def open_key(self, stored: StoredKey) -> DataKey:
        """The data key of a record. Raises `TamperedError` unless id, expiry and restriction are those it had."""
        try:
            return DataKey(stored.id, self._unwrapped(stored))
        except UnknownMasterError:
            # A rotation may have wrapped it anew, and given the old master key up, since `stored` was read.
            now = self._stored.one(stored.id)
            if now is None or now.wrapped == stored.wrapped:
                raise
            if (now.expires_at, now.restriction) != (stored.expires_at, stored.restriction):
                message = "The record was being changed by somebody else at the same time: try again."
                raise StoreError(message) from None
            return DataKey(now.id, self._unwrapped(now))

    def bound(self, stored: StoredKey, restriction: Restriction | None) -> bytes:
        """The wrapped key of `stored` as it has to be stored with another restriction. Raises `TamperedError`."""
        key = self._unwrapped(stored)
        return self.ring.find(stored.master).wrap(key, _key_context(stored.id, stored.expires_at, restriction))

    def put_off(self, stored: StoredKey, expires_at: int) -> StoredKey:
        """`stored` as it has to be stored with another expiry (microseconds). Raises `TamperedError`."""
        context = _key_context(stored.id, expires_at, stored.restriction)
        wrapped = self.ring.find(stored.master).wrap(self._unwrapped(stored), context)
        return replace(stored, wrapped=wrapped, expires_at=expires_at)

    def again(self, key: DataKey, fresh: StoredKey) -> StoredKey:
        """What is stored of a fresh `key` whose master key was retired before it could be. Raises `StoreError`."""
        # From the key in memory: the rotation may have given up already what `fresh` was wrapped with.
        wrapped = key.wrapped(self.ring, _key_context(fresh.id, fresh.expires_at, fresh.restriction))
        return replace(fresh, wrapped=wrapped.data, master=wrapped.master)

    def moved(self, stored: StoredKey) -> StoredKey:
        """`stored` under the current master key, whichever it was under. Raises `TamperedError`, `StoreError`."""
        context = _key_context(stored.id, stored.expires_at, stored.restriction)
        wrapped = self.ring.wrap(self._unwrapped(stored), context)
        return replace(stored, wrapped=wrapped.data, master=wrapped.master)

    def fingerprint(self, number: str) -> str:
        """The keyed hash by which a caller's number is found again, however it is written: HMAC-SHA256 (RFC 2104)."""
        whole = telephone(number) or normalised(number)
        return hmac.new(self.secrets.get(FINGERPRINT), whole.encode(), hashlib.sha256).hexdigest()

    def objection(self, whole: str) -> str:
        """The keyed hash under which the objection of a whole number (see `telephone`) is entered.

        Under a key of its own: the list of objections and the records cannot be joined without the master key.
        """
        return hmac.new(self.secrets.get(OBJECTION), whole.encode(), hashlib.sha256).hexdigest()

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs the heads of the audit trail (RFC 8032)."""
        return Ed25519PrivateKey.from_private_bytes(self.secrets.get(AUDIT))

    def _unwrapped(self, stored: StoredKey) -> bytes:
        context = _key_context(stored.id, stored.expires_at, stored.restriction)
        return self.ring.find(stored.master).unwrap(stored.wrapped, context)


def _key_context(record_id: str, expires_at: int, restriction: Restriction | None) -> bytes:
    bound = f"/{restriction.context}" if restriction else ""
    return f"anruflotse/{FORMAT}/key/{record_id}/{expires_at}{bound}".encode()
