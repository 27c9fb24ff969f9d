"""Envelope encryption: every record has a data key of its own, and only the wrapped form of that key is ever stored.

Destroying the wrapped key destroys the record, in every copy of the rows. What is sealed is bound to the record and
field it belongs to, and the wrapped key to the expiry: nothing can be swapped, no expiry put off by editing a database.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from anruflotse.records.times import to_micros
from anruflotse.records.vault.master import KEY_BYTES, NONCE_BYTES, Master, TamperedError

FORMAT = 1
"""The version of what is stored, part of everything that is sealed."""


class DataKey:
    """The key of one record, in memory for as long as it is written or read."""

    def __init__(self, record_id: str, key: bytes) -> None:
        """Use `key` (32 bytes) for the record `record_id`."""
        self._record_id = record_id
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

    def _context(self, field: str) -> bytes:
        return f"anruflotse/{FORMAT}/content/{self._record_id}/{field}".encode()

    def __repr__(self) -> str:
        """The record it belongs to, never the key."""
        return f"<DataKey of {self._record_id}>"


class Vault:
    """Makes and opens data keys under a master key."""

    def __init__(self, master: Master) -> None:
        """Wrap with `master`."""
        self._master = master

    @property
    def master_id(self) -> str:
        """The name of the master key, stored with every wrapped key."""
        return self._master.id

    def new_key(self, record_id: str, expires_at: datetime) -> tuple[DataKey, bytes]:
        """A fresh data key, and its wrapped form to store; the latter opens only with the same id and expiry (UTC)."""
        key = secrets.token_bytes(KEY_BYTES)
        return DataKey(record_id, key), self._master.wrap(key, _key_context(record_id, expires_at))

    def open_key(self, record_id: str, expires_at: datetime, wrapped: bytes) -> DataKey:
        """The data key of a record. Raises `TamperedError` unless id, expiry and master key are those of its making."""
        return DataKey(record_id, self._master.unwrap(wrapped, _key_context(record_id, expires_at)))

    def fingerprint(self, number: str) -> str:
        """The keyed hash by which a caller's number is found again, however it is written."""
        return self._master.fingerprint(normalised(number).encode())


def normalised(number: str) -> str:
    """A telephone number as +49…, whether given as 030…, 0049 30… or +49 (30) …; other SIP users in lower case."""
    text = number.strip().casefold()
    if not re.fullmatch(r"\+?[0-9 ()/.\-]+", text):
        return text
    digits = re.sub(r"\D", "", text.replace("(0)", ""))
    if text.startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if digits.startswith("0"):
        return f"+49{digits[1:]}"
    return digits


def _key_context(record_id: str, expires_at: datetime) -> bytes:
    return f"anruflotse/{FORMAT}/key/{record_id}/{to_micros(expires_at)}".encode()
