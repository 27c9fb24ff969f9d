"""Screening with the real model: callers made by Pico, coded in A-law, and rules simple enough to be seen through."""

import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import py_nanotts
import pytest

from anruflotse.pcm import Pcm
from anruflotse.speech import model
from anruflotse.speech.audio import alaw_decode, alaw_encode, from_float, resample
from anruflotse.speech.screening import Weighing, WhisperScreener, decide, read_phrases
from anruflotse.speech.seams import Heard, Screening, SpeechError, Transcript
from anruflotse.speech.whisper import Hearing, WhisperRecogniser, prepare

RULES = {
    Heard.OBJECTION: r"^(?!.*(bescheid|ablehnung|patienten)).*(widersp|aufzeich|keine aufnahme|nicht auf)",
    Heard.EMERGENCY: r"notfall|krankenwagen|keine luft",
    Heard.HUMAN: r"mitarbeiter|menschen",
    Heard.REPEAT: r"wiederholen|wie bitte",
    Heard.NO: r"^(nein|nee|nö)\b",
    Heard.YES: r"^(ja|genau)\b",
}


def simple_rules(text: str) -> Heard | None:
    return next((heard for heard, pattern in RULES.items() if re.search(pattern, text.lower())), None)


def say(text: str, speed: float = 0.95) -> Pcm:
    spoken = Pcm(py_nanotts.NanoTTS().speak(text, voice="de-DE", speed=speed), 16_000)
    return alaw_decode(alaw_encode(resample(spoken, 8_000)))


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhisperRecogniser]:
    loaded = WhisperRecogniser(model.ensure(tmp_path_factory.getbasetemp() / "whisper"))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def screener(recogniser: WhisperRecogniser) -> WhisperScreener:
    return WhisperScreener(recogniser, simple_rules)


@pytest.fixture
def with_rules(screener: WhisperScreener, monkeypatch: pytest.MonkeyPatch) -> Callable[[Heard | None], WhisperScreener]:
    """The same screener with rules that always read the same."""

    def change(read: Heard | None) -> WhisperScreener:
        monkeypatch.setattr(screener, "_rules", lambda _text: read)
        return screener

    return change


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Ich widerspreche der Aufzeichnung.", Heard.OBJECTION),
        ("Nein, ich widerspreche der Aufzeichnung.", Heard.OBJECTION),
        ("Ich möchte nicht aufgezeichnet werden.", Heard.OBJECTION),
        ("Ich möchte mit einem Mitarbeiter sprechen.", Heard.HUMAN),
        ("Ich brauche einen Krankenwagen.", Heard.EMERGENCY),
        ("Können Sie das bitte wiederholen?", Heard.REPEAT),
        ("Nein, das stimmt nicht.", Heard.NO),
    ],
)
async def test_what_is_said_clearly_is_certain(screener: WhisperScreener, text: str, heard: Heard) -> None:
    found = await screener.screen(say(text))
    assert (found.heard, found.certain) == (heard, True)
    assert 0.5 < found.confidence <= 1


@pytest.mark.parametrize(
    "text",
    [
        "Ich möchte Widerspruch gegen den Bescheid einlegen.",
        "Ich bin mit der Ablehnung nicht einverstanden.",
        "Ich möchte in die Familienversicherung aufgenommen werden.",
        "Meine Aufnahme im Krankenhaus ist am Montag.",
        "Ich möchte keine Werbung von Ihnen.",
        "Wann wird mein Krankengeld überwiesen?",
    ],
)
async def test_a_concern_is_never_certainly_an_objection(screener: WhisperScreener, text: str) -> None:
    found = await screener.screen(say(text))
    assert not (found.heard is Heard.OBJECTION and found.certain)
    assert found.heard in {Heard.SPEECH, Heard.OBJECTION}


@pytest.mark.parametrize("speed", [0.85, 1.1])
@pytest.mark.parametrize(
    ("text", "wrong"),
    [("Ja.", Heard.NO), ("Jawohl.", Heard.NO), ("Nein.", Heard.YES), ("Nee.", Heard.YES), ("Nö.", Heard.YES)],
)
async def test_yes_and_no_are_never_certainly_the_other(
    screener: WhisperScreener, text: str, wrong: Heard, speed: float
) -> None:
    found = await screener.screen(say(text, speed))
    assert not (found.heard is wrong and found.certain)


def noise(level: float, seconds: float) -> Pcm:
    return from_float(level * np.random.default_rng(2).normal(size=int(8_000 * seconds)), 8_000)


def key_tone(seconds: float) -> Pcm:
    time = np.arange(int(8_000 * seconds)) / 8_000
    return from_float(0.2 * (np.sin(2 * np.pi * 852 * time) + np.sin(2 * np.pi * 1_477 * time)), 8_000)


@pytest.mark.parametrize("audio", [Pcm(b"", 8_000), Pcm(bytes(16_000), 8_000), Pcm(bytes(500_000), 16_000)])
async def test_silence_is_silence(screener: WhisperScreener, audio: Pcm) -> None:
    assert await screener.screen(audio) == Screening(Heard.SILENCE, certain=True, confidence=1.0)


@pytest.mark.parametrize("audio", [noise(0.02, 1), noise(0.1, 3), noise(0.1, 8), key_tone(0.3), key_tone(2)])
async def test_noise_and_keys_say_nothing_for_certain(screener: WhisperScreener, audio: Pcm) -> None:
    found = await screener.screen(audio)
    assert found.heard is Heard.SILENCE or not found.certain


async def test_phrases_alone_make_an_objection_likely(
    with_rules: Callable[[Heard | None], WhisperScreener],
) -> None:
    found = await with_rules(None).screen(say("Ich widerspreche der Aufzeichnung."))
    assert (found.heard, found.certain) == (Heard.OBJECTION, False)


async def test_rules_alone_make_an_objection_likely(
    with_rules: Callable[[Heard | None], WhisperScreener],
) -> None:
    found = await with_rules(Heard.OBJECTION).screen(say("Wann wird mein Krankengeld überwiesen?"))
    assert (found.heard, found.certain) == (Heard.OBJECTION, False)


async def test_long_speech_is_read_by_the_rules_and_never_certain(screener: WhisperScreener) -> None:
    story = (
        "Guten Tag, mein Name ist Müller, ich bin seit Jahren bei Ihnen versichert, ich widerspreche der Aufzeichnung."
    )
    assert say(story).seconds > 6
    found = await screener.screen(say(story))
    assert (found.heard, found.certain) == (Heard.OBJECTION, False)
    concern = (
        "Guten Tag, mein Name ist Müller, ich bin seit Jahren bei Ihnen versichert, ich warte auf mein Krankengeld."
    )
    assert (await screener.screen(say(concern))).heard is Heard.SPEECH
    assert (await screener.screen(noise(0.05, 600))).heard is Heard.SILENCE


async def test_screening_goes_before_recognition(
    screener: WhisperScreener, recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    urgencies: list[bool] = []

    def run(work: Callable[[], Screening], *, urgent: bool = False) -> Awaitable[Screening]:
        urgencies.append(urgent)
        return WhisperRecogniser.run(recogniser, work, urgent=urgent)

    monkeypatch.setattr(recogniser, "run", run)
    await screener.screen(Pcm(b"", 8_000))
    assert urgencies == [True]


SURE = Transcript("x", 0.9, accepted=True, reason="", engine="test")


@pytest.mark.parametrize(
    ("said", "weighing", "heard", "certain"),
    [
        (Heard.YES, Weighing(Heard.YES, 9, 0), Heard.YES, True),
        (Heard.YES, Weighing(Heard.YES, 1, 0), Heard.YES, False),
        (Heard.YES, Weighing(Heard.NO, 9, 0), Heard.NO, False),
        (Heard.NO, Weighing(Heard.YES, 9, 0), Heard.NO, False),
        (Heard.OBJECTION, Weighing(Heard.OBJECTION, 9, 0), Heard.OBJECTION, True),
        (Heard.OBJECTION, Weighing(Heard.SPEECH, 90, 0), Heard.OBJECTION, False),
        (Heard.OBJECTION, Weighing(Heard.HUMAN, 9, 0), Heard.OBJECTION, False),
        (Heard.HUMAN, Weighing(Heard.OBJECTION, 9, 0), Heard.OBJECTION, False),
        (Heard.HUMAN, Weighing(Heard.EMERGENCY, 9, 0), Heard.EMERGENCY, False),
        (Heard.HUMAN, Weighing(Heard.YES, 9, 0), Heard.HUMAN, False),
        (Heard.EMERGENCY, Weighing(Heard.OBJECTION, 9, 30), Heard.EMERGENCY, False),
        (Heard.EMERGENCY, Weighing(Heard.OBJECTION, 9, 5), Heard.EMERGENCY, False),
        (None, Weighing(Heard.OBJECTION, 9, 2), Heard.OBJECTION, False),
        (None, Weighing(Heard.REPEAT, 9, 90), Heard.SPEECH, True),
        (None, Weighing(Heard.OBJECTION, 9, 90), Heard.SPEECH, False),
        (None, Weighing(Heard.OBJECTION, 1, 2), Heard.SPEECH, False),
        (None, Weighing(Heard.SPEECH, 1, 2), Heard.SPEECH, False),
        (None, Weighing(Heard.SPEECH, 9, 0), Heard.SPEECH, True),
        (Heard.YES, Weighing(Heard.SPEECH, 9, 0), Heard.YES, False),
    ],
)
def test_only_what_both_say_is_certain_and_the_dearer_mistake_decides(
    said: Heard | None, weighing: Weighing, heard: Heard, certain: bool
) -> None:
    found = decide(said, weighing, SURE)
    assert (found.heard, found.certain) == (heard, certain)
    assert 0 <= found.confidence <= 1


async def test_a_nein_decoded_as_the_digit_nine_is_spelled_before_it_is_read(
    screener: WhisperScreener, recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object, digits: bool = True) -> Hearing:
        return Hearing("9." if digits else "Nein.", -0.2, 0.0, cut=False)

    monkeypatch.setattr(recogniser.engine, "decode", decode)
    read: list[str] = []
    monkeypatch.setattr(screener, "_rules", read.append)
    await screener.screen(say("Nein."))
    assert read == ["Nein."]


def test_without_digits_numbers_are_words(recogniser: WhisperRecogniser) -> None:
    samples = prepare(say("Meine Nummer ist zweihundertachtundsechzig."))
    encoded = recogniser.engine.encode(samples, 10)
    assert re.search(r"\d", recogniser.engine.decode(encoded, (), 3.0, 5).text)
    assert not re.search(r"\d", recogniser.engine.decode(encoded, (), 3.0, 5, digits=False).text)


async def test_a_clear_yes_is_heard(screener: WhisperScreener) -> None:
    assert (await screener.screen(say("Ja, das ist richtig."))).heard is Heard.YES


@pytest.mark.parametrize(
    "transcript",
    [
        Transcript("x", 0.3, accepted=False, reason="low_confidence", engine="test"),
        Transcript("x", 0.9, accepted=False, reason="repetition", engine="test"),
    ],
)
def test_nothing_is_certain_that_was_hardly_heard(transcript: Transcript) -> None:
    assert not decide(Heard.OBJECTION, Weighing(Heard.OBJECTION, 9, 0), transcript).certain
    assert not decide(None, Weighing(Heard.YES, 9, 90), transcript).certain


def test_agreement_is_more_confident_than_dispute() -> None:
    agreed = decide(Heard.YES, Weighing(Heard.YES, 4, 0), SURE)
    disputed = decide(Heard.YES, Weighing(Heard.NO, 4, 0), SURE)
    assert agreed.confidence > 0.7
    assert disputed.confidence <= 0.5


def test_the_shipped_list_is_a_list_without_contradictions() -> None:
    table = read_phrases()
    assert set(table) == set(Heard) - {Heard.SILENCE}
    texts = [text for phrases in table.values() for text in phrases]
    assert len(texts) == len(set(texts)) > 200


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("objection: [Widerspruch.", "cannot be read"),
        ("[]", "must hold exactly"),
        ("objection: [Widerspruch.]", "must hold exactly"),
        ("{yes: [Ja.], no: [Nein.]}", "must hold exactly"),
    ],
)
def test_a_wrong_list_is_refused_with_its_name(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "ours.yaml").write_text(content)
    with pytest.raises(SpeechError, match=rf"ours\.yaml.*{fault}|{fault}"):
        read_phrases(tmp_path / "ours.yaml")
    with pytest.raises(SpeechError, match="cannot be read"):
        read_phrases(tmp_path / "missing.yaml")


def test_a_list_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    shipped = {str(heard): "[Ja.]" for heard in Heard if heard is not Heard.SILENCE}
    for wrong in ("[]", "Ja.", "[true]", '[" "]'):
        lines = [f'"{key}": {wrong if key == "yes" else value}' for key, value in shipped.items()]
        (tmp_path / "ours.yaml").write_text("\n".join(lines))
        with pytest.raises(SpeechError, match='"yes" must be a list'):
            read_phrases(tmp_path / "ours.yaml")
