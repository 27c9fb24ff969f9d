"""HashiCorp Vault's HTTP API as far as it is needed: logging in, one retry, and errors that say what to do.

Checked against the API documentation of Vault 1.13 and later, through hvac. What Vault answers is never quoted: it may
repeat what was sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hvac
import requests
from hvac import exceptions

from anruflotse.records.model import StoreError
from anruflotse.records.vault.config import TransitConfig

LONGEST_TOKEN = 64 * 1024
PAUSE_SECONDS = 5.0
"""So long nobody waits for a Vault that did not answer in time: every call asks it before it is recorded."""


class RefusedError(StoreError):
    """Vault answered 400: what was asked makes no sense to it. `reasons` is for comparing, not for showing."""

    def __init__(self, reasons: str) -> None:
        """Keep the `reasons` Vault gave."""
        super().__init__("HashiCorp Vault refuses the request: check key type and version of Vault (`keys status`).")
        self.reasons = reasons


class ForbiddenError(StoreError):
    """Vault answered 403: the token is no longer good, or its policy does not allow it."""


class MissingError(StoreError):
    """Vault answered 404: there is no such mount or key."""


class VaultApi:
    """A connection to Vault. Thread-safe; logs in when it has to, and again when the token is no longer good."""

    def __init__(self, config: TransitConfig) -> None:
        """Connect to nothing yet."""
        self._config = config
        self._token = config.token
        self._token_mark: object = None
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._quiet_lock = threading.Lock()
        self._client = _client(config)
        # One of its own: a login has no token, and the other one's belongs to all threads.
        self._login_client = _client(config)

    def call(self, work: Callable[[Any], object], *, repeatable: bool = True, optional: bool = False) -> dict[str, Any]:
        """What Vault answers to `work`, which gets hvac's client; an empty answer is an empty dictionary.

        Tried once more when the connection breaks or Vault has a fault, if `repeatable`, and after a new login when
        the token is no longer good, unless it is `optional`. Raises `StoreError`.
        """
        try:
            return self._tried(work, self._with_token(), repeatable=repeatable)
        except ForbiddenError:
            if self._config.role_id is None or optional:
                raise
            with self._lock:
                self._token = None
            return self._tried(work, self._with_token(), repeatable=repeatable)

    def _tried(self, work: Callable[[Any], object], client: hvac.Client, *, repeatable: bool) -> dict[str, Any]:
        quiet = self._probing()
        for last in (not repeatable, True):
            try:
                answer = _answer(work(client))
            except requests.Timeout as error:
                self._quiet_until = time.monotonic() + PAUSE_SECONDS
                raise _translated(error) from None
            except (requests.ConnectionError, exceptions.VaultError) as error:
                if last or not _passing(error):
                    self._answered(quiet)
                    raise _translated(error) from None
            except (requests.RequestException, OSError, ValueError) as error:
                self._answered(quiet)
                raise _translated(error) from None
            else:
                self._answered(quiet)
                return answer
        raise AssertionError

    def _probing(self) -> bool:
        """Whether Vault did not answer lately, and this request is the one that finds out whether it does again.

        Raises `StoreError` at once when it is not the time for that.
        """
        with self._quiet_lock:
            now = time.monotonic()
            if now < self._quiet_until:
                raise _translated(requests.Timeout())
            probing = self._quiet_until > 0
            if probing:
                # The others need not wait for the outcome.
                self._quiet_until = now + PAUSE_SECONDS
            return probing

    def _answered(self, probing: bool) -> None:  # noqa: FBT001 - what `_probing` returned
        if probing:
            self._quiet_until = 0.0

    def _with_token(self) -> hvac.Client:
        self._client.token = self._current_token()
        return self._client

    def _current_token(self) -> str:
        config = self._config
        with self._lock:
            if config.token_file is not None:
                self._read_token(config.token_file)
            elif self._token is None and config.role_id is not None:
                self._token = self._login(config.role_id, config.secret_id or "")
            if not self._token:
                message = "There is no token for HashiCorp Vault: set keys.vault.token_file, token, or role_id."
                raise StoreError(message)
            return self._token

    def _read_token(self, path: Path) -> None:
        """Read the file again when it has changed: an agent renews it."""
        try:
            facts = path.stat()
            mark = (facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)
            if mark != self._token_mark:
                with path.open(encoding="ascii") as file:
                    self._token = file.read(LONGEST_TOKEN).strip()
                self._token_mark = mark
        except (OSError, ValueError):
            message = f"The token file {path} for HashiCorp Vault cannot be read: check its owner, mode and content."
            raise StoreError(message) from None

    def _login(self, role_id: str, secret_id: str) -> str:
        try:
            answer = self._tried(
                lambda client: client.auth.approle.login(role_id, secret_id, use_token=False),
                self._login_client,
                repeatable=True,
            )
            return str(answer["auth"]["client_token"])
        except (RefusedError, ForbiddenError, MissingError, KeyError, TypeError):
            message = (
                "HashiCorp Vault refuses the AppRole login: check role_id and secret_id, and issue a new secret_id."
            )
            raise StoreError(message) from None

    def __repr__(self) -> str:
        """Where it connects to, never with what."""
        return f"<VaultApi {self._config.address}>"


def _client(config: TransitConfig) -> hvac.Client:
    session = requests.Session()
    # Neither a proxy nor a .netrc nor another CA bundle by way of the environment.
    session.trust_env = False
    verify: bool | str = True if config.ca_file is None else str(config.ca_file)
    session.verify = verify
    return hvac.Client(
        url=config.address.rstrip("/"),
        # Not None: hvac would look for a token in the environment and the home directory.
        token="",
        verify=verify,
        timeout=config.timeout_seconds,
        namespace=config.namespace,
        # A redirect would take the token to another server.
        allow_redirects=False,
        session=session,
    )


def _answer(answer: object) -> dict[str, Any]:
    if isinstance(answer, dict):
        return answer
    # hvac hands out the bare response unless it is 200 with JSON.
    if getattr(answer, "status_code", None) == requests.codes.no_content:
        return {}
    message = (
        "What answers at the address of HashiCorp Vault is not Vault, or points to another server: name the load "
        "balancer or the active server in keys.vault.address."
    )
    raise StoreError(message)


def _passing(error: Exception) -> bool:
    """Whether another try may help: a broken connection or a fault of the server, not slowness or a bad certificate."""
    if isinstance(error, requests.ConnectionError):
        return not isinstance(error, requests.Timeout | requests.exceptions.SSLError)
    return isinstance(error, _FAULTS)


_FAULTS = (exceptions.InternalServerError, exceptions.BadGateway, exceptions.VaultDown, exceptions.UnexpectedError)

_ANSWERED: tuple[tuple[type[Exception], Callable[[], StoreError]], ...] = (
    (
        exceptions.Forbidden,
        lambda: ForbiddenError(
            "HashiCorp Vault refuses the token: it has expired, was revoked, or its policy does not allow this (which "
            "is also what it says of a key that does not exist). Provide a new token, or complete the policy "
            "(docs/keys.md)."
        ),
    ),
    (
        exceptions.InvalidPath,
        lambda: MissingError(
            "HashiCorp Vault has no such transit key: check keys.vault.mount, key and namespace, or make the key."
        ),
    ),
    (
        exceptions.RateLimitExceeded,
        lambda: StoreError("HashiCorp Vault limits the rate of requests: raise the quota for this client."),
    ),
    (
        exceptions.VaultNotInitialized,
        lambda: StoreError("HashiCorp Vault is not initialised: run `vault operator init`."),
    ),
    (
        exceptions.VaultError,
        lambda: StoreError("HashiCorp Vault has a fault or is in maintenance: look at its log."),
    ),
    (
        requests.exceptions.SSLError,
        lambda: StoreError(
            "The TLS certificate of HashiCorp Vault is not trusted: set keys.vault.ca_file to its CA, and check "
            "that the certificate is valid for the host in keys.vault.address."
        ),
    ),
    (
        requests.Timeout,
        lambda: StoreError("HashiCorp Vault does not answer in time: check server, network and firewall."),
    ),
    (
        requests.RequestException,
        lambda: StoreError("HashiCorp Vault cannot be reached: check keys.vault.address, server and firewall."),
    ),
    (
        OSError,
        lambda: StoreError("The CA file for HashiCorp Vault cannot be read: check keys.vault.ca_file."),
    ),
)
"""What to tell those who have to mend it, by what happened; the first that fits."""


def _translated(error: Exception) -> StoreError:
    """The error without anything that was sent or answered."""
    reasons = " ".join(str(reason) for reason in getattr(error, "errors", None) or ())
    if isinstance(error, exceptions.InvalidRequest):
        return RefusedError(reasons)
    if isinstance(error, exceptions.VaultDown) and "sealed" in reasons.lower():
        return StoreError("HashiCorp Vault is sealed: unseal it (`vault operator unseal`).")
    for kind, told in _ANSWERED:
        if isinstance(error, kind):
            return told()
    return StoreError("HashiCorp Vault gives an answer that makes no sense: check keys.vault.address.")
