"""Listening for the few things that must be understood at any time: yes, no, an objection, a wish for a human.

Free decoding alone errs on short words ("Nö" comes out as "Ja"), so two judges must agree before anything is certain:

- the rules, which read what was decoded freely, and
- a comparison with a closed list of phrases (`phrases.de.yaml`). Each phrase is scored by its log-probability given the
  audio minus the same given near-silence (pointwise mutual information), which takes out how common the phrase is.

A closed list has an answer for everything. Therefore it also holds much of what else callers say, and its best phrase
must explain the audio nearly as well as what was decoded freely.
"""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import from_float
from anruflotse.speech.seams import Heard, Screening, SpeechError, Transcript, WordRules
from anruflotse.speech.whisper import RATE, Floats, Hearing, WhisperRecogniser, prepare

LONG_SECONDS: Final = 6.0
"""Longer speech is no short answer: then the rules alone read it, and nothing found is certain."""
CERTAIN_MARGIN: Final = 3.0
"""By so many nats a meaning must lead over the next one to be certain, ..."""
LIKELY_MARGIN: Final = 2.0
"""... and by so many to be likely on the phrases' word alone."""
WIDEST_GAP: Final = 12.0
"""A phrase less likely than what was decoded freely by more nats than this is not what was said.

Chosen on 167 synthetic clips, where the rules found nothing: it kept 33 of 38 phrases that were right and refused 17 of
22 that were not; on 128 clips with wordings it was not chosen on, 12 of 16 and 20 of 23.
"""
LEAST_CONFIDENCE: Final = 0.35
"""Single words are decoded with less confidence than sentences (`Transcript.confidence`), so less is asked of them."""

_WINDOW: Final = 10.0
_REST_SECONDS: Final = 1.2
_BEAM: Final = 5
_ALWAYS_LETTERS: Final = 12
_ALIKE: Final = 32
_SCALE: Final = 2.0
_MOST_NATS: Final = 50.0
_QUIET: Final = 1e-4
_QUIET_SECONDS: Final = 3.2
_URGENCY: Final = (Heard.OBJECTION, Heard.EMERGENCY, Heard.HUMAN)
_MEANINGS: Final = frozenset(Heard) - {Heard.SILENCE}


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase of the list: what it means, its tokens, its pieces of three letters and its score on near-silence."""

    meaning: Heard
    tokens: tuple[int, ...] = field(repr=False)
    pieces: frozenset[str] = field(repr=False)
    short: bool
    silent: float


@dataclass(frozen=True, slots=True)
class Weighing:
    """The phrases' verdict: the likeliest meaning, by how many nats it leads over the next one, and how badly it fits.

    `gap` is by how many nats its best phrase is less likely than what was decoded freely.
    """

    meaning: Heard
    margin: float
    gap: float


class WhisperScreener:
    """A `Screener` that shares a recogniser's model and workers; its requests go before recognition.

    Audio over 30 s is cut. Build it off the event loop: scoring the list on near-silence takes about a second.
    """

    def __init__(self, recogniser: WhisperRecogniser, rules: WordRules, phrases: Path | None = None) -> None:
        """Read the phrases, from the shipped list unless `phrases` names another. Raises SpeechError."""
        self._recogniser = recogniser
        self._engine = recogniser.engine
        self._rules = rules
        self._quiet = self._engine.encode(_near_silence(), _WINDOW)
        self._phrases = self._prepare(read_phrases(phrases))

    async def screen(self, audio: Pcm) -> Screening:
        """Judge one short utterance (8 or 16 kHz). Raises SpeechError when the engine cannot answer."""
        return await self._recogniser.run(lambda: self.judge(audio), urgent=True)

    def judge(self, audio: Pcm) -> Screening:
        """What `screen` does, blocking, in the calling thread."""
        refused = self._recogniser.refuse(audio)
        if refused is not None:
            return Screening(Heard.SILENCE, certain=True, confidence=1.0)
        if audio.seconds > LONG_SECONDS:
            return self._judge_long(self._recogniser.recognise(audio))
        samples = prepare(audio)
        encoded = self._engine.encode(samples, _WINDOW)
        seconds = len(samples) / RATE
        hearing = self._decode(encoded, seconds)
        transcript = self._recogniser.judge(hearing)
        if transcript.reason in ("no_speech", "empty"):
            return Screening(Heard.SILENCE, certain=True, confidence=max(0.5, hearing.no_speech))
        said = self._rules(hearing.text)
        weighing = self.weigh(encoded, seconds, (hearing.text, *hearing.others))
        return decide(said, weighing, transcript)

    def _decode(self, encoded: Any, seconds: float) -> Hearing:  # noqa: ANN401
        """Decode freely, without hints: on a second of audio a vocabulary prompt invents its own words."""
        hearing = self._engine.decode(encoded, (), seconds, _BEAM)
        if any(map(str.isdigit, hearing.text)):
            # A short "nein" often comes out as "9", which the rules would take for the key that objects.
            spelled = self._engine.decode(encoded, (), seconds, _BEAM, digits=False)
            if any(map(str.isalpha, spelled.text)):
                return spelled
        return hearing

    def weigh(self, encoded: Any, seconds: float, texts: Sequence[str]) -> Weighing:  # noqa: ANN401
        """Compare the audio with the phrases; `texts` are what was decoded, likeliest first."""
        phrases = self._alike(texts)
        decoded = tuple(self._engine.tokens(texts[0]))
        *heard, free = self._engine.score(
            encoded, [*(phrase.tokens for phrase in phrases), decoded], seconds + _REST_SECONDS
        )
        best = dict.fromkeys(_MEANINGS, (-math.inf, -math.inf))
        for phrase, score in zip(phrases, heard, strict=True):
            best[phrase.meaning] = max(best[phrase.meaning], (score - phrase.silent, score))
        first, second = sorted(best, key=best.__getitem__, reverse=True)[:2]
        return Weighing(first, best[first][0] - best[second][0], free - best[first][1])

    def _alike(self, texts: Sequence[str]) -> list[Phrase]:
        """The phrases worth scoring: all short ones, and those most like what was decoded. All would take a second."""
        decoded = [_pieces(text) for text in texts]

        def likeness(phrase: Phrase) -> float:
            return max(2 * len(phrase.pieces & text) / (len(phrase.pieces) + len(text) or 1) for text in decoded)

        long = sorted((phrase for phrase in self._phrases if not phrase.short), key=likeness, reverse=True)
        return [*(phrase for phrase in self._phrases if phrase.short), *long[:_ALIKE]]

    def _judge_long(self, transcript: Transcript) -> Screening:
        if transcript.reason in ("no_speech", "empty"):
            return Screening(Heard.SILENCE, certain=True, confidence=1.0)
        said = self._rules(transcript.text)
        if said is None:
            return Screening(Heard.SPEECH, certain=transcript.accepted, confidence=transcript.confidence)
        return Screening(said, certain=False, confidence=transcript.confidence)

    def _prepare(self, table: Mapping[Heard, tuple[str, ...]]) -> tuple[Phrase, ...]:
        listed = [(meaning, text) for meaning, texts in table.items() for text in texts]
        tokens = [tuple(self._engine.tokens(text)) for _, text in listed]
        silent = self._engine.score(self._quiet, tokens, _QUIET_SECONDS)
        return tuple(
            Phrase(meaning, own, _pieces(text), len(text) <= _ALWAYS_LETTERS, score)
            for (meaning, text), own, score in zip(listed, tokens, silent, strict=True)
        )


def decide(said: Heard | None, weighing: Weighing, transcript: Transcript) -> Screening:
    """Join what the rules read (`said`) with what the phrases weigh: certain only when both say the same, clearly.

    Without a finding of the rules the phrases speak alone, and only while their best one explains the audio nearly as
    well as free decoding does: "Denau" is a badly heard "Genau", but a sentence that resembles a phrase is not it.
    """
    read = said or Heard.SPEECH
    share = 1 / (1 + math.exp(-min(weighing.margin, _MOST_NATS) / _SCALE))
    clear = weighing.margin >= CERTAIN_MARGIN
    weighed = weighing.meaning
    if said is None and weighing.gap > WIDEST_GAP:
        weighed, clear = Heard.SPEECH, transcript.accepted and weighing.meaning not in _URGENCY
    elif said is None and weighing.margin < LIKELY_MARGIN:
        weighed = Heard.SPEECH
    elif read is not weighed and weighing.gap > WIDEST_GAP:
        # What does not explain the audio is no reason to doubt the rules, least of all an emergency.
        weighed = Heard.SPEECH
    if read is weighed:
        understood = transcript.reason != "repetition" and transcript.confidence >= LEAST_CONFIDENCE
        return Screening(read, clear and understood, share * math.sqrt(transcript.confidence))
    if {read, weighed} == {Heard.YES, Heard.NO}:
        # A wrong yes puts somebody through to the wrong people, a wrong no costs one more question.
        return Screening(Heard.NO, certain=False, confidence=(share if weighed is Heard.NO else 1 - share) / 2)
    # The dearer mistake decides; otherwise the phrases, which hear short words better, unless they find nothing.
    # An emergency in plain words comes before everything: who asks whether somebody objects then, loses time.
    urgent = (
        read if read is Heard.EMERGENCY else next((meaning for meaning in _URGENCY if meaning in (read, weighed)), None)
    )
    heard = urgent or (read if weighed is Heard.SPEECH else weighed)
    return Screening(heard, certain=False, confidence=(share if heard is weighed else 1 - share) / 2)


def read_phrases(file: Path | None = None) -> dict[Heard, tuple[str, ...]]:
    """The list of phrases by meaning. Raises SpeechError, naming the file and the fault."""
    name = str(file) if file else "phrases.de.yaml"
    try:
        source = file or importlib.resources.files("anruflotse.speech") / "phrases.de.yaml"
        table = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"The phrases in {name} cannot be read: {error}"
        raise SpeechError(message) from error
    expected = {str(meaning) for meaning in _MEANINGS}
    if not isinstance(table, dict) or set(table) != expected:
        message = f"{name} must hold exactly these lists of phrases: {', '.join(sorted(expected))}."
        raise SpeechError(message)
    for key, texts in table.items():
        if (
            not isinstance(texts, list)
            or not texts
            or not all(isinstance(text, str) and text.strip() for text in texts)
        ):
            message = f'{name}: "{key}" must be a list of phrases (put "yes", "no" and numbers in quotes).'
            raise SpeechError(message)
    return {Heard(key): tuple(texts) for key, texts in table.items()}


def _pieces(text: str) -> frozenset[str]:
    """The runs of three letters in `text`, spelling made equal, so that likeness survives a recogniser's mistakes."""
    plain = f" {' '.join(''.join(letter if letter.isalnum() else ' ' for letter in text.lower()).split())} "
    return frozenset(plain[start : start + 3] for start in range(len(plain) - 2))


def _near_silence() -> Floats:
    """A second of noise at -80 dBFS, always the same: digital silence has no features to speak of."""
    generator = np.random.default_rng(0)
    return prepare(from_float(_QUIET * generator.normal(size=RATE), RATE))
