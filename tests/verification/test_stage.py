"""The stage rings nobody, keeps nothing and touches nothing of the live system; what breaks on it is unproven."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anruflotse.call.equipment import PromptMissingError
from anruflotse.conversation.actions import Destination, Goal, Play, Prompt
from anruflotse.conversation.events import Candidate
from anruflotse.departments.model import Target
from anruflotse.pcm import Pcm
from anruflotse.records.model import StoreError
from anruflotse.settings import Settings, load
from anruflotse.verification import gathering
from anruflotse.verification.stage import Breakable, OwnPhones, Spy, _furnish, _spy, for_stage
from anruflotse.verification.watching import Log, Watch
from tests.app.agreements import AGREED, write

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LIVE = {
    "sip.host": "192.0.2.1",
    "sip.port": 5060,
    "sip.registration": {"registrar": "pbx.example", "user": "bot", "password": "geheim"},
    "console.host": "192.0.2.1",
    "records.rows": "postgresql://u:p@db1.example/rows",
    "records.keys": "postgresql://u:p@db2.example/keys",
    "keys.vault.address": "https://vault.example",
    "keys.vault.token": "geheim",
    "keys.provider": "vault",
    "retention.days": 14,
    "retention.sweep_seconds": 300.0,
    "call.objection_key": "8",
}


@pytest.fixture
def live(tmp_path: Path) -> Settings:
    return load(None, {"data": tmp_path / "live", **LIVE}, environ={})


def test_the_test_service_registers_nowhere_and_listens_on_this_machine_only(live: Settings, tmp_path: Path) -> None:
    staged = for_stage(live, tmp_path / "stage")
    assert staged.sip.registration is None, "a second service in the account would be given real calls"
    assert (staged.sip.host, staged.sip.port, staged.console.host, staged.console.port) == (
        *("127.0.0.1", 0, "127.0.0.1", 0),
    )
    assert staged.records.urls() == {"rows_url": None, "keys_url": None}
    assert staged.keys.vault.address is None
    assert staged.data == tmp_path / "stage"


def test_everything_else_is_as_it_is(live: Settings, tmp_path: Path) -> None:
    staged = for_stage(live, tmp_path / "stage")
    assert staged.retention.days == 14
    assert staged.retention.sweep_seconds == 1.0
    for section in ("insurer", "speech", "prompts", "departments", "processors", "understanding", "call", "rights"):
        assert getattr(staged, section) == getattr(live, section)


class People:
    """A directory of real people, some of them a processor's."""

    def candidate(self, concern: str, department: str, now: datetime) -> Candidate:
        return Candidate(concern, department, open=False)

    def targets(self, destination: Destination, now: datetime) -> Sequence[Target]:
        return (Target("sip:+49301234@pbx.example"), Target("sip:+49305678@pbx.example", "vitaservices"))


def test_nobody_is_rung_but_our_own_phone() -> None:
    phones = OwnPhones(People())
    phones.uri = lambda user: f"sip:{user}@127.0.0.1:1"
    care = phones.targets(Destination(Goal.DEPARTMENT, "pflegekasse"), NOW)
    people = phones.targets(Destination(Goal.HUMAN), NOW)
    dialled = [target.uri for target in (*care, *people)]
    assert all(uri.endswith("@127.0.0.1:1") for uri in dialled)
    assert len(set(dialled)) == 4
    assert [target.processor for target in care] == [None, "vitaservices"], "the gate's part stays what it is"
    users = [uri.partition(":")[2].partition("@")[0] for uri in dialled]
    assert [phones.place(user) for user in users] == ["pflegekasse", "pflegekasse", "mensch", "mensch"]
    assert "pflege" not in " ".join(users), "an extension must not tell the concern"
    assert phones.place("fremd") is None
    assert phones.candidate("pflege", "pflegekasse", NOW) == Candidate("pflege", "pflegekasse", open=False)


async def test_the_notice_can_be_lost_and_nothing_else() -> None:
    class Speaking:
        async def audio(self, play: Play, rate: int) -> Pcm:
            return Pcm(b"\0\0", rate)

    announcer = Breakable(Speaking())
    announcer.broken = True
    with pytest.raises(PromptMissingError):
        await announcer.audio(Play(Prompt.NOTICE), 8000)
    assert announcer.missed.is_set()
    assert (await announcer.audio(Play(Prompt.QUESTION), 8000)).data
    announcer.broken = False
    assert (await announcer.audio(Play(Prompt.NOTICE), 8000)).data


async def test_a_spy_counts_what_it_is_given() -> None:
    spy = Spy("aristech")
    await spy.transcribe(Pcm(b"", 8000))
    assert spy.received == 0
    await spy.transcribe(Pcm(b"\1\1", 8000))
    assert (spy.received, spy.offer.processor, spy.offer.make()) == (1, "aristech", spy)


def test_a_spy_stands_in_for_somebody_without_agreement(live: Settings, tmp_path: Path) -> None:
    assert getattr(_spy(live), "processor", None) == "aristech"
    everybody = live.processors.model_copy(update={"agreements": write(tmp_path / "r.yaml", AGREED)})
    assert getattr(_spy(live.model_copy(update={"processors": everybody})), "processor", None) == "unbekannt"
    (tmp_path / "r.yaml").write_text("version: [", "utf-8")
    assert _spy(live.model_copy(update={"processors": everybody})) is None


def test_the_live_prompts_stay_when_the_test_service_tidies_up(tmp_path: Path) -> None:
    (tmp_path / "live" / "prompts").mkdir(parents=True)
    (tmp_path / "live" / "prompts" / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "live" / "models").mkdir()
    (tmp_path / "live" / "records").mkdir()
    _furnish(tmp_path / "live", tmp_path / "stage")
    assert sorted(path.name for path in (tmp_path / "stage").iterdir()) == ["models", "prompts"]
    (tmp_path / "stage" / "prompts" / "a.wav").unlink()
    assert (tmp_path / "live" / "prompts" / "a.wav").read_bytes() == b"RIFF"


def test_without_a_live_system_the_stage_begins_with_nothing(tmp_path: Path) -> None:
    _furnish(tmp_path / "none", tmp_path / "stage")
    assert list((tmp_path / "stage").iterdir()) == []


async def test_an_experiment_that_breaks_proves_nothing_and_ends_nothing() -> None:
    def broken(_of: int) -> str:
        message = "disk"
        raise StoreError(message)

    assert await gathering._tried(None, broken, 1) is None
    assert await gathering._tried((), str, 1) == "1"


async def test_calls_are_told_apart_by_the_order_they_were_dialled_in() -> None:
    watch = Watch()

    async def dial(call: str) -> str:
        watch.note(call, "event", 0.0, event=Prompt.NOTICE)
        return call

    first, told = await watch.dial(lambda: dial("a"))  # type: ignore[arg-type,return-value]
    second, other = await watch.dial(lambda: dial("b"))  # type: ignore[arg-type,return-value]
    watch.note("a", "not_kept", 1.0)
    watch.note("stranger", "event", 1.0)
    assert (str(first), str(second)) == ("a", "b")
    assert (told.order, other.order) == (["Prompt", "not_kept"], ["Prompt"])


async def test_who_waits_for_something_in_a_call_is_told_when_it_happens() -> None:
    log = Log()
    waiting = asyncio.create_task(log.until(lambda told: told.tally == "routed", 1.0))
    await asyncio.sleep(0)
    log.add("Play:frage")
    log.add("Count", "routed")
    await waiting
    with pytest.raises(TimeoutError):
        await log.until(lambda told: "Seal" in told.order, 0.01)
