"""A faithful fake of HashiCorp Vault: as much of its HTTP API as a transit key needs, with real AES-GCM.

Paths, bodies, status codes and error texts are those of Vault 1.13 to 1.20 (api-docs: secret/transit, auth/approle,
system/health) as far as they are used here. `strict=False` behaves like Vault before 1.13: it ignores associated data.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import socket
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

READ, UPDATE, CREATE = "read", "update", "create"


class VaultError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status, *errors)
        self.status = status
        self.errors = errors


@dataclass
class FakeKey:
    """A transit key: its versions, counted from 1."""

    type: str = "aes256-gcm96"
    derived: bool = False
    exportable: bool = False
    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    min_decryption_version: int = 1


Policy = dict[str, set[str]]
"""Capabilities by path below the mount; `*` at the end stands for anything."""
EVERYTHING: Policy = {"*": {READ, UPDATE, CREATE}}
SERVICE: Policy = {"encrypt/*": {UPDATE}, "decrypt/*": {UPDATE}}
"""What docs/keys.md gives the service."""


class FakeVault:
    """A server on 127.0.0.1, started at once. Its switches may be turned at any time."""

    def __init__(self, *, certificate: Path | None = None, strict: bool = True) -> None:
        self.keys: dict[str, FakeKey] = {"anruflotse": FakeKey()}
        self.tokens: dict[str, Policy] = {"hvs.ROOT": EVERYTHING}
        self.roles: dict[tuple[str, str], Policy] = {}
        self.namespace: str | None = None
        self.mount = "transit"
        self.sealed = False
        self.answers: list[tuple[int, Any]] = []
        """What to answer to the next requests instead of the truth: status and body (text is sent as it is)."""
        self.breaks = 0
        """So many connections are cut off before an answer."""
        self.hangs = threading.Event()
        """While it is set, no request is answered."""
        self.on_request: Any = None
        self.requests: list[tuple[str, str]] = []
        self.strict = strict
        self._lock = threading.Lock()
        self._released = threading.Event()
        fake = self

        class Handler(_Handler):
            vault = fake

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        self.address = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        """Stop listening: from now on connections are refused."""
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked(self, path: str) -> int:
        """How often a path below /v1/ was asked for."""
        return sum(one == f"/v1/{path}" for _, one in self.requests)

    def answer(self, method: str, path: str, headers: Message, body: dict[str, Any]) -> tuple[int, Any]:
        """What Vault answers."""
        with self._lock:
            self.requests.append((method, path))
            if self.on_request is not None:
                self.on_request(method, path)
            if self.answers:
                return self.answers.pop(0)
            try:
                return self._answer(method, path, headers, body)
            except VaultError as fault:
                return fault.status, {"errors": list(fault.errors)}

    def hung(self) -> None:
        """Wait for as long as it hangs, at most until it is closed."""
        if self.hangs.is_set():
            self._released.wait(10)

    def _answer(self, method: str, path: str, headers: Message, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/v1/sys/health":
            status = 503 if self.sealed else 200
            return status, {"initialized": True, "sealed": self.sealed, "standby": False, "version": "1.20.0"}
        if self.sealed:
            raise VaultError(503, "Vault is sealed")
        if self.namespace is not None and headers.get("X-Vault-Namespace") != self.namespace:
            raise VaultError(404, "namespace not found")
        if method == "POST" and path == "/v1/auth/approle/login":
            policy = self.roles.get((str(body.get("role_id")), str(body.get("secret_id"))))
            if policy is None:
                raise VaultError(400, "invalid role or secret ID")
            token = f"hvs.{uuid.uuid4().hex}"
            self.tokens[token] = policy
            return 200, _reply({}) | {"auth": {"client_token": token, "lease_duration": 3600, "renewable": True}}
        policy = self.tokens.get(headers.get("X-Vault-Token", ""))
        if policy is None:
            raise VaultError(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
        if not path.startswith(f"/v1/{self.mount}/"):
            raise VaultError(404, f'no handler for route "{path.removeprefix("/v1/")}". route entry not found.')
        return self._transit(method, path.removeprefix(f"/v1/{self.mount}/"), policy, body)

    def _transit(  # noqa: C901 - a list of what there is
        self, method: str, path: str, policy: Policy, body: dict[str, Any]
    ) -> tuple[int, Any]:
        found = re.fullmatch(r"(encrypt|decrypt|keys)/([\w.-]+)(?:/(rotate|config))?", path)
        if found is None:
            raise VaultError(404, "unsupported path")
        action, name, more = found.groups()
        key = self.keys.get(name)
        needed = READ if method == "GET" else UPDATE
        if action == "encrypt" and key is None:
            needed = CREATE
        if not any(needed in granted for one, granted in policy.items() if _covers(one, path)):
            raise VaultError(403, "1 error occurred:\n\t* permission denied\n\n")
        if action == "encrypt" and key is None:
            key = self.keys[name] = FakeKey()
        if key is None:
            raise VaultError(404) if (method, more) == ("GET", None) else VaultError(400, "encryption key not found")
        if action in {"encrypt", "decrypt"}:
            return 200, _reply(self._encrypted(key, body) if action == "encrypt" else self._decrypted(key, body))
        if (method, more) == ("POST", "rotate"):
            key.versions.append(os.urandom(32))
        elif (method, more) == ("POST", "config"):
            oldest = int(body.get("min_decryption_version", key.min_decryption_version))
            if oldest > len(key.versions):
                raise VaultError(400, f"cannot set min decryption version of {oldest}, latest key version is lower")
            key.min_decryption_version = oldest
        elif (method, more) != ("GET", None):
            raise VaultError(405, "unsupported operation")
        return 200, _reply(_facts(name, key))

    def _encrypted(self, key: FakeKey, body: dict[str, Any]) -> dict[str, Any]:
        if key.derived and "context" not in body:
            raise VaultError(400, "missing 'context' for key derivation; the key was created using a derived key")
        version = int(body.get("key_version") or len(key.versions))
        if version > len(key.versions):
            raise VaultError(400, "requested version for encryption is higher than the latest key version")
        nonce = os.urandom(12)
        plain = base64.b64decode(body["plaintext"], validate=True)
        sealed = nonce + AESGCM(key.versions[version - 1]).encrypt(nonce, plain, self._bound(body))
        return {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}", "key_version": version}

    def _decrypted(self, key: FakeKey, body: dict[str, Any]) -> dict[str, Any]:
        found = re.fullmatch(r"vault:v(\d+):(.+)", body.get("ciphertext", ""))
        if found is None:
            raise VaultError(400, "invalid ciphertext: no prefix")
        version = int(found[1])
        if version > len(key.versions):
            raise VaultError(400, "invalid ciphertext: version is too new")
        if version < key.min_decryption_version:
            raise VaultError(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            sealed = base64.b64decode(found[2], validate=True)
        except ValueError:
            raise VaultError(400, "invalid ciphertext: could not decode base64") from None
        try:
            plain = AESGCM(key.versions[version - 1]).decrypt(sealed[:12], sealed[12:], self._bound(body))
        except (InvalidTag, ValueError):
            raise VaultError(400, "cipher: message authentication failed") from None
        return {"plaintext": base64.b64encode(plain).decode()}

    def _bound(self, body: dict[str, Any]) -> bytes:
        return base64.b64decode(body.get("associated_data", ""), validate=True) if self.strict else b""


def _covers(granted: str, path: str) -> bool:
    return path.startswith(granted[:-1]) if granted.endswith("*") else path == granted


def _facts(name: str, key: FakeKey) -> dict[str, Any]:
    return {
        "name": name,
        "type": key.type,
        "derived": key.derived,
        "exportable": key.exportable,
        "keys": {str(number + 1): 1442851412 for number in range(len(key.versions))},
        "latest_version": len(key.versions),
        "min_decryption_version": key.min_decryption_version,
        "min_encryption_version": 0,
        "supports_encryption": True,
        "supports_decryption": True,
    }


def _reply(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "request_id": str(uuid.uuid4()),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": None,
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    vault: FakeVault
    protocol_version = "HTTP/1.1"
    timeout = 5
    # Headers and body leave in two writes; without this the second one waits for the first one's ACK.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class has
        """Say nothing."""

    def _serve(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.vault.breaks:
            self.vault.breaks -= 1
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.vault.hung()
        status, told = self.vault.answer(self.command, self.path, self.headers, json.loads(sent) if sent else {})
        text = told if isinstance(told, str) else json.dumps(told)
        body = b"" if told is None else text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(told, str) else "application/json")
            self.send_header("Cache-Control", "no-store")
            if status in {301, 302, 307, 308}:
                self.send_header("Location", f"{self.vault.address}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # The client has given up waiting.
            self.close_connection = True
