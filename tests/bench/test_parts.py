"""The parts of a run that need no voicebot."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from anruflotse import settings
from anruflotse.bench.bot import BenchError, Bot, Load, write_config
from anruflotse.bench.crowd import Outcome, Plan
from anruflotse.bench.figures import Figure, Noted
from anruflotse.bench.lateness import Lateness
from anruflotse.bench.procfs import Usage
from anruflotse.bench.running import Costs, crowd_figures
from anruflotse.bench.single import call_since
from anruflotse.bench.voices import CONCERNS, spoken, trimmed
from anruflotse.bench.witness import Witness
from anruflotse.cli.bench import _line, register
from anruflotse.conversation.actions import Count, Tally
from anruflotse.conversation.events import TurnEnded
from anruflotse.lines.peers.heard import SPEECH_DBFS, level_dbfs
from anruflotse.pcm import Pcm

PACKET = 320


def test_an_utterance_ends_with_its_last_loud_packet() -> None:
    loud = (np.sin(np.arange(8_000) * 0.3) * 8_000).astype("<i2").tobytes()
    assert trimmed(Pcm(loud + bytes(8_000), 8_000)).seconds == 1.0
    assert trimmed(Pcm(loud, 8_000)).seconds == 1.0
    with pytest.raises(ValueError, match="no speech"):
        trimmed(Pcm(bytes(16_000), 8_000))


async def test_spoken_concerns_last_about_five_seconds_and_end_loud() -> None:
    utterances = await spoken(len(CONCERNS))
    assert len({utterance.audio.data for utterance in utterances}) == len(CONCERNS) >= 15
    for utterance in utterances:
        assert 4.0 < utterance.seconds < 7.0
        assert level_dbfs(utterance.audio.data[-PACKET:]) > SPEECH_DBFS


def test_the_witness_tells_names_and_times_and_nothing_that_was_said() -> None:
    witness = Witness()
    witness.note("id1", "event", 1.0, event=TurnEnded(), stage="listening")
    witness.note("id1", "recognised", 2.0, text="Pflegegrad", confidence=0.9)
    witness.note("id1", "action", 3.0, action=Count(Tally.ROUTED, "pflegekasse"))
    notes = witness.taken()
    assert notes == [("id1", "TurnEnded", 1.0), ("id1", "recognised", 2.0), ("id1", "Count", 3.0)]
    assert witness.taken() == []
    assert "pflege" not in json.dumps(notes).lower()


def test_the_call_is_the_one_answered_after_dialling() -> None:
    noted = [Noted("old", "Answered", 1.0), Noted("old", "HungUp", 5.5), Noted("new", "Answered", 5.2)]
    assert call_since(noted, 5.0) == "new"
    with pytest.raises(BenchError, match="0 calls"):
        call_since(noted, 6.0)
    with pytest.raises(BenchError, match="2 calls"):
        call_since(noted, 0.0)


async def test_a_blocked_loop_is_late_for_as_long_as_it_was_blocked() -> None:
    loop = asyncio.get_running_loop()
    async with Lateness() as lateness:
        await asyncio.sleep(0.03)
        until = loop.time() + 0.1
        while loop.time() < until:
            pass
        await asyncio.sleep(0.03)
    assert max(lateness.taken()) >= 70
    assert lateness.taken() == []


def test_a_crowds_costs_are_what_was_used_in_between() -> None:
    before = (Usage(10.0, 1), Usage(5.0, 1))
    after = (Usage(16.0, 2), Usage(8.0, 2))
    assert Costs.between(before, after, 99) == Costs(6.0, 3.0, 99)


def test_a_crowds_figures_say_what_it_cost_and_whom_it_failed() -> None:
    gaps = [20.0] * 98 + [24.0, 80.0]
    outcome = Outcome(
        gaps=gaps, answers=[1_000.0, 2_000.0], failed=["lost packets"], call_seconds=120.0, lost=3, at_once=5,
        late=[1.0, 2.0],
    )  # fmt: skip
    load = Load(late_ms=[3.0], worker_late_ms=[4.0])
    plan = Plan(["sip:bot@127.0.0.1"], 5, 24.0)
    figures = {f.name: f for f in crowd_figures(plan, outcome, load, Costs(3.0, 1.0, 2**20), short=False)}
    assert figures["5 calls: failed"].ok is False
    assert figures["5 calls: failed"].about == "lost packets"
    assert (figures["5 calls: packet gap p99"].value, figures["5 calls: packet gap p99"].ok) == (24.0, True)
    assert figures["5 calls: CPU per call-minute"].value == 2.0
    assert figures["5 calls:   of it the service"].value == 1.5
    assert figures["5 calls:   of it the SIP workers"].value == 0.5
    assert figures["5 calls: memory"].value == 1.0
    assert figures["5 calls: end of speech to answer p95"].value == 2.0
    assert figures["5 calls: event loop late p99"].value == 3.0
    assert figures["5 calls: callers late p99"].value == 2.0


def test_a_crowd_nobody_answered_has_only_failures() -> None:
    outcome = Outcome(failed=["not answered (CallFailedError)"])
    (failed,) = crowd_figures(Plan([], 1, 24.0), outcome, Load(), Costs(0.0, 0.0, 0), short=True)
    assert failed.ok is False


def test_the_measured_voicebot_is_the_operators_own_but_on_loopback(tmp_path: Path) -> None:
    given = {"data": tmp_path / "theirs", "sip.port": 5070, "sip.host": "192.0.2.1", "speech.beam": 3, "sip.workers": 2}
    mine = settings.load(None, given)
    loaded = settings.load(write_config(mine, tmp_path / "home", 250, tmp_path / "recordings"), environ={})
    assert (loaded.sip.host, loaded.sip.port, loaded.console.port) == ("127.0.0.1", 0, 0)
    assert (loaded.sip.workers, loaded.sip.calls_per_worker) == (2, 125)
    assert loaded.speech == mine.speech
    assert loaded.call == mine.call
    assert loaded.prompts.recordings == tmp_path / "recordings"
    assert loaded.data != mine.data
    assert (loaded.data / "models").resolve() == (mine.data / "models").resolve()


async def test_a_voicebot_that_does_not_start_says_why(tmp_path: Path) -> None:
    mine = settings.load(None, {"data": tmp_path / "theirs", "speech.model": tmp_path / "nowhere"})
    with pytest.raises(BenchError, match=r"did not start.*nowhere"):
        await Bot(write_config(mine, tmp_path / "home", 1, None), tmp_path / "log").__aenter__()


@pytest.mark.parametrize("calls", ["", "0", "50;100", "-3", "100000"])
def test_a_senseless_number_of_calls_is_refused(calls: str) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)  # one command alone would otherwise take the group's place
    register(app)
    result = CliRunner().invoke(app, ["bench", "--calls", calls])
    assert result.exit_code == 2
    assert "--calls" in result.output


def test_a_line_shows_the_limit_and_whether_it_is_kept() -> None:
    assert "limit 300" in _line(Figure("f", 20.25, "ms", 300.0, 5), "")
    assert " ok " in _line(Figure("f", 20.25, "ms", 300.0, 5), "")
    assert " OVER " in _line(Figure("f", 320.0, "ms", 300.0, 5), "")
    assert "limit" not in _line(Figure("f", 320.0, "ms"), "")
