"""Where the master key comes from, and the only thing ever done with it: wrapping other keys.

`Master` is the seam: a key service that never hands its key out (HashiCorp Vault transit) fits it as a key file does.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from anruflotse.records.model import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12
ENVIRONMENT = "ANRUFLOTSE_MASTER_KEY"
CREDENTIAL = "anruflotse-master-key"
FILE = "master.key"


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
            message = "A record's key does not open: the key store was changed, or it belongs to another master key."
            raise TamperedError(message) from None

    @property
    def fingerprint_key(self) -> bytes:
        """The key that hashed numbers before the store had one of its own; stores of that time go on with it."""
        return self._hashing

    def __repr__(self) -> str:
        """The key's name, never the key."""
        return f"<LocalMaster {self._id}>"


def find_master(directory: Path, environment: Mapping[str, str], *, may_create: bool) -> LocalMaster:
    """The master key of this machine: systemd credential, else environment variable, else the file in `directory`.

    The file is made at the first start when `may_create`. Raises `StoreError` with a remedy when the key is missing,
    readable by others, or not a key.
    """
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if credentials and (credential := Path(credentials) / CREDENTIAL).exists():
        # systemd guards this directory by itself (an ACL, which shows as group bits), so its mode is not judged.
        return LocalMaster(_decoded(_contents(credential), f"The systemd credential {CREDENTIAL}"))
    if environment.get(ENVIRONMENT):
        return LocalMaster(_decoded(environment[ENVIRONMENT].encode(), f"The environment variable {ENVIRONMENT}"))
    path = directory / FILE
    if not path.exists():
        if not may_create:
            message = (
                f"The master key {path} is missing, but there are records sealed with it: put it back, or provide it "
                f"as systemd credential {CREDENTIAL} or in {ENVIRONMENT}."
            )
            raise StoreError(message)
        _create(path)
    return LocalMaster(_decoded(_private_contents(path), f"The master key file {path}"))


def _create(path: Path) -> None:
    """Make the key file, whole or not at all: a second process at that moment finds no file or a full one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            # link(2) refuses an existing name, which rename would overwrite.
            os.link(draft, path)
        except FileExistsError:
            return
        finally:
            draft.unlink()
        _sync_directory(path.parent)
    except OSError as error:
        message = f"The master key {path} cannot be made ({error.strerror}): check the disk and the directory's owner."
        raise StoreError(message) from error


def _sync_directory(directory: Path) -> None:
    """Make a new name durable: a key must not vanish in a power cut after records were sealed with it."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _private_contents(path: Path) -> bytes:
    """The file's bytes, if it is a plain file that only its owner can read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        message = f"The master key {path} cannot be read ({error.strerror}): it must be a plain file of this user."
        raise StoreError(message) from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid not in {os.geteuid(), 0}:
            message = f"The master key {path} must be a plain file owned by the user that runs anruflotse."
            raise StoreError(message)
        if facts.st_mode & 0o077:
            message = (
                f"The master key {path} is open to others: run `chmod 600 {path}`, and change it if anybody read it."
            )
            raise StoreError(message)
        return os.read(handle, 4096)
    finally:
        os.close(handle)


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"The master key {path} cannot be read ({error.strerror})."
        raise StoreError(message) from error


def _decoded(text: bytes, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        message = f"{what} is no master key: it must be {KEY_BYTES} random bytes in base64 (`openssl rand -base64 32`)."
        raise StoreError(message)
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    """A key of its own for every use (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"anruflotse/1/" + purpose).derive(key)
