"""The prompt book: texts, gaps, cache, recordings, and the notice as callers hear it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import from_float, level_dbfs, to_samples, write_wav
from anruflotse.speech.catalogue import GAPS, load_catalogue
from anruflotse.speech.fake import FakeSynthesiser
from anruflotse.speech.pico import PicoSynthesiser
from anruflotse.speech.prompts import Fillings, PromptBook, PromptError, PromptMissing
from anruflotse.speech.seams import SpeechError, Synthesiser
from anruflotse.yamlshape import ShapeError

DEPARTMENTS = {"krankengeld": "Krankengeld & Familienleistungen", "pflegekasse": "Pflegekasse"}
CONCERNS = {"krankengeld": "Ihr Krankengeld oder Ihre Krankmeldung", "pflege": "die Pflegeversicherung", "notfall": ""}
SETTINGS = {"versicherer", "kontakt", "zeiten", "taste_widerspruch", "taste_mensch"}
FILLINGS = Fillings(DEPARTMENTS, CONCERNS, "mkk", "unsere Datenschutzbeauftragte", "montags bis freitags")
SHIPPED = Path(__file__).parents[2] / "src" / "anruflotse" / "speech" / "prompts.de.yaml"


def book(
    tmp_path: Path,
    synthesiser: Synthesiser | None = None,
    *,
    catalogue: Path | None = None,
    recordings: Path | None = None,
    voice: str = "fake",
) -> PromptBook:
    return PromptBook(
        synthesiser or FakeSynthesiser(),
        voice=voice,
        cache=tmp_path / "cache",
        fillings=FILLINGS,
        catalogue=catalogue,
        recordings=recordings,
    )


def tone(hertz: float, rate: int, seconds: float = 1.0, peak: float = 0.3) -> Pcm:
    return from_float(peak * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate), rate)


def hertz_of(audio: Pcm) -> float:
    spectrum = np.abs(np.fft.rfft(to_samples(audio)))
    return float(spectrum.argmax() * audio.rate / (len(audio.data) // 2))


# --- texts and gaps ---------------------------------------------------------------------------------------------------


def test_gaps_are_filled_from_catalogue_and_settings(tmp_path: Path) -> None:
    prompts = book(tmp_path)
    assert prompts.text("verbinde", abteilung="pflegekasse") == "Ich verbinde Sie mit der Abteilung Pflegekasse."
    assert prompts.text("bestaetigen", anliegen="pflege") == "Es geht um die Pflegeversicherung, richtig?"
    assert "die Pflegeversicherung" in prompts.text("auswahl", erstes="krankengeld", zweites="pflege")
    assert "montags bis freitags" in prompts.text("niemand_erreichbar")
    assert "unsere Datenschutzbeauftragte" in prompts.text("datenschutz_verbinde")
    assert "mkk" in prompts.text("hinweis")


async def test_what_cannot_be_said_is_missing_in_text_and_audio(tmp_path: Path) -> None:
    prompts = book(tmp_path)
    wrong: list[tuple[str, dict[str, str]]] = [
        ("gibtsnicht", {}),
        ("verbinde", {}),
        ("bestaetigen", {"anliegen": "notfall"}),
        ("verbinde", {"abteilung": "unbekannt"}),
        ("verbinde", {"abteilung": "Pflegekasse"}),
        ("verbinde", {"abteilung": "pflegekasse", "anliegen": "pflege"}),
        ("hinweis", {"versicherer": "eine andere"}),
        ("frage", {"text": "was der Anrufer sagte"}),
    ]
    for name, gaps in wrong:
        with pytest.raises(PromptMissing):
            prompts.text(name, **gaps)
        with pytest.raises(PromptMissing):
            await prompts.audio(name, rate=16_000, **gaps)
    with pytest.raises(PromptMissing, match="44100"):
        await prompts.audio("frage", rate=44_100)


async def test_the_voice_gets_the_pronunciation_the_reader_the_text(tmp_path: Path) -> None:
    voice = FakeSynthesiser()
    prompts = book(tmp_path, voice)
    await prompts.audio("verbinde", abteilung="krankengeld")
    await prompts.audio("notfall")
    assert voice.spoken[0] == "Ich verbinde Sie mit der Abteilung Krankengeld und Familienleistungen."
    assert "eins eins zwei" in voice.spoken[1]
    assert "112" in prompts.text("notfall")


# --- audio, cache -----------------------------------------------------------------------------------------------------


async def test_audio_comes_at_both_rates_levelled_with_silent_edges(tmp_path: Path) -> None:
    prompts = book(tmp_path)
    wide, narrow = await prompts.audio("frage"), await prompts.audio("frage", rate=8_000)
    assert (wide.rate, narrow.rate) == (16_000, 8_000)
    assert wide.seconds == pytest.approx(narrow.seconds, abs=0.001)
    for audio in (wide, narrow):
        assert level_dbfs(audio, active=True) == pytest.approx(-20, abs=0.5)
        edge = to_samples(audio)[: audio.rate * 25 // 1_000]
        assert np.abs(edge.astype(int)).max() < 40
        assert np.abs(to_samples(audio)[-audio.rate * 25 // 1_000 :].astype(int)).max() < 40


async def test_prepare_speaks_everything_known_ahead_once(tmp_path: Path) -> None:
    voice = FakeSynthesiser()
    prompts = book(tmp_path, voice)
    steps: list[tuple[int, int]] = []
    await prompts.prepare(lambda done, total: steps.append((done, total)))
    fixed = sum(1 for gaps in GAPS.values() if not set(gaps) - SETTINGS)
    assert len(voice.spoken) == fixed + 2 * len(DEPARTMENTS) + len([text for text in CONCERNS.values() if text])
    assert steps[-1] == (len(voice.spoken), len(voice.spoken))
    await prompts.prepare()
    await prompts.audio("hinweis")
    assert len(voice.spoken) == steps[-1][1]


async def test_the_next_start_finds_everything_in_the_cache(tmp_path: Path) -> None:
    first = book(tmp_path)
    await first.prepare()
    choice = await first.audio("auswahl", erstes="pflege", zweites="krankengeld")
    silent = FakeSynthesiser(SpeechError("the voice must not be needed"))
    second = book(tmp_path, silent)
    await second.prepare()
    assert await second.audio("hinweis") == await first.audio("hinweis")
    assert await second.audio("auswahl", erstes="pflege", zweites="krankengeld") == choice
    assert silent.spoken == []


async def test_another_voice_or_text_is_not_taken_from_the_cache_and_the_old_one_goes(tmp_path: Path) -> None:
    await book(tmp_path).prepare()
    before = {path.name for path in (tmp_path / "cache").iterdir()}
    other = FakeSynthesiser()
    await book(tmp_path, other, voice="other").prepare()
    after = {path.name for path in (tmp_path / "cache").iterdir()}
    assert len(other.spoken) == len(before) == len(after)
    assert not before & after


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:20],
        lambda content: content[:-2],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: hashlib.sha256(content[32:]).digest() + content[32:],
    ],
    ids=["empty", "no audio", "cut", "one bit", "foreign digest"],
)
async def test_a_damaged_cache_file_is_noticed_and_spoken_anew(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    good = await book(tmp_path).audio("frage")
    (file,) = (tmp_path / "cache").iterdir()
    content = file.read_bytes()
    file.write_bytes(damage(content))
    voice = FakeSynthesiser()
    assert await book(tmp_path, voice).audio("frage") == good
    assert len(voice.spoken) == 1
    assert file.read_bytes() == content


async def test_two_cache_files_exchanged_are_noticed(tmp_path: Path) -> None:
    first = book(tmp_path)
    good = await first.audio("frage")
    await first.audio("stoerung")
    one, two = sorted((tmp_path / "cache").iterdir())
    one_content, two_content = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_content)
    two.write_bytes(one_content)
    assert await book(tmp_path).audio("frage") == good


async def test_leftovers_of_an_interrupted_write_are_swept_and_foreign_files_stay(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    leftover = cache / f".{'a' * 64}.{'b' * 16}.tmp"
    leftover.write_bytes(b"half")
    foreign = cache / "README"
    foreign.write_text("mine")
    await book(tmp_path).prepare()
    assert not leftover.exists()
    assert foreign.exists()


async def test_a_cache_that_cannot_be_written_costs_no_prompt(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    prompts = book(tmp_path)
    assert (await prompts.audio("frage")).data
    assert any("cannot be kept" in problem for problem in await prompts.check())


async def test_calls_that_need_the_same_prompt_wait_for_one_rendering(tmp_path: Path) -> None:
    voice = FakeSynthesiser()
    prompts = book(tmp_path, voice)
    hanging_up = asyncio.ensure_future(prompts.audio("frage"))
    waiting = asyncio.ensure_future(prompts.audio("frage", rate=8_000))
    await asyncio.sleep(0)
    hanging_up.cancel()
    assert (await waiting).rate == 8_000
    assert len(voice.spoken) == 1


async def test_a_failing_voice_makes_the_prompt_missing_and_a_later_try_may_succeed(tmp_path: Path) -> None:
    prompts = book(tmp_path, FakeSynthesiser(SpeechError("the engine is down"), None))
    with pytest.raises(PromptMissing, match="engine is down"):
        await prompts.audio("frage")
    assert (await prompts.audio("frage")).data


async def test_no_start_without_a_voice(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"hinweis.*engine is down"):
        await book(tmp_path, FakeSynthesiser(SpeechError("the engine is down"))).prepare()


async def test_a_voice_that_returns_silence_is_a_failing_voice(tmp_path: Path) -> None:
    class Mute:
        processor = None

        async def speak(self, text: str) -> Pcm:
            return Pcm(bytes(len(text) * 320), 16_000)

    with pytest.raises(PromptMissing, match="silence"):
        await book(tmp_path, Mute()).audio("hinweis")
    assert not (tmp_path / "cache").exists()


# --- recordings by a person -------------------------------------------------------------------------------------------


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    path = tmp_path / "recordings"
    path.mkdir()
    return path


async def test_a_recording_wins_over_the_voice_for_its_gap_only(tmp_path: Path, recordings: Path) -> None:
    write_wav(recordings / "verbinde.krankengeld.wav", tone(500, 16_000))
    write_wav(recordings / "hinweis.wav", tone(700, 8_000))
    voice = FakeSynthesiser()
    prompts = book(tmp_path, voice, recordings=recordings)
    assert hertz_of(await prompts.audio("verbinde", abteilung="krankengeld")) == pytest.approx(500, abs=5)
    assert hertz_of(await prompts.audio("hinweis", rate=8_000)) == pytest.approx(700, abs=5)
    assert voice.spoken == []
    await prompts.audio("verbinde", abteilung="pflegekasse")
    assert len(voice.spoken) == 1
    assert await prompts.check() == []


async def test_a_stereo_studio_recording_is_taken_and_levelled(tmp_path: Path, recordings: Path) -> None:
    loud = np.concatenate(
        [np.zeros(24_000), 0.02 * np.sin(2 * np.pi * 600 * np.arange(48_000) / 48_000), np.zeros(9_000)]
    )
    soundfile.write(recordings / "frage.wav", np.column_stack([loud, loud]), 48_000, subtype="PCM_24")
    prompts = book(tmp_path, recordings=recordings)
    for rate in (8_000, 16_000):
        audio = await prompts.audio("frage", rate=rate)
        assert audio.rate == rate
        assert hertz_of(audio) == pytest.approx(600, abs=5)
        assert audio.seconds == pytest.approx(1.06, abs=0.03)
        assert level_dbfs(audio, active=True) == pytest.approx(-20, abs=0.5)


async def test_a_recording_never_reaches_the_cache(tmp_path: Path, recordings: Path) -> None:
    write_wav(recordings / "frage.wav", tone(500, 16_000))
    await book(tmp_path, recordings=recordings).audio("frage")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"RIFF....WAVE nonsense", "header is broken"),
        (b"", "empty"),
    ],
)
async def test_a_broken_recording_stops_the_start_and_is_named(
    tmp_path: Path, recordings: Path, content: bytes, said: str
) -> None:
    path = recordings / "hinweis.wav"
    path.write_bytes(content)
    prompts = book(tmp_path, recordings=recordings)
    with pytest.raises(PromptError, match=said) as caught:
        await prompts.prepare()
    assert str(path) in str(caught.value)
    assert any(str(path) in problem for problem in await prompts.check())
    with pytest.raises(PromptMissing):
        await prompts.audio("hinweis")


async def test_a_silent_recording_of_the_notice_stops_the_start(tmp_path: Path, recordings: Path) -> None:
    write_wav(recordings / "hinweis.wav", Pcm(bytes(64_000), 16_000))
    with pytest.raises(PromptError, match="silent"):
        await book(tmp_path, recordings=recordings).prepare()


async def test_check_tells_of_recordings_that_could_be_better(tmp_path: Path, recordings: Path) -> None:
    write_wav(recordings / "frage.wav", tone(500, 16_000, peak=0.004))
    write_wav(recordings / "stoerung.wav", from_float(np.sign(np.sin(np.arange(16_000) / 9)), 16_000))
    write_wav(recordings / "hinwies.wav", tone(500, 16_000))
    write_wav(recordings / "verbinde.wav", tone(500, 16_000))
    write_wav(recordings / "hinweis.wav", tone(500, 16_000, seconds=61))
    problems = "\n".join(await book(tmp_path, recordings=recordings).check())
    for part in (
        "frage.wav: the recording is very quiet",
        "stoerung.wav: the recording is overdriven",
        "hinwies.wav: no prompt has this name",
        "verbinde.wav: no prompt",
        "hinweis.wav: the recording lasts 61 s",
        "The notice (`hinweis`) lasts 61.1 s",
    ):
        assert part in problems
    assert "no such directory" in (await book(tmp_path, recordings=tmp_path / "nowhere").check())[0]


# --- the catalogue file -----------------------------------------------------------------------------------------------


def altered(tmp_path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "eigene.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def place_of(old: str) -> tuple[int, int]:
    """Line and column of the quoted value that stands after `old`."""
    text = SHIPPED.read_text(encoding="utf-8")
    before = text[: text.index(old) + len(old)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


async def test_an_operators_own_catalogue_is_heard(tmp_path: Path) -> None:
    own = altered(tmp_path, '"Worum geht es bei Ihrem Anruf?"', '"Was kann ich für Sie tun?"')
    voice = FakeSynthesiser()
    await book(tmp_path, voice, catalogue=own).audio("frage")
    assert voice.spoken == ["Was kann ich für Sie tun?"]


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("verbinde", '"Ich verbinde Sie mit {abteilugn}."', "{abteilugn} is not known here. Allowed: `abteilung`"),
        ("verbinde", '"Ich verbinde Sie mit {abteilung."', "brace"),
        ("verbinde", '"Ich verbinde Sie mit {abteilung!r}."', "nothing else"),
        ("verbinde", '"Ich verbinde Sie mit {abteilung.name}."', "not known here"),
        ("verbinde", '""', "nothing between the quotes"),
        ("verbinde", "7", "expected text, found the number 7"),
        ("bestaetigen", '"Richtig?"', "{anliegen} is missing"),
        ("hinweis", '"{versicherer}. Wie kann ich helfen? {taste_widerspruch} {taste_mensch}"', "`Sprachassistent`"),
        (
            "hinweis",
            '"{versicherer}, Sprachassistent. Sagen Sie Widerspruch oder {taste_widerspruch}, sonst {taste_mensch}."',
            "recorded",
        ),
        (
            "hinweis",
            '"{versicherer}, Sprachassistent. Ich zeichne auf. {taste_widerspruch} oder {taste_mensch}."',
            "`Widerspruch`",
        ),
        (
            "hinweis",
            '"{versicherer}, Sprachassistent. Ich zeichne auf. Widerspruch? 9, sonst {taste_mensch}."',
            "{taste_widerspruch} is",
        ),
        (
            "hinweis",
            '"{versicherer}, Sprachassistent. Ich zeichne auf. Widerspruch? {taste_widerspruch}, 0."',
            "{taste_mensch} is missing",
        ),
        ("hinweis", '"Sprachassistent. Ich zeichne auf. Widerspruch? Dann 9, sonst 0."', "{versicherer} is missing"),
        ("notfall", '"Ich verbinde Sie."', "`112`"),
        ("notfall_suizid", '"Wählen Sie die 112."', "Telefonseelsorge"),
    ],
)
def test_a_wrong_text_is_told_with_line_and_column(tmp_path: Path, key: str, text: str, said: str) -> None:
    old = f"\n  {key}: "
    line, column = place_of(old)
    shipped = load_catalogue().texts[key]
    own = altered(tmp_path, f'{old}"{shipped}"', f"{old}{text}")
    with pytest.raises(ShapeError) as caught:
        book(tmp_path, catalogue=own)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{own}, line {line}, column {column}: ")


async def test_prompts_name_the_keys_that_are_set(tmp_path: Path) -> None:
    voice = FakeSynthesiser()
    keys = replace(FILLINGS, objection_key="5", human_key="#")
    prompts = PromptBook(voice, voice="fake", cache=tmp_path / "cache", fillings=keys)
    assert "Wenn nicht, 5 drücken" in prompts.text("hinweis")
    assert prompts.text("widerspruch_nachfrage").endswith("die Taste 5.")
    assert prompts.text("frage_stille").endswith("die Taste #.")
    assert not [name for name in GAPS if "9" in load_catalogue().texts[name]], "a prompt names a key by itself"
    await prompts.audio("mensch_nachfrage")
    assert voice.spoken[-1].endswith("die Taste Raute.")


@pytest.mark.parametrize(("key", "told"), [("5", True), ("9", False)])
async def test_a_recording_that_may_name_another_key_is_told(tmp_path: Path, key: str, told: bool) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write_wav(recordings / "hinweis.wav", tone(700, 8_000))
    write_wav(recordings / "frage.wav", tone(700, 8_000))
    prompts = PromptBook(
        FakeSynthesiser(), voice="fake", cache=tmp_path / "cache", fillings=replace(FILLINGS, objection_key=key),
        recordings=recordings,
    )  # fmt: skip
    problems = [problem for problem in await prompts.check() if "names the keys" in problem]
    assert [f"{recordings / 'hinweis.wav'}: " in problem for problem in problems] == [True] * told


@pytest.mark.parametrize("name", sorted(GAPS))
def test_a_missing_prompt_is_told(tmp_path: Path, name: str) -> None:
    own = altered(tmp_path, f"\n  {name}: ", "\n  # ")
    with pytest.raises(ShapeError, match=f"`{name}` is missing"):
        book(tmp_path, catalogue=own)


def test_an_unknown_prompt_and_a_misspelt_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"unknown key `hinwies`.*Did you mean `hinweis`"):
        book(tmp_path, catalogue=altered(tmp_path, "\n  hinweis: ", "\n  hinwies: "))
    with pytest.raises(ShapeError, match="cannot be read"):
        book(tmp_path, catalogue=tmp_path / "nirgends.yaml")


def test_pronunciation_replaces_whole_words_longest_first(tmp_path: Path) -> None:
    own = altered(tmp_path, "aussprache:", 'aussprache:\n  "App Store": "Äppstohr"')
    catalogue = load_catalogue(own)
    assert catalogue.spoken("die app, der App Store & Apparat 1122") == "die Äpp, der Äppstohr und Apparat 1122"


# --- the real thing ---------------------------------------------------------------------------------------------------


async def test_the_notice_says_what_it_must_within_twelve_seconds(tmp_path: Path) -> None:
    pico = PicoSynthesiser(speed=0.95)
    prompts = book(tmp_path, pico, voice=pico.voice)
    text = prompts.text("hinweis")
    for part in (
        "mkk",
        "automatischer Sprachassistent",
        "zeichne Ihre nächste Antwort auf",
        "9",
        "Widerspruch",
        "Menschen",
        "0",
    ):
        assert part in text
    audio = await prompts.audio("hinweis")
    assert 6 < audio.seconds <= 12
    assert level_dbfs(audio, active=True) == pytest.approx(-20, abs=1)
    assert await prompts.check() == []


async def test_a_notice_made_too_long_is_told_by_check(tmp_path: Path) -> None:
    own = altered(
        tmp_path,
        "Für einen Menschen die {taste_mensch}.",
        "Für einen Menschen, wenn Ihnen das lieber ist, die {taste_mensch}.",
    )
    pico = PicoSynthesiser(speed=0.95)
    problems = await book(tmp_path, pico, catalogue=own, voice=pico.voice).check()
    assert len(problems) == 1
    assert "should not exceed 12 s" in problems[0]
