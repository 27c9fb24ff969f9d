from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.lines.peers import sdp
from anruflotse.lines.peers.codecs import CODECS, G722, PCMA, PCMU
from anruflotse.lines.peers.message import MalformedMessageError

KEY = bytes(range(30))
OFFER = sdp.describe("127.0.0.1", 4_000, CODECS, 1, key=KEY, key_tag="7")


def test_an_offer_reads_as_it_was_written() -> None:
    found = sdp.read(OFFER)
    assert found == sdp.Description("127.0.0.1", 4_000, CODECS, 101, KEY, "7")
    assert found.secure
    plain = sdp.read(sdp.describe("127.0.0.1", 4_002, [PCMU], 1, event_type=None))
    assert (plain.codecs, plain.event_type, plain.secure) == ((PCMU,), None, False)


def test_static_payload_types_need_no_rtpmap_and_strangers_are_left_out() -> None:
    body = b"v=0\r\nm=audio 4000 RTP/AVP 111 8 96\r\nc=IN IP4 10.0.0.1\r\na=rtpmap:111 opus/48000/2\r\n"
    body += b"a=rtpmap:96 telephone-event/8000\r\nm=video 5000 RTP/AVP 99\r\nc=IN IP4 10.0.0.9\r\n"
    found = sdp.read(body)
    assert (found.host, found.port, found.codecs, found.event_type) == ("10.0.0.1", 4_000, (PCMA,), 96)


def test_the_offerers_order_decides() -> None:
    offered = sdp.read(sdp.describe("h", 1, [G722, PCMU], 1))
    assert sdp.choose(offered, [PCMU, G722]) is G722
    assert sdp.choose(offered, [PCMA]) is None


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        OFFER.replace(b"m=audio", b"m=image"),
        OFFER.replace(b"4000", b"99999"),
        OFFER.replace(b"c=IN IP4 127.0.0.1\r\n", b""),
        OFFER.replace(b"inline:", b"inline:!!"),
        OFFER.replace(b"HMAC_SHA1_80", b"HMAC_SHA1_32"),
        OFFER.replace(b"a=crypto", b"a=nothing"),
    ],
)
def test_what_cannot_be_used_is_malformed(broken: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        sdp.read(broken)


@given(st.binary(max_size=80), st.integers(0, len(OFFER)), st.integers(0, len(OFFER)))
def test_damage_never_does_worse(rubbish: bytes, start: int, end: int) -> None:
    with contextlib.suppress(MalformedMessageError):
        sdp.read(OFFER[:start] + rubbish + OFFER[end:])


def test_keys_do_not_show_in_a_repr() -> None:
    assert repr(KEY) not in repr(sdp.read(OFFER))
