"""Settings that cannot work are told before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from anruflotse.clock import SystemClock
from anruflotse.lines.line import LineError
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.line import SipLine


def test_the_defaults_are_fine() -> None:
    SipConfig().check()
    SipConfig(registrar="pbx.example:5060", password="a;b c", auth_user="x", headers=("X-Kunde",) * 14).check()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"host": "localhost"}, "sip.host"),
        ({"port": 65535}, "sip.port"),
        ({"port": -1}, "sip.port"),
        ({"transports": ()}, "sip.transports"),
        ({"transports": ("sctp",)}, "sip.transports"),
        ({"transports": ("tls",)}, "sip.tls_certificate"),
        ({"tls_certificate": Path("/nowhere.pem")}, "sip.tls_certificate"),
        ({"tls_ca": Path("/nowhere.pem")}, "sip.tls_ca"),
        ({"workers": 0}, "sip.workers"),
        ({"calls_per_worker": 0}, "sip.calls_per_worker"),
        ({"calls_per_worker": 201}, "sip.calls_per_worker"),
        ({"codecs": ()}, "sip.codecs"),
        ({"codecs": ("opus",)}, "sip.codecs"),
        ({"headers": ("X",) * 15}, "sip.headers"),
        ({"headers": ("X: y",)}, "sip.headers"),
        ({"user": "a b"}, "sip.user"),
        ({"auth_user": "a;b"}, "sip.auth_user"),
        ({"password": 'a"b'}, "sip.password"),
        ({"registrar": "sip:pbx"}, "sip.registrar"),
        ({"registrar": "pbx\nx"}, "sip.registrar"),
        ({"registrar": "pbx", "registrar_transport": "tls"}, "sip.registrar_transport"),
        ({"registrar": "pbx", "workers": 2}, "sip.workers"),
        ({"register_seconds": 0}, "sip.register_seconds"),
        ({"rtp_ports": (20000, 20010)}, "sip.rtp_ports"),
        ({"rtp_timeout": -1}, "sip.rtp_timeout"),
    ],
)
async def test_what_cannot_work_is_named(settings: dict[str, object], told: str) -> None:
    line = SipLine(SipConfig(**settings), SystemClock())  # type: ignore[arg-type]
    with pytest.raises(LineError, match=told) as error:
        await line.open()
    assert 'a"b' not in str(error.value)


def test_the_password_does_not_show() -> None:
    assert "geheim" not in repr(SipConfig(password="geheim"))


def test_a_path_the_stack_could_misread_is_refused(tmp_path: Path) -> None:
    spaced = tmp_path / "a b.pem"
    spaced.touch()
    with pytest.raises(LineError, match="without spaces"):
        SipConfig(tls_ca=spaced).check()


def test_the_callers_number_is_always_asked_for() -> None:
    exposed = SipConfig(headers=("X-Kunde", "privacy")).exposed_headers
    assert exposed == ["X-Kunde", "privacy", "P-Asserted-Identity"]
