"""The master key in HashiCorp Vault's transit engine: keys go there to be wrapped, the master key never leaves it.

The versions of one transit key are so many master keys here, `transit:MOUNT/KEY:vN`. New keys are always wrapped with
the newest version, so that a rotation made in Vault itself (`auto_rotate_period`) is followed at once.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
import secrets
import threading
from collections.abc import Set as AbstractSet
from typing import Any

from anruflotse.records.model import StoreError
from anruflotse.records.vault.api import ForbiddenError, RefusedError, VaultApi
from anruflotse.records.vault.config import TransitConfig
from anruflotse.records.vault.keyring import Wrapped, unknown
from anruflotse.records.vault.master import KEY_BYTES, TamperedError, tampered

KEY_TYPE = "aes256-gcm96"
LONGEST_NAME = 64
"""What the key store has room for."""

_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]+")
_GONE = ("too old", "too new", "no key version", "not found")
"""Parts of what Vault says when it does not have (any more) what a ciphertext was made with."""
_NO_KEY = "encryption key not found"


class TransitMaster:
    """One version of a transit key."""

    def __init__(self, ring: TransitKeyring, version: int) -> None:
        """Use `version` of the key of `ring`."""
        self._ring = ring
        self._version = version

    @property
    def id(self) -> str:
        """Mount, key and version."""
        return self._ring.name(self._version)

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """See `Master.wrap`. Raises `StoreError`."""
        return self._ring.encrypt(key, context, self._version)[0]

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See `Master.unwrap`. Raises `StoreError`, in particular `UnknownMasterError` once Vault gave this one up."""
        return self._ring.decrypt(wrapped, context, self._version)

    def __repr__(self) -> str:
        """The name."""
        return f"<TransitMaster {self.id}>"


class TransitKeyring:
    """A key of a transit engine. Thread-safe; every method asks Vault and raises `StoreError` when that fails."""

    def __init__(self, config: TransitConfig) -> None:
        """Connect to nothing yet."""
        self._config = config
        self._api = VaultApi(config)
        name = f"transit:{config.mount}/{config.key}"
        if len(name) > LONGEST_NAME - len(":v999999999"):
            name = f"transit:{hashlib.sha256(name.encode()).hexdigest()[:40]}"
        self._name = name
        self._inspected = False
        self._lock = threading.Lock()

    def name(self, version: int) -> str:
        """The name of a version as a master key."""
        return f"{self._name}:v{version}"

    def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """See `Keyring.wrap`; one request."""
        self._inspect()
        data, version = self.encrypt(key, context)
        return Wrapped(data, self.name(version))

    def current(self) -> TransitMaster:
        """See `Keyring.current`; one request."""
        self._inspect()
        return TransitMaster(self, self.encrypt(secrets.token_bytes(KEY_BYTES), b"anruflotse/1/current")[1])

    def find(self, master_id: str) -> TransitMaster:
        """See `Keyring.find`; no request, so that a version Vault has given up is only told when it is used."""
        prefix, _, version = master_id.rpartition(":v")
        if prefix != self._name or not version.isdecimal():
            raise unknown(master_id)
        return TransitMaster(self, int(version))

    def check(self) -> str:
        """Wrap and unwrap something; two requests."""
        probe, context = secrets.token_bytes(KEY_BYTES), b"anruflotse/1/probe"
        wrapped = self.wrap(probe, context)
        if self.find(wrapped.master).unwrap(wrapped.data, context) != probe:
            message = "HashiCorp Vault does not return what it was given: look at its log, and do not use it."
            raise StoreError(message)
        return wrapped.master

    def masters(self) -> dict[str, str]:
        """See `Keyring.masters`: the current one only."""
        return {self.current().id: f"HashiCorp Vault {self._config.address}"}

    def unfinished(self) -> bool:
        """See `Keyring.unfinished`: which versions are in use says the key store."""
        return False

    def renew(self) -> bool:
        """Have Vault make a new version. Raises `ForbiddenError` when the token may not."""
        config = self._config
        self._api.call(
            lambda client: client.secrets.transit.rotate_key(config.key, mount_point=config.mount), repeatable=False
        )
        return True

    def forget(self, in_use: AbstractSet[str]) -> dict[str, str]:
        """Have Vault refuse versions before the oldest one in use; if the token may not, how to do it by hand."""
        config = self._config
        prefix = f"{self._name}:v"
        versions = [int(name.removeprefix(prefix)) for name in in_use if name.startswith(prefix)]
        oldest = min(versions, default=1)
        if oldest == 1:
            return {}
        try:
            self._api.call(
                lambda client: client.secrets.transit.update_key_configuration(
                    config.key, min_decryption_version=oldest, mount_point=config.mount
                )
            )
        except ForbiddenError:
            command = f"vault write {config.mount}/keys/{config.key}/config min_decryption_version={oldest}"
            return {self.name(oldest - 1): f"run `{command}`"}
        return {}

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """See `Keyring.exclusive`; two at once make a version too many, which does no harm."""
        return contextlib.nullcontext()

    def encrypt(self, key: bytes, context: bytes, version: int | None = None) -> tuple[bytes, int]:
        """The ciphertext, and which version of the key made it: the newest one unless `version` is given."""
        config = self._config
        answer = self._api.call(
            lambda client: client.secrets.transit.encrypt_data(
                config.key,
                plaintext=_text(key),
                associated_data=_text(context),
                key_version=version,
                mount_point=config.mount,
            )
        )
        ciphertext = _part(answer, "ciphertext")
        made = _CIPHERTEXT.fullmatch(ciphertext)
        if made is None:
            raise _senseless()
        return ciphertext.encode(), int(made[1])

    def decrypt(self, wrapped: bytes, context: bytes, version: int) -> bytes:
        """What was wrapped with this version and `context`. Raises `TamperedError`, `UnknownMasterError`."""
        config = self._config
        text = wrapped.decode("ascii", errors="replace")
        made = _CIPHERTEXT.fullmatch(text)
        if made is None or int(made[1]) != version:
            raise tampered()
        try:
            answer = self._api.call(
                lambda client: client.secrets.transit.decrypt_data(
                    config.key, ciphertext=text, associated_data=_text(context), mount_point=config.mount
                )
            )
        except RefusedError as error:
            if _NO_KEY in error.reasons:
                raise _missing() from None
            if any(part in error.reasons for part in _GONE):
                raise unknown(self.name(version)) from None
            raise tampered() from None
        try:
            return base64.b64decode(_part(answer, "plaintext"), validate=True)
        except binascii.Error:
            raise _senseless() from None

    def _inspect(self) -> None:
        """Once: whether the key is of the right type, and whether this Vault binds the context at all."""
        with self._lock:
            if self._inspected:
                return
            config = self._config
            # A token that may only encrypt and decrypt is fine, and the better one: then Vault will not tell.
            with contextlib.suppress(ForbiddenError):
                facts = self._api.call(
                    lambda client: client.secrets.transit.read_key(config.key, mount_point=config.mount),
                    optional=True,
                ).get("data", {})
                if facts.get("type") != KEY_TYPE or facts.get("derived") or facts.get("exportable"):
                    message = (
                        f"The transit key in HashiCorp Vault must be of type {KEY_TYPE}, neither derived nor "
                        "exportable: make another one (docs/keys.md)."
                    )
                    raise StoreError(message)
            try:
                wrapped, version = self.encrypt(secrets.token_bytes(KEY_BYTES), b"anruflotse/1/bound")
            except RefusedError as error:
                raise (_missing() if _NO_KEY in error.reasons else error) from None
            with contextlib.suppress(TamperedError):
                self.decrypt(wrapped, b"anruflotse/1/elsewhere", version)
                # Vault before 1.13 takes associated_data and ignores it.
                message = "This HashiCorp Vault does not bind associated data: use version 1.13 or later."
                raise StoreError(message)
            self._inspected = True


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _part(answer: dict[str, Any], name: str) -> str:
    data = answer.get("data")
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, str):
        raise _senseless()
    return found


def _senseless() -> StoreError:
    return StoreError("HashiCorp Vault gives an answer that makes no sense: check keys.vault.address.")


def _missing() -> StoreError:
    return StoreError(
        "HashiCorp Vault has no such transit key: check keys.vault.mount, key and namespace, or make the key."
    )
