"""One call's audio on the wire, against a bare socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.lines.peers import tone
from anruflotse.lines.peers.codecs import PCMA
from anruflotse.lines.peers.rtp import Packet, Stream, parse
from anruflotse.pcm import Pcm
from tests.callers import until

EVENTS = 101


@pytest.fixture
def peer() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", 0))
    found.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return found


@pytest.fixture
async def stream(peer: socket.socket) -> AsyncIterator[Stream]:
    keys: list[str] = []
    opened = await Stream.open("127.0.0.1", asyncio.get_running_loop().time, keys.append)
    opened.start(peer.getsockname(), PCMA, EVENTS)
    opened.keys = keys  # type: ignore[attr-defined]
    yield opened
    opened.close()
    peer.close()


async def received(peer: socket.socket, count: int) -> list[Packet]:
    loop = asyncio.get_running_loop()
    data = [await asyncio.wait_for(loop.sock_recv(peer, 2_000), 1) for _ in range(count)]
    packets = [parse(item) for item in data]
    assert all(packets)
    return [packet for packet in packets if packet]


def packet(sequence: int, payload: bytes = bytes(160), kind: int = 8, timestamp: int | None = None) -> bytes:
    return Packet(kind, sequence, sequence * 160 if timestamp is None else timestamp, 7, payload).encode()


@given(st.binary(max_size=80))
def test_any_datagram_is_a_packet_or_none(data: bytes) -> None:
    found = parse(data)
    assert found is None or len(found.payload) <= len(data) - 12


def test_extension_contributors_and_padding_are_left_out_and_rtcp_is_not_rtp() -> None:
    header = bytes([0x80 | 0x20 | 0x10 | 1, 8]) + packet(1)[2:12]
    found = parse(header + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4) + b"audio" + b"\x00\x00\x03")
    assert found is not None
    assert found.payload == b"audio"
    assert parse(b"\x80\xc8" + bytes(26)) is None


async def test_silence_flows_from_the_start_and_audio_marks_its_beginning(stream: Stream, peer: socket.socket) -> None:
    first, second = await received(peer, 2)
    assert (second.sequence - first.sequence, second.timestamp - first.timestamp) == (1, 160)
    assert set(first.payload) == {0xD5}
    assert await stream.say(tone(500, 0.05)) is True
    loud = [found for found in await received(peer, 3) if set(found.payload) != {0xD5}]
    assert [found.marker for found in loud] == [True, False, False]
    assert {len(found.payload) for found in loud} == {160}
    assert await stream.say(Pcm(b"", 8_000)) is True


async def test_a_key_is_an_event_with_one_timestamp_growing_duration_and_three_ends(
    stream: Stream, peer: socket.socket
) -> None:
    assert await stream.press("#", 60) is True
    events = [found for found in await received(peer, 7) if found.payload_type == EVENTS]
    assert len({found.timestamp for found in events}) == 1
    assert [found.marker for found in events] == [True, *[False] * 5]
    assert [
        (found.payload[0], found.payload[1] >> 7, int.from_bytes(found.payload[2:], "big")) for found in events
    ] == [
        (11, 0, 160),
        (11, 0, 320),
        (11, 0, 480),
        (11, 1, 480),
        (11, 1, 480),
        (11, 1, 480),
    ]


async def test_a_key_is_heard_once_however_often_it_is_sent(stream: Stream, peer: socket.socket) -> None:
    for number, (key, timestamp) in enumerate([(9, 800), (9, 800), (9, 800), (9, 4_000), (99, 5_000), (10, 6_000)]):
        peer.sendto(packet(number, bytes([key, 0x8A, 0, 160]), EVENTS, timestamp), ("127.0.0.1", stream.port))
    await until(lambda: len(stream.keys) == 3)  # type: ignore[attr-defined]
    assert stream.keys == ["9", "9", "*"]  # type: ignore[attr-defined]


async def test_a_packet_arrived_when_it_came_not_when_we_looked(stream: Stream, peer: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    sent = loop.time()
    peer.sendto(packet(1), ("127.0.0.1", stream.port))
    while loop.time() < sent + 0.2:
        pass
    assert stream.heard is not None
    await until(lambda: stream.heard is not None and stream.heard.packets == 1)
    assert stream.heard.first_packet_at == pytest.approx(sent, abs=0.1)


async def test_strangers_are_counted_and_not_heard(stream: Stream) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(packet(1), ("127.0.0.1", stream.port))
        await until(lambda: stream.strangers == 1)
    assert stream.heard is not None
    assert stream.heard.packets == 0


async def test_a_blocked_loop_catches_up_and_a_long_stop_is_skipped(stream: Stream, peer: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await received(peer, 1)
    for blocked, most in ((0.2, 16), (0.8, 5)):
        before, until_then = stream.sent, loop.time() + blocked
        while loop.time() < until_then:
            pass
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 1 <= stream.sent - before <= most
    assert stream.late_ms > 700


async def test_after_closing_nothing_is_said(stream: Stream) -> None:
    saying, pressing = stream.say(tone(500, 1)), stream.press("1")
    stream.close()
    assert [saying.result(), pressing.result()] == [False, False]
    assert [await stream.say(tone(500, 1)), await stream.press("1")] == [False, False]
    stream.close()
