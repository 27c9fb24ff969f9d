"""How HashiCorp Vault is reached. Apart from what uses it, since its client takes a while to import."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from anruflotse.records.model import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitConfig:
    """Where Vault is, which key, and how to log in: by one of `token`, `token_file` and `role_id` with `secret_id`.

    Raises `StoreError` for an address without TLS, unless it is this machine's own.
    """

    address: str
    key: str = "anruflotse"
    mount: str = "transit"
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    role_id: str | None = field(default=None, repr=False)
    secret_id: str | None = field(default=None, repr=False)
    namespace: str | None = None
    ca_file: Path | None = None
    timeout_seconds: float = 2.0
    """For connecting and for each answer."""

    def __post_init__(self) -> None:
        """Refuse what would send keys over the network in plain."""
        try:
            parts = urlsplit(self.address)
            host = parts.hostname or ""
            told = bool(parts.username or parts.password)
        except ValueError:
            host, told = "", False
        if not host or told or (parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host))):
            message = "The address of HashiCorp Vault must be https://HOST:PORT; plain http is for 127.0.0.1 only."
            raise StoreError(message)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
