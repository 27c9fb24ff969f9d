"""Registering with a PBX: digest authentication checked by a registrar of our own."""

from __future__ import annotations

import asyncio
import hashlib
import re

import pytest

from anruflotse.clock import SystemClock
from anruflotse.lines.line import LineError
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.line import SipLine
from tests.lines.sip.sipphone import header


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Registrar(asyncio.DatagramProtocol):
    """Challenges every REGISTER and admits user `bot` with the right password."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.admitted: list[str] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode()
        if not message.startswith("REGISTER "):
            return
        status, extra = (
            "401 Unauthorized",
            'WWW-Authenticate: Digest realm="pbx", nonce="n1", algorithm=MD5, qop="auth"',
        )
        if given := header(message, "Authorization"):
            if self.right(given):
                self.admitted.append(header(message, "Contact"))
                status, extra = "200 OK", f"Contact: {header(message, 'Contact')};expires=120"
            else:
                status, extra = "403 Forbidden", "X-Nothing: 1"
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = [f"SIP/2.0 {status}", *(f"{name}: {header(message, name)}" for name in names), extra]
        self.transport.sendto("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), addr)

    def right(self, given: str) -> bool:
        part = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
        first, second = md5(f"bot:pbx:{self.password}"), md5(f"REGISTER:{part['uri']}")
        wanted = md5(f"{first}:n1:{part['nc']}:{part['cnonce']}:{part['qop']}:{second}")
        return (part["username"], part["response"]) == ("bot", wanted)


async def registrar(password: str) -> tuple[Registrar, asyncio.DatagramTransport, int]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Registrar(password), local_addr=("127.0.0.1", 0)
    )
    return protocol, transport, transport.get_extra_info("sockname")[1]


def line_to(port: int) -> SipLine:
    settings = SipConfig(port=0, registrar=f"127.0.0.1:{port}", user="bot", password="geheim;x")
    return SipLine(settings, SystemClock())


async def test_registers_with_digest_and_says_goodbye() -> None:
    pbx, transport, port = await registrar("geheim;x")
    line = line_to(port)
    await line.open()
    assert line.health().registered is True
    assert line.health().ready
    assert line.address.rpartition(":")[2] in pbx.admitted[0]
    await line.close()
    assert "expires=0" in pbx.admitted[-1], "the binding is taken back"
    assert "expires=0" not in pbx.admitted[0]
    transport.close()


async def test_a_wrong_password_is_told_with_a_remedy() -> None:
    _, transport, port = await registrar("other")
    line = line_to(port)
    with pytest.raises(LineError, match=r"refused the registration \(403\).*sip\.password") as told:
        await line.open()
    assert "geheim" not in str(told.value)
    assert "geheim" not in repr(line_to(port)._config)
    transport.close()
