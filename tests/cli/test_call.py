"""`anruflotse call` against a phone, over real SIP."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from anruflotse import cli
from anruflotse.lines.peers import Behaviour, Phone, tone
from tests.callers import NUMBER, caller_and_phone, pitch, until

pytestmark = pytest.mark.calls

Run = Callable[..., Coroutine[None, None, tuple[int, list[dict[str, Any]]]]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a thread of its own, and give its exit code and its JSON lines (or its text)."""

    def blocking(*arguments: str) -> int:
        try:
            cli.main(["call", *arguments])
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        return 0

    async def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        code = await asyncio.to_thread(blocking, *arguments, "--json")
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """0.3 s of 900 Hz, 48 kHz, stereo, 24-bit: what a sound card leaves behind."""
    samples = np.sin(2 * np.pi * 900 * np.arange(14_400) / 48_000) * 0.3
    path = tmp_path / "concern.wav"
    soundfile.write(path, np.stack([samples, samples], axis=1), 48_000, subtype="PCM_24")
    return path


async def test_a_file_is_said_after_the_prompt_and_what_is_heard_is_told(call: Run, recording: Path) -> None:
    async with caller_and_phone() as (_, phone):
        running = asyncio.create_task(
            call(phone.uri("bot"), "--say", str(recording), "--from", NUMBER, "--pause", "0.3")
        )
        await phone.expect("answered")
        bot = phone.calls[0]
        await bot.wait_prompt(after=0, pause_ms=200)
        await bot.hang_up()
        code, events = await running
        assert code == 0
        assert [event["event"] for event in events] == ["ringing", "answered", "say", "heard", "closed"]
        assert events[3]["seconds"] == pytest.approx(0.4, abs=0.1)
        assert events[2]["at"] > events[3]["since"] + 0.4 + 0.3 - 0.05  # packets are 20 ms long
        assert events[4]["by"] == "them"
        assert bot.caller == NUMBER
        assert pitch(bot.heard.audio) == pytest.approx(900, abs=5)


async def test_text_is_spoken_and_keys_are_pressed_at_their_time(call: Run) -> None:
    async with caller_and_phone() as (_, phone):
        running = asyncio.create_task(
            call(phone.uri("bot"), "--say", "Guten Tag.", "--keys", "9@0.2", "--codec", "g722")
        )
        await phone.expect("key", seconds=5)
        bot = phone.calls[0]
        assert bot.keys == ["9"]
        assert bot.events[-1].at == pytest.approx(0.2, abs=0.15)
        said = await bot.wait_prompt(after=0, pause_ms=300)
        assert 0.3 < said.seconds < 2
        await bot.hang_up()
        assert (await running)[0] == 0
        assert bot.codec == "g722"


async def test_a_transfer_is_followed_and_told(call: Run) -> None:
    async with caller_and_phone() as (_, phone):
        running = asyncio.create_task(call(phone.uri("bot"), "--stay", "0.6"))
        await phone.expect("answered")
        bot = phone.calls[0]
        target = f"<{phone.uri('beitrag')}?User-to-User=56a390f3%3Bencoding%3Dhex>"
        assert (await bot.request("REFER", [("refer-to", target)])).status == 202
        await phone.expect("answered", "beitrag")
        await bot.hang_up()
        code, events = await running
        assert code == 0
        told = {str(event["event"]): event for event in events}
        assert told["refer"]["target"] == phone.uri("beitrag")
        assert told["user_to_user"]["user_to_user"] == "56a390f3;encoding=hex"
        assert told["transfer"]["status"] == 200
        assert events[-1]["event"] == "heard"
        assert (events[-1]["who"], events[-1]["seconds"]) == ("target", pytest.approx(0.4, abs=0.1))
        assert (await phone.expect("closed", "beitrag")).details["by"] == "them"


async def test_a_script_is_played_step_by_step(call: Run, tmp_path: Path, recording: Path) -> None:
    script = tmp_path / "caller.yaml"
    script.write_text(f'- wait_prompt\n- keys: "0"\n- wait: 0.1\n- say: {recording.name}\n- hang_up\n', "utf-8")
    async with caller_and_phone() as (_, phone):
        code, events = await call(phone.uri("bot"), "--script", str(script), "--transport", "tcp", "--keys-by", "info")
        assert code == 0
        assert events[-1] | {"at": 0} == {"event": "closed", "at": 0, "by": "us"}
        bot = phone.calls[0]
        assert bot.keys == ["0"]
        assert pitch(bot.heard.audio) == pytest.approx(900, abs=5)


async def test_how_a_call_failed_is_the_exit_code(call: Run) -> None:
    async with caller_and_phone() as (_, phone):
        code, events = await call(phone.uri("besetzt"))
        assert (code, events[-1]["event"], events[-1]["status"]) == (1, "failed", 486)
        code, events = await call(phone.uri("klingelt"), "--seconds", "1")
        assert code == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"sip:bot@127.0.0.1:{taken.getsockname()[1]};transport=tcp"
    code, events = await call(nobody)
    assert (code, events[-1]["reason"]) == (3, "unreachable")


async def test_a_call_that_lasts_too_long_is_hung_up(call: Run) -> None:
    async with Phone(default=Behaviour(greeting=tone(500, 0.2))) as phone:
        code, events = await call(phone.uri("bot"), "--seconds", "1")
        assert code == 0
        assert [event["event"] for event in events[-2:]] == ["heard", "closed"]
        assert 1 <= events[-1]["at"] < 2
        await until(lambda: phone.calls[0].ended_by == "them")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bot"], "sip:name@host"),
        (["sip:b@h;transport=ws"], "udp, tcp"),
        (["sip:b@h", "--keys", "x@1"], "9@3.5"),
        (["sip:b@h", "--keys", "9@soon"], "9@3.5"),
        (["sip:b@h", "--from", "Anna"], "digits"),
        (["sip:b@h", "--say", "missing.wav"], "no such file"),
        (["sip:b@h", "--codec", "opus"], "pcma"),
        (["sip:b@h", "--script", "s.yaml", "--say", "x"], "leave --say"),
    ],
)
def test_wrong_use_is_said(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(arguments, says, capsys)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("- wait_promt\n", "line 1, column 3"),
        ("- wait: soon\n", "seconds from 0"),
        ("- wait: -1\n", "seconds from 0"),
        ('- keys: "9x"\n', "telephone has the keys"),
        ("- say: a\n  keys: b\n", "does one thing"),
        ("- hang_up: now\n", "stands alone"),
        ("- sing: a\n", "unknown key"),
        ("say: a\n", "expected a list"),
        ("- say: broken.wav\n", "not a readable WAV"),
    ],
)
def test_a_wrong_script_is_said_with_its_place(
    script: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(script, "utf-8")
    (tmp_path / "broken.wav").write_bytes(b"RIFFrubbish")
    refused(["sip:b@h", "--script", str(path)], says, capsys)


def refused(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["call", *arguments])
    assert ended.value.code == 2
    # Typer breaks its messages into lines within a frame.
    assert says in " ".join(capsys.readouterr().err.replace("│", " ").split())
