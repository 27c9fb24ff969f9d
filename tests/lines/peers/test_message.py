from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.lines.peers.message import (
    Framer,
    MalformedMessageError,
    Message,
    address,
    parameters,
    parse,
    parse_uri,
    split_list,
)

INVITE = (
    b"INVITE sip:bot@127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx;rport\r\n"
    b'f: "Anna, genannt <A>" <sip:+4930@host;user=phone>;tag=a1\r\nt: <sip:bot@127.0.0.1>\r\ni: abc\r\n'
    b"CSeq: 7 INVITE\r\nSubject: over\r\n  two lines\r\nl: 4\r\n\r\nbody"
)


def test_compact_names_folded_lines_and_the_body_are_read() -> None:
    message = parse(INVITE)
    assert (message.method, message.uri, message.cseq, message.body) == (
        "INVITE",
        "sip:bot@127.0.0.1",
        (7, "INVITE"),
        b"body",
    )
    assert message.get("call-id") == "abc"
    assert message.get("subject") == "over two lines"
    assert message.branch == "z9hG4bKx"
    assert address(message.get("from")) == "sip:+4930@host;user=phone"
    assert parameters(message.get("from")) == {"tag": "a1"}


def test_what_is_written_reads_the_same_again() -> None:
    message = parse(INVITE)
    again = parse(message.encode())
    assert (again.method, again.uri, again.body) == (message.method, message.uri, message.body)
    assert {name: again.raw(name) for name, _ in again.headers} == {
        name: message.raw(name) for name, _ in message.headers
    }


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (INVITE.replace(b"SIP/2.0\r\nv", b"SIP/3.0\r\nv"), "first line"),
        (INVITE.replace(b"i: abc\r\n", b""), "call-id"),
        (INVITE.replace(b"7 INVITE", b"x INVITE"), "CSeq"),
        (INVITE.replace(b"7 INVITE", b"7 BYE"), "another method"),
        (INVITE.replace(b"l: 4", b"l: 5"), "shorter"),
        (INVITE.replace(b"l: 4", b"l: -4"), "Content-Length"),
        (INVITE.replace(b"over", b"\xff\xfe"), "UTF-8"),
        (INVITE.replace(b"Subject:", b"Sub ject:"), "name, a colon"),
        (INVITE.partition(b"\r\n\r\n")[0], "empty line"),
        (INVITE.replace(b"i: abc", b"i: abc\r\n" + b"\r\n".join([b"x: y"] * 200)), "Too many"),
        (b"x" * 70_000, "64 KiB"),
    ],
)
def test_what_is_wrong_is_said(broken: bytes, says: str) -> None:
    with pytest.raises(MalformedMessageError, match=says):
        parse(broken)


@given(st.binary(max_size=400), st.integers(0, len(INVITE)), st.integers(0, len(INVITE)))
def test_damage_of_any_kind_is_malformed_or_still_a_message(rubbish: bytes, start: int, end: int) -> None:
    try:
        message = parse(INVITE[:start] + rubbish + INVITE[end:])
        message.encode()
        _ = message.branch, message.cseq
    except MalformedMessageError:
        pass


def test_a_uri_comes_apart_and_its_headers_stay_out_of_the_request_line() -> None:
    uri = parse_uri("sip:beitrag@127.0.0.1:5090;transport=tcp;lr?User-to-User=56a390f3%3Bencoding%3Dhex&Subject=a%20b")
    assert (uri.user, uri.host, uri.port, uri.transport, uri.param("lr")) == ("beitrag", "127.0.0.1", 5090, "tcp", "")
    assert dict(uri.headers) == {"User-to-User": "56a390f3;encoding=hex", "Subject": "a b"}
    assert uri.bare() == "sip:beitrag@127.0.0.1:5090;transport=tcp;lr"
    assert parse_uri("sips:a@b").transport == "tls"


@pytest.mark.parametrize("wrong", ["", "bot@host", "tel:+49", "sip:a@b:99999", "sip:a b@c", "sip:", "sip:a@b\r\nX: y"])
def test_what_is_no_uri_is_refused(wrong: str) -> None:
    with pytest.raises(MalformedMessageError, match="looks like"):
        parse_uri(wrong)


def test_lists_split_only_at_their_own_commas() -> None:
    assert split_list('"a,b" <sip:c,d@e>, <sip:f>') == ['"a,b" <sip:c,d@e>', "<sip:f>"]


@given(st.lists(st.integers(1, 60), max_size=12))
def test_a_stream_comes_apart_however_it_was_cut(cuts: list[int]) -> None:
    stream = INVITE + b"\r\n\r\n" + INVITE.replace(b"l: 4", b"Content-Length: 0")[:-4] + INVITE
    framer, found, start = Framer(), list[bytes](), 0
    for cut in [*cuts, len(stream)]:
        found += framer.feed(stream[start : start + cut])
        start += cut
    assert [parse(data).body for data in found] == [b"body", b"", b"body"]


def test_a_stream_that_never_ends_its_headers_is_refused() -> None:
    with pytest.raises(MalformedMessageError):
        Framer().feed(b"x" * 70_000)


def test_numbers_do_not_show_in_a_repr() -> None:
    assert "4930" not in repr(parse(INVITE))
    assert "4930" not in repr(Message("INVITE", "sip:+4930@x"))
    assert "4930" not in repr(parse_uri("sip:+4930@x"))
