from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys

import pytest

from anruflotse import cli
from anruflotse.lines.peers import Caller, CallFailedError
from tests.callers import NUMBER

pytestmark = pytest.mark.calls


async def test_the_phone_answers_tells_and_stops_when_asked() -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from anruflotse.cli import main; main(sys.argv[1:])",
        *("phone", "--port", "0", "--behave", "mensch=busy", "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    async with Caller() as caller, asyncio.timeout(20):
        port = json.loads(await program.stdout.readline())["port"]
        call = await caller.dial(f"sip:beitrag@127.0.0.1:{port}", number=NUMBER, headers={"User-to-User": "ab"})
        with pytest.raises(CallFailedError, match="486"):
            await caller.dial(f"sip:mensch@127.0.0.1:{port}")
        program.send_signal(signal.SIGTERM)
        await call.closed()
        assert await program.wait() == 0
        told = (await program.stdout.read()).decode()
    events = [json.loads(line) for line in told.splitlines()]
    assert [(event["event"], event["user"]) for event in events] == [
        ("ringing", "beitrag"),
        ("answered", "beitrag"),
        ("refused", "mensch"),
        ("closed", "beitrag"),
    ]
    assert events[0]["user_to_user"] == "ab"
    assert NUMBER not in told


def test_a_wrong_behaviour_and_a_taken_port_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["phone", "--behave", "mensch=sleepy"])
    assert ended.value.code == 2
    assert "answer, busy" in capsys.readouterr().err
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SystemExit) as ended:
            cli.main(["phone", "--port", str(taken.getsockname()[1])])
    assert ended.value.code == 3
    assert "--port" in capsys.readouterr().err
