"""Hearing with the real model: callers made by Pico, coded in A-law as a telephone line would."""

import asyncio
import functools
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import py_nanotts
import pytest

from anruflotse.pcm import Pcm
from anruflotse.speech import model, whisper
from anruflotse.speech.audio import alaw_decode, alaw_encode, from_float, resample
from anruflotse.speech.seams import SpeechError
from anruflotse.speech.whisper import Hearing, WhisperRecogniser, log_mel, prepare

HINTS = ("Krankengeld", "Pflegegrad", "Haushaltshilfe", "Zuzahlungsbefreiung")
CONCERN = "Guten Tag, ich möchte wissen, wann mein Krankengeld überwiesen wird."
NEVER = threading.Event()


def say(text: str, speed: float = 0.95, rate: int = 8_000) -> Pcm:
    spoken = Pcm(py_nanotts.NanoTTS().speak(text, voice="de-DE", speed=speed), 16_000)
    return alaw_decode(alaw_encode(resample(spoken, rate)), rate)


def tone(*hertz: float, seconds: float = 2.0, level: float = 0.2) -> Pcm:
    time = np.arange(int(8_000 * seconds)) / 8_000
    return from_float(level * np.sin(2 * np.pi * np.outer(hertz, time)).sum(axis=0), 8_000)


def noise(seconds: float, level: float, seed: int = 1) -> Pcm:
    return from_float(level * np.random.default_rng(seed).normal(size=int(8_000 * seconds)), 8_000)


def held_by(event: threading.Event) -> Callable[[], bool]:
    """Work that keeps a worker until `event`; for five seconds at most, so that a failing test fails fast."""
    return lambda: event.wait(5)


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhisperRecogniser]:
    loaded = WhisperRecogniser(model.ensure(tmp_path_factory.getbasetemp() / "whisper"), threads=2, beam=5)
    yield loaded
    loaded.close()


@pytest.mark.parametrize("rate", [8_000, 16_000])
async def test_hears_a_concern_at_the_lines_rates(recogniser: WhisperRecogniser, rate: int) -> None:
    heard = await recogniser.transcribe(say(CONCERN, rate=rate), HINTS)
    assert heard.accepted
    assert heard.reason == ""
    assert "Krankengeld überwiesen" in heard.text
    assert 0.6 < heard.confidence <= 1
    assert heard.engine == "whisper-base"


async def test_hints_decide_how_a_word_is_written(recogniser: WhisperRecogniser) -> None:
    spoken = say("Ich habe eine Frage zu Frau Meier.")
    assert "Mayr" not in (await recogniser.transcribe(spoken)).text
    assert "Mayr" in (await recogniser.transcribe(spoken, ["Frau Mayr", "Herr Mayr", "Familie Mayr"])).text


async def test_only_as_many_hints_are_used_as_fit(recogniser: WhisperRecogniser) -> None:
    words = tuple(f"Kostenübernahmeerklärung {n}" for n in range(500))
    assert 60 < len(recogniser._prompt(words)) <= whisper.HINT_TOKENS
    assert (await recogniser.transcribe(say(CONCERN), words)).text


@pytest.mark.parametrize(
    ("audio", "reasons"),
    [
        (Pcm(b"", 8_000), {"empty"}),
        (Pcm(bytes(2), 8_000), {"empty"}),
        (Pcm(bytes(1_000), 16_000), {"empty"}),
        (Pcm(bytes(64_000), 8_000), {"no_speech"}),
        (alaw_decode(b"\xd5" * 16_000), {"no_speech"}),
        (noise(3, 0.02), {"no_speech", "low_confidence", "repetition", "empty"}),
        (noise(8, 0.2), {"no_speech", "low_confidence", "repetition", "empty"}),
        (tone(770, 1_336, seconds=1), {"no_speech", "low_confidence", "repetition", "empty"}),
        (tone(941, 1_477, seconds=4), {"no_speech", "low_confidence", "repetition", "empty"}),
        (tone(425, seconds=6), {"no_speech", "low_confidence", "repetition", "empty"}),
    ],
    ids=[
        "nothing",
        "one sample",
        "31 ms",
        "zeros",
        "A-law idle",
        "quiet noise",
        "loud noise",
        "key 5",
        "key #",
        "dial tone",
    ],
)
@pytest.mark.parametrize("hints", [(), HINTS], ids=["plain", "hints"])
async def test_what_is_no_speech_is_not_accepted(
    recogniser: WhisperRecogniser, audio: Pcm, reasons: set[str], hints: tuple[str, ...]
) -> None:
    heard = await recogniser.transcribe(audio, hints)
    assert not heard.accepted
    assert heard.reason in reasons


async def test_of_ten_minutes_only_thirty_seconds_are_heard(recogniser: WhisperRecogniser) -> None:
    first = say(CONCERN)
    pause = Pcm(bytes(16_000 * 30 - len(first.data) % 2), 8_000)
    long = Pcm(first.data + pause.data + say("Pflegegrad beantragen.").data * 300, 8_000)
    assert long.seconds > 500
    assert len(prepare(long)) == 30 * whisper.RATE
    heard = await recogniser.transcribe(long, HINTS)
    assert "Krankengeld" in heard.text
    assert "Pflegegrad" not in heard.text


async def test_the_event_loop_goes_on_while_it_listens(recogniser: WhisperRecogniser) -> None:
    listening = asyncio.create_task(recogniser.transcribe(say(CONCERN)))
    turns = 0
    while not listening.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    assert "Krankengeld" in listening.result().text


async def test_requests_at_once_do_not_mix(recogniser: WhisperRecogniser) -> None:
    audio = [say(CONCERN), say("Ich möchte meine Adresse ändern."), say("Meine Gesundheitskarte ist weg.")]
    alone = [recogniser.recognise(one).text for one in audio]
    assert len(set(alone)) == 3
    heard = await asyncio.gather(*(recogniser.transcribe(one) for one in audio * 2))
    assert [transcript.text for transcript in heard] == alone * 2


async def test_a_waiting_request_that_is_cancelled_is_forgotten_at_once(recogniser: WhisperRecogniser) -> None:
    class Carrier:
        """Stands for the audio a request carries."""

        def __call__(self) -> None:
            NEVER.set()

    go_on = threading.Event()
    busy = [asyncio.create_task(recogniser.run(held_by(go_on))) for _ in range(2)]
    work = Carrier()
    forgotten = weakref.ref(work)
    waiting = asyncio.create_task(recogniser.run(work))
    await asyncio.sleep(0)
    del work
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    del waiting
    assert [entry for entry in recogniser._desk._queue if entry[3] is forgotten()] == []
    await asyncio.sleep(0)  # the loop lets go of the cancellation, whose traceback holds the frames
    gc.collect()
    assert forgotten() is None
    go_on.set()
    await asyncio.gather(*busy)
    assert (await recogniser.transcribe(say(CONCERN))).accepted
    assert not NEVER.is_set()


async def test_a_request_cancelled_under_way_frees_its_worker(recogniser: WhisperRecogniser) -> None:
    for _ in range(4):
        under_way = asyncio.create_task(recogniser.transcribe(say("Ja.")))
        await asyncio.sleep(0)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
    assert (await recogniser.transcribe(say(CONCERN))).accepted


def test_the_urgent_goes_first_and_the_rest_in_turn() -> None:
    desk = whisper._Desk(threads=1, waiting=8)
    go_on, started = threading.Event(), threading.Event()
    order: list[str] = []

    def begin() -> bool:
        started.set()
        return go_on.wait(5)

    desk.put(begin, urgent=False)
    assert started.wait(5)
    for name in ("first", "second"):
        desk.put(functools.partial(order.append, name), urgent=False)
    last = desk.put(functools.partial(order.append, "third"), urgent=False)
    desk.put(functools.partial(order.append, "screening"), urgent=True)
    go_on.set()
    last.result(5)
    desk.close()
    assert order == ["screening", "first", "second", "third"]


def test_too_many_waiting_are_refused_with_a_remedy() -> None:
    desk = whisper._Desk(threads=1, waiting=2)
    go_on, started = threading.Event(), threading.Event()

    def begin() -> bool:
        started.set()
        return go_on.wait(5)

    served = desk.put(begin, urgent=False)
    assert started.wait(5)
    waiting = [desk.put(begin, urgent=False) for _ in range(2)]
    with pytest.raises(SpeechError, match=r"too much to do.*speech\.threads"):
        desk.put(begin, urgent=True)
    waiting[0].cancel()
    waiting.append(desk.put(begin, urgent=True))
    go_on.set()
    assert served.result(5)
    assert all(future.result(5) for future in waiting[1:])
    desk.close()


async def test_a_failure_of_the_engine_says_nothing_of_the_caller(
    recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        message = "geheimes Krankengeld"
        raise RuntimeError(message)

    monkeypatch.setattr(recogniser.engine, "decode", fail)
    with pytest.raises(SpeechError, match=r"failed \(RuntimeError\)") as raised:
        await recogniser.transcribe(say(CONCERN))
    assert "geheim" not in str(raised.value)
    monkeypatch.undo()
    assert (await recogniser.transcribe(say(CONCERN))).accepted


async def test_closing_cancels_who_waits_and_refuses_who_comes(tmp_path_factory: pytest.TempPathFactory) -> None:
    recogniser = WhisperRecogniser(tmp_path_factory.getbasetemp() / "whisper", threads=1)
    go_on = threading.Event()
    started = threading.Event()

    def begin() -> bool:
        started.set()
        return go_on.wait(5)

    busy = asyncio.create_task(recogniser.run(begin))
    await asyncio.to_thread(started.wait)
    waiting = asyncio.create_task(recogniser.transcribe(say("Ja.")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(recogniser.close))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await asyncio.gather(busy, closing)
    recogniser.close()
    with pytest.raises(SpeechError, match="closed"):
        await recogniser.transcribe(say("Ja."))
    assert not any(thread.is_alive() for thread in recogniser._desk._threads)


@pytest.mark.parametrize(
    ("hearing", "reason"),
    [
        (Hearing("Guten Tag.", -0.2, 0.1, cut=False), ""),
        (Hearing("Guten Tag.", -0.7, 0.1, cut=False), "low_confidence"),
        (Hearing("Guten Tag.", -0.2, 0.9, cut=False), "no_speech"),
        (Hearing("Copyright WDR 2021", -0.2, 0.1, cut=False), "no_speech"),
        (Hearing("Untertitel der Amara.org-Community", -0.1, 0.1, cut=False), "no_speech"),
        (Hearing("Vielen Dank fürs Zuschauen!", -0.1, 0.1, cut=False), "no_speech"),
        (Hearing("Ich schaue gern den WDR im Krankenhaus.", -0.2, 0.1, cut=False), ""),
        (Hearing("...", -0.1, 0.1, cut=False), "empty"),
        (Hearing("", 0.0, 0.1, cut=False), "empty"),
        (Hearing("Guten Tag.", -0.1, 0.1, cut=True), "repetition"),
        (Hearing("mein Kranken, mein Kranken, mein Kranken, mein Kranken", -0.1, 0.1, cut=False), "repetition"),
        (Hearing("Ja, ja, ja, ja, das stimmt.", -0.2, 0.1, cut=False), ""),
    ],
)
def test_judges_by_rule(recogniser: WhisperRecogniser, hearing: Hearing, reason: str) -> None:
    transcript = recogniser.judge(hearing)
    assert (transcript.accepted, transcript.reason) == (not reason, reason)


def test_after_a_loop_it_listens_once_more_in_the_long_window(
    recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: list[float] = []
    prompts: list[int] = []
    answers = [Hearing("a", -0.1, 0.0, cut=True), Hearing("Guten Tag", -0.1, 0.0, cut=False)]

    def decode(_encoded: object, prompt: tuple[int, ...], _seconds: float, _beam: int) -> Hearing:
        prompts.append(len(prompt))
        return answers.pop(0)

    monkeypatch.setattr(recogniser.engine, "encode", lambda _samples, seconds: windows.append(seconds))
    monkeypatch.setattr(recogniser.engine, "decode", decode)
    assert recogniser.recognise(say("Guten Tag."), HINTS).text == "Guten Tag"
    assert windows == [10, 30]
    assert prompts[0] > 0 == prompts[1]


def test_a_damaged_model_is_not_loaded(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = model.ensure(tmp_path_factory.getbasetemp() / "whisper")
    (tmp_path / "model").mkdir()
    for name in model.HASHES:
        (tmp_path / "model" / name).hardlink_to(whole / name)
    (tmp_path / "model" / "model.bin").unlink()
    (tmp_path / "model" / "model.bin").write_bytes((whole / "model.bin").read_bytes()[:-1])
    with pytest.raises(SpeechError, match="damaged"):
        WhisperRecogniser(tmp_path / "model")
    with pytest.raises(SpeechError, match="cannot be loaded"):
        WhisperRecogniser(tmp_path / "model", embedded=False)


async def test_any_whisper_model_can_be_used(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = model.ensure(tmp_path_factory.getbasetemp() / "whisper")
    (tmp_path / "ours").mkdir()
    for name in model.HASHES:
        (tmp_path / "ours" / name).hardlink_to(whole / name)
    (tmp_path / "ours" / "config.json").unlink()
    (tmp_path / "ours" / "config.json").write_bytes((whole / "config.json").read_bytes() + b"\n")
    recogniser = WhisperRecogniser(tmp_path / "ours", threads=1, beam=1, embedded=False)
    heard = await recogniser.transcribe(say(CONCERN), HINTS)
    recogniser.close()
    assert heard.engine == "whisper:ours"
    assert "Krankengeld" in heard.text


def test_features_are_those_whisper_was_trained_with() -> None:
    # From OpenAI's definition: a full-scale tone of 1 kHz peaks in the band around it, everything 80 dB below is cut.
    time = np.arange(whisper.RATE) / whisper.RATE
    features = log_mel(np.sin(2 * np.pi * 1_000 * time).astype(np.float32), 2.0)
    assert features.shape == (80, 200)
    assert features.dtype == np.float32
    assert set(np.argmax(features[:, 10:90], axis=0)) <= {26, 27}
    assert features.max() - features.min() == pytest.approx(2.0)
    assert (features[:, 150:] == features.min()).all()
    assert log_mel(np.zeros(10, np.float32), 1.0, 128).shape == (128, 100)


def test_nothing_a_caller_said_shows_in_a_repr(recogniser: WhisperRecogniser) -> None:
    hearing = Hearing("geheimes Krankengeld", -0.1, 0.0, cut=False)
    assert "geheim" not in repr(hearing) + repr(recogniser.judge(hearing))
