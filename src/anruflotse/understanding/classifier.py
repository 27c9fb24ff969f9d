"""The classifier: letters and words (TF-IDF) and meaning (sentence encoder), fused and calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import structlog

from anruflotse.understanding import model as models
from anruflotse.understanding.corpus import plain
from anruflotse.understanding.encoder import Encoder, OnnxEncoder
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.examples import directions
from anruflotse.understanding.features import MAX_LETTERS, edged_grams
from anruflotse.understanding.seams import Grounds, Keyword, Ranked, Ranking
from anruflotse.understanding.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_log = structlog.get_logger()

SPECIAL = {
    "mitarbeiter": "mensch",
    "notfall": "notfall",
    "aufzeichnung": "aufzeichnung_aus",
    "ausserhalb": "ausserhalb",
}
"""The classes that are no department's concern, with what stands in their department's place."""

_OUTSIDE = "ausserhalb"
KEYWORD_BONUS = 1.5
"""What a keyword adds to its concern's log-probability, about 4.5 times as likely; a counter-keyword takes as much."""
_EVIDENCE = 3
_SYLLABLE = 2
_KNOWN = 0.25
"""The share of its words that a sentence of callers has in common with the corpus: 99 % of the unheard have 0.4."""


class Fused:
    """Ranks concerns by both heads of a model; stateless after construction, so calls may run in parallel threads."""

    processor: None = None
    """It is our own: nothing leaves the machine."""

    def __init__(
        self,
        model: models.Model,
        encoder: Encoder,
        departments: Mapping[str, str],
        keywords: Mapping[str, Sequence[str]] | None = None,
        *,
        against: Mapping[str, Sequence[str]] | None = None,
        disabled: Collection[str] = (),
    ) -> None:
        """Rank the concerns in `departments` (concern -> department, special classes may be left out).

        `keywords` are the operator's words by concern: a sentence that contains one speaks more for that concern, one
        that contains a word `against` it less. A `disabled` concern is never ranked. What would be its probability
        goes to being out of scope, so that its callers are asked again instead of being routed to whatever is nearest.
        Concerns that `departments` does not know are never ranked; one the model was not trained for gets
        probability 0, and a warning names it. Raises UnderstandingError when the model was trained on another encoder,
        or when it shares no concern with `departments`.
        """
        if model.encoder != encoder.fingerprint:
            message = f"the model {model.version} was trained on another sentence encoder. Run `anruflotse train`"
            raise UnderstandingError(message)
        self.model, self._encoder = model, encoder
        self.version = model.version
        departments = {key: name for key, name in (SPECIAL | dict(departments)).items() if key not in disabled}
        self.strange = frozenset(model.concerns) - departments.keys() - set(disabled)
        """Concerns the model has learnt, but nobody here has named."""
        self._disabled = [i for i, concern in enumerate(model.concerns) if concern in disabled]
        self._rows = [i for i, concern in enumerate(model.concerns) if concern in departments]
        self._concerns = [model.concerns[i] for i in self._rows]
        if all(concern in SPECIAL for concern in self._concerns):
            message = f"the model {model.version} knows none of the catalogue's concerns. Run `anruflotse train`"
            raise UnderstandingError(message)
        self._untrained = sorted(departments.keys() - set(model.concerns))
        if self._untrained:
            _log.warning("concerns without training, run `anruflotse train`", concerns=self._untrained)
        self._departments = departments
        self._keywords = self._placed(keywords or {})
        self._against = self._placed(against or {})
        if self._disabled and _OUTSIDE not in self._concerns:
            message = f"the model {model.version} cannot tell what is out of scope, so no concern can be switched off"
            raise UnderstandingError(message)

    def rank(self, text: str) -> Ranking:
        """Rank every concern for `text`; a text without a letter is out of scope for certain."""
        # Half a surrogate pair is no text to the tokenizer; a question mark is.
        text = text[:MAX_LETTERS].encode("utf-8", "replace").decode()
        if not plain(text):
            nothing = np.array([float(concern == "ausserhalb") for concern in self._concerns])
            return self._ranking(nothing, (), Grounds(self.model.version))
        vector = self._encoder.encode([text])
        words, sense = self.model.log_words(text), self.model.log_sense(vector)[0]
        fused = models.fuse(words, sense, self.model.share, self.model.temperature).astype(np.float64)
        scores = fused[self._rows]
        spoken = f" {plain(text)} "
        hits = {(i, word) for i, word in self._keywords if f" {word} " in spoken}
        for i in {i for i, _ in hits}:
            scores[i] += KEYWORD_BONUS
        misses = {(i, word) for i, word in self._against if f" {word} " in spoken}
        for i in {i for i, _ in misses}:
            scores[i] -= KEYWORD_BONUS
        if self._disabled:
            outside = self._concerns.index(_OUTSIDE)
            scores[outside] = np.logaddexp.reduce([scores[outside], *fused[self._disabled]])
        probabilities = np.exp(scores - scores.max())
        probabilities /= probabilities.sum()
        if _OUTSIDE in self._concerns and self._is_foreign(spoken):
            # What may be an alarm stays as likely: whoever speaks no German may need help, or a person.
            halves = np.where([concern in SPECIAL for concern in self._concerns], 0, probabilities / 2)
            probabilities -= halves
            probabilities[self._concerns.index(_OUTSIDE)] += halves.sum()
        first = int(probabilities.argmax())
        evidence = [word for i, word in sorted(hits) if i == first]
        evidence += [word for word in self._speaking_for(text, self._rows[first]) if word not in evidence]
        keywords = tuple(Keyword(word, self._concerns[i]) for i, word in sorted(hits))
        keywords += tuple(Keyword(word, self._concerns[i], against=True) for i, word in sorted(misses))
        return self._ranking(probabilities, tuple(evidence[:_EVIDENCE]), self._grounds(keywords, vector))

    def _grounds(self, keywords: tuple[Keyword, ...], vector: NDArray[np.float32]) -> Grounds:
        examples = self.model.examples
        neighbours = examples.nearest(directions(vector, self.model.centre)[0]) if examples else ()
        return Grounds(self.model.version, keywords, neighbours)

    def _is_foreign(self, spoken: str) -> bool:
        """Whether hardly a word is one the model has met: then nothing it thinks of the sentence is worth routing by.

        A single word may be a compound nobody has said before, and is judged by its letters.
        """
        # Syllables, and code read aloud, are words of every language.
        words = [word for word in spoken.split() if len(word) > _SYLLABLE]
        known = sum("w" + word in self.model.vectoriser.index for word in words)
        return len(words) > 1 and known < _KNOWN * len(words)

    def _placed(self, words: Mapping[str, Sequence[str]]) -> list[tuple[int, str]]:
        """The operator's words as they are looked for, each with the place of its concern."""
        found = [
            (i, word) for i, concern in enumerate(self._concerns) for word in map(plain, words.get(concern, ())) if word
        ]
        return list(dict.fromkeys(found))

    def _ranking(self, probabilities: NDArray[np.float64], evidence: tuple[str, ...], grounds: Grounds) -> Ranking:
        order = np.argsort(-probabilities, kind="stable")
        ranked = [
            Ranked(self._concerns[i], self._departments[self._concerns[i]], float(probabilities[i]))
            for i in map(int, order)
        ]
        ranked += [Ranked(concern, self._departments[concern], 0.0) for concern in self._untrained]
        return Ranking(tuple(ranked), evidence, grounds)

    def _speaking_for(self, text: str, concern: int) -> list[str]:
        """The words of `text` whose letters speak most for `concern`, against the average of all concerns."""
        weights, index = self.model.words, self.model.vectoriser
        worth: dict[str, float] = {}
        for word in dict.fromkeys(plain(text).split()):
            rows = [index.index[name] for name in ("w" + word, *edged_grams(word)) if name in index.index]
            if rows:
                part = weights[rows].astype(np.float32) * index.weights[rows, None]
                worth[word] = float((part[:, concern] - part.mean(1)).sum())
        best = sorted(worth, key=worth.__getitem__, reverse=True)[:_EVIDENCE]
        return [word for word in best if worth[word] > 0]


def load(
    models_folder: Path | None,
    departments: Mapping[str, str],
    keywords: Mapping[str, Sequence[str]] | None = None,
    *,
    against: Mapping[str, Sequence[str]] | None = None,
    disabled: Collection[str] = (),
    model: Path | None = None,
    encoder: Encoder | None = None,
) -> Fused:
    """The classifier with the model in force below `models_folder` (the data directory's), else the shipped one.

    `model` names the folder of one model instead. A model in force that belongs to another encoder (the project was
    updated since) gives way to the shipped one, and a warning says so; one that was named does not. For the words see
    `Fused`. Raises UnderstandingError when a file is damaged.
    """
    encoder = encoder or OnnxEncoder()
    found = in_force(models_folder, encoder.fingerprint) if model is None else models.load(model)
    return Fused(found, encoder, departments, keywords, against=against, disabled=disabled)


def in_force(models_folder: Path | None, fingerprint: str) -> models.Model:
    """The model that decides with the encoder of this `fingerprint`: the approved one, else the shipped one.

    Raises UnderstandingError when the approved one, or the note of which one that is, is damaged.
    """
    approved = Versions(models_folder).in_force() if models_folder else None
    if approved is not None:
        found = models.load(approved)
        if found.encoder == fingerprint:
            return found
        _log.warning(
            "the approved model is of another encoder, using the shipped one; run anruflotse train",
            version=found.version,
        )
    return models.load()
