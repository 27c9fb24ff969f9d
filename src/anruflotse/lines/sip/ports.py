"""Which ports a SIP line takes, found out before a stack is started on them."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from anruflotse.lines.line import LineError

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDE = 2
"""Ports a worker: SIP, and TLS one above (the stack fixes that distance)."""
DIRECTORY_PREFIX = "anruflotse-sip-"
_TRIES = 50


def occupied(host: str, port: int, transports: Sequence[str]) -> tuple[str, int, OSError] | None:
    """The first `(transport, port, error)` that cannot be bound now, or None."""
    for transport in transports:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        number = port + 1 if transport == "tls" else port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger are no harm
            try:
                probe.bind((host, number))
            except OSError as error:
                return transport, number, error
    return None


def require_free(host: str, port: int, transports: Sequence[str]) -> None:
    """Raise `LineError` that names the port, the reason and the remedy when one of `transports` cannot listen."""
    found = occupied(host, port, transports)
    if found is None:
        return
    transport, number, error = found
    if error.errno == errno.EADDRINUSE:
        why = "is already in use; stop the other program or set another sip.port"
    elif error.errno in (errno.EACCES, errno.EPERM):
        why = "may not be used by this user; set a sip.port from 1024 up"
    elif error.errno == errno.EADDRNOTAVAIL:
        why = f"cannot be used because {host} is not an address of this machine; set sip.host to one, or to 0.0.0.0"
    else:
        why = f"cannot be used ({os.strerror(error.errno or 0)}); set another sip.port or sip.host"
    message = f"SIP port {number} ({transport.upper()}) on {host} {why}."
    raise LineError(message) from error


def free_base(host: str, workers: int, transports: Sequence[str]) -> int:
    """A port from which `workers` workers can listen. Raises `LineError` when none is found."""
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((host, 0))
            except OSError:
                require_free(host, 0, ["udp"])
                raise
            base: int = probe.getsockname()[1]
        needed = range(base, base + STRIDE * workers, STRIDE)
        if needed[-1] < 2**16 - STRIDE and all(occupied(host, port, transports) is None for port in needed):
            return base
    message = f"No {STRIDE * workers} free ports in a row on {host}; set sip.port."
    raise LineError(message)
