"""How a SIP line is set up."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anruflotse.lines.line import LineError

Transport = Literal["udp", "tcp", "tls"]
MAX_CALLS_PER_WORKER = 200
MAX_PORT = 65535
_CODECS = {"pcma": "pcma", "pcmu": "pcmu", "g722": "g722/16000/1"}
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,63}")
_OWN_HEADERS = ("P-Asserted-Identity", "Privacy")
_MAX_HEADERS = 16 - len(_OWN_HEADERS)
_UNQUOTABLE = re.compile(r"[\x00-\x1f\x7f\"\\]")
_NAME = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,%]+")
_REGISTRAR = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?")
# What the stack's line-based configuration parser would cut or misread.
_UNWRITABLE = re.compile(r"[\s\"]")


@dataclass(frozen=True, slots=True)
class SipConfig:
    """A SIP line: where it listens, whom it registers with, how many calls it takes.

    Without `registrar` this is a trunk: whoever can reach the port may call, so put it behind a firewall or an SBC.
    Worker `n` listens on `port + 2n` (TLS one above); `port` 0 picks free ones.
    """

    host: str = "127.0.0.1"
    """An address of this machine, or 0.0.0.0 for all. Not a name."""
    port: int = 5060
    transports: tuple[Transport, ...] = ("udp", "tcp")
    tls_certificate: Path | None = None
    """One PEM file with private key, certificate and chain; needed for `tls` (which then demands SRTP)."""
    tls_ca: Path | None = None
    """PEM file of the authorities the peers' certificates must come from; None takes the system's."""
    tls_verify: bool = True
    """Whether to check the certificate of whoever we connect to over TLS (registrar, trunk)."""
    workers: int = 1
    calls_per_worker: int = 100
    codecs: tuple[str, ...] = ("pcma", "g722", "pcmu")
    """In order of preference: pcma (A-law), pcmu (µ-law), g722 (16 kHz)."""
    headers: tuple[str, ...] = ()
    """Names of INVITE headers to hand on in `Leg.headers`; at most 14."""
    registrar: str | None = None
    """Host or host:port to register with; None for a plain trunk."""
    registrar_transport: Transport = "udp"
    user: str = "anruflotse"
    auth_user: str | None = None
    password: str = field(default="", repr=False)
    register_seconds: int = 600
    rtp_ports: tuple[int, int] = (16384, 32767)
    rtp_timeout: int = 60
    """Seconds without any RTP after which a call is given up; 0 never."""

    def check(self) -> None:
        """Raise `LineError` that names the first setting that cannot work and what is allowed."""
        for wrong, message in self._objections():
            if wrong:
                raise LineError(message)

    def _objections(self) -> list[tuple[bool, str]]:
        last = self.port + 2 * self.workers
        low, high = self.rtp_ports
        return [
            (not _is_address(self.host), f"sip.host is '{self.host}'; give an address of this machine or 0.0.0.0."),
            (
                self.port < 0 or last > MAX_PORT,
                f"sip.port {self.port} with {self.workers} workers needs ports up to {last}; choose one below.",
            ),
            (not self.transports, "sip.transports is empty; choose from udp, tcp, tls."),
            (
                not set(self.transports) <= {"udp", "tcp", "tls"},
                f"sip.transports is {self.transports}; choose from udp, tcp, tls.",
            ),
            (
                "tls" in self.transports and self.tls_certificate is None,
                "sip.transports has tls but sip.tls_certificate is not set; give a PEM file with key and certificate.",
            ),
            *(
                (path is not None and not path.is_file(), f"{name} is '{path}', which is not a readable file.")
                for name, path in (("sip.tls_certificate", self.tls_certificate), ("sip.tls_ca", self.tls_ca))
            ),
            *(
                (_UNWRITABLE.search(str(path)) is not None, f"{name} is '{path}'; use a path without spaces or quotes.")
                for name, path in (("sip.tls_certificate", self.tls_certificate), ("sip.tls_ca", self.tls_ca))
            ),
            (self.workers < 1, f"sip.workers is {self.workers}; it must be at least 1."),
            (
                not 1 <= self.calls_per_worker <= MAX_CALLS_PER_WORKER,
                f"sip.calls_per_worker is {self.calls_per_worker}; allowed are 1 to {MAX_CALLS_PER_WORKER}.",
            ),
            (
                not self.codecs or not set(self.codecs) <= _CODECS.keys(),
                f"sip.codecs is {self.codecs}; choose from {', '.join(sorted(_CODECS))}.",
            ),
            (
                len(self.headers) > _MAX_HEADERS or not all(_HEADER.fullmatch(name) for name in self.headers),
                f"sip.headers must be at most {_MAX_HEADERS} header names.",
            ),
            (_NAME.fullmatch(self.user) is None, "sip.user must be the user part of a SIP address."),
            (
                self.auth_user is not None and _NAME.fullmatch(self.auth_user) is None,
                "sip.auth_user must be a name without spaces or quotes.",
            ),
            (
                _UNQUOTABLE.search(self.password) is not None,
                "sip.password has a quote, backslash or control character, which the SIP stack cannot carry.",
            ),
            (
                self.registrar is not None and _REGISTRAR.fullmatch(self.registrar) is None,
                f"sip.registrar is '{self.registrar}'; give a host or host:port.",
            ),
            (
                self.registrar is not None and self.registrar_transport not in self.transports,
                f"sip.registrar_transport is {self.registrar_transport}, which is not among sip.transports.",
            ),
            (
                # Every worker would register the same address, and the registrar would ring all of them for each call.
                self.registrar is not None and self.workers > 1,
                "sip.workers must be 1 with sip.registrar; for more calls use a trunk that spreads them over ports.",
            ),
            (self.register_seconds < 1, "sip.register_seconds must be at least 1."),
            (
                not 1024 <= low < high <= MAX_PORT or high - low < 4 * self.calls_per_worker,  # noqa: PLR2004
                f"sip.rtp_ports is {low} to {high}; give at least {4 * self.calls_per_worker} ports from 1024 up.",
            ),
            (self.rtp_timeout < 0, "sip.rtp_timeout is negative; give seconds, or 0 for never."),
        ]

    @property
    def codec_names(self) -> list[str]:
        """The codecs as the stack names them."""
        return [_CODECS[name] for name in self.codecs]

    @property
    def exposed_headers(self) -> list[str]:
        """The header names the stack must hand over: the configured ones and those that tell the caller's number."""
        taken = {name.lower() for name in self.headers}
        return [*self.headers, *(name for name in _OWN_HEADERS if name.lower() not in taken)]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
