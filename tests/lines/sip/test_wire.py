"""The protocol with the worker: what is written is read, and anything else is refused."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.lines.sip import wire

legs = st.integers(0, 2**32 - 1)
texts = st.text(max_size=40)
pcm = st.binary(max_size=400).map(lambda data: data[: len(data) // 2 * 2])
setups = st.builds(
    wire.Setup, host=texts, port=st.integers(0, 65535), transports=st.lists(texts), max_calls=legs,
    codecs=st.lists(texts), headers=st.lists(texts), expose=st.lists(texts), rtp_ports=st.lists(legs), rtp_timeout=legs,
    tls=st.dictionaries(texts, texts), account=st.dictionaries(texts, texts),
)  # fmt: skip
messages = st.one_of(
    setups,
    st.builds(wire.Prompt, st.binary(min_size=16, max_size=16), st.sampled_from([8000, 16000]), pcm),
    st.builds(wire.Audio, st.lists(st.tuples(legs, pcm), max_size=5).map(tuple)),
    st.builds(wire.Incoming, leg=legs, rate=legs, caller=st.none() | texts, headers=st.dictionaries(texts, texts)),
    st.builds(wire.Refer, leg=legs, number=legs, refer_to=texts, seconds=st.floats(0, 1e6)),
    st.builds(wire.Play, legs, legs, texts),
    st.builds(wire.Registered, ok=st.booleans(), status=legs),
    st.sampled_from([wire.Ready(), wire.Refuse(), wire.Quit(), wire.Closed(3), wire.Failed("tls", "x")]),
    st.builds(wire.Pulse, legs, legs),
)


async def read_all(data: bytes) -> list[wire.Message]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    read = []
    while (message := await wire.read(reader)) is not None:
        read.append(message)
    return read


@given(st.lists(messages, max_size=4))
def test_what_is_written_is_read(sent: list[wire.Message]) -> None:
    assert asyncio.run(read_all(b"".join(map(wire.encode, sent)))) == sent


@given(messages, st.data())
def test_a_message_that_is_cut_short_is_an_error(message: wire.Message, data: st.DataObject) -> None:
    whole = wire.encode(message)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(wire.WireError, match="middle"):
        asyncio.run(read_all(whole[:cut]))


@given(st.binary(min_size=1, max_size=200))
def test_noise_is_an_error_and_nothing_worse(noise: bytes) -> None:
    for kind in (wire.CONTROL_KIND, wire.AUDIO_KIND, wire.PROMPT_KIND, b"?"):
        try:
            message = wire.decode(kind, noise)
        except wire.WireError:
            continue
        assert wire.encode(message)[wire.HEADER.size :] == noise, "taken only if it is what we would have written"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"is": "nonsense"},
        {"is": "play", "leg": 1, "number": 2},
        {"is": "play", "leg": 1, "number": 2, "key": "k", "more": 1},
        {"is": "play", "leg": "1", "number": 2, "key": "k"},
        {"is": "play", "leg": -1, "number": 2, "key": "k"},
        {"is": "play", "leg": 2**32, "number": 2, "key": "k"},
        {"is": "play", "leg": True, "number": 2, "key": "k"},
        {"is": "play", "leg": 1.5, "number": 2, "key": "k"},
        {"is": "refer", "leg": 1, "number": 2, "refer_to": "k", "seconds": "1"},
        {"is": "incoming", "leg": 1, "rate": 8000, "caller": 5, "headers": {}},
        {"is": "incoming", "leg": 1, "rate": 8000, "caller": None, "headers": {"a": 1}},
        {"is": ["play"]},
    ],
)
def test_control_messages_with_wrong_fields_are_refused(body: object) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(wire.CONTROL_KIND, json.dumps(body).encode())


def test_errors_do_not_quote_what_was_sent() -> None:
    body = json.dumps({"is": "incoming", "leg": 1, "rate": 8000, "caller": "+4930123456", "headers": []}).encode()
    for payload in (body, body[:-1]):
        with pytest.raises(wire.WireError) as told:
            wire.decode(wire.CONTROL_KIND, payload)
        assert "4930123456" not in str(told.value)
        assert told.value.__cause__ is None


def test_reprs_are_free_of_personal_data() -> None:
    shown = repr(
        [
            wire.Incoming(1, 8000, "+4930123456", {"x": "+4930123456"}),
            wire.Key(1, "9"),
            wire.Audio(((1, b"voice!"),)),
            wire.Prompt(b"k" * 16, 8000, b"voice!"),
        ]
    )
    assert "4930" not in shown
    assert "voice" not in shown
    assert "9" not in shown


async def test_a_length_beyond_reason_is_an_error() -> None:
    with pytest.raises(wire.WireError, match="longer"):
        await read_all(wire.HEADER.pack(b"A", wire.MAX_PAYLOAD + 1))


@pytest.mark.parametrize("payload", [b"12345", wire.CHUNK.pack(1, 3) + b"abc", wire.CHUNK.pack(1, 4) + b"ab"])
def test_broken_audio_is_refused(payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(wire.AUDIO_KIND, payload)


@pytest.mark.parametrize(
    "payload", [b"k" * 19, wire.PROMPT.pack(b"k" * 16, 8000) + b"a", wire.PROMPT.pack(b"k" * 16, 5)]
)
def test_a_broken_prompt_is_refused(payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(wire.PROMPT_KIND, payload)
