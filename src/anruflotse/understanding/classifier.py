"""The classifier: letters and words (TF-IDF) and meaning (sentence encoder), fused and calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import structlog

from anruflotse.understanding import model as models
from anruflotse.understanding.corpus import plain
from anruflotse.understanding.encoder import Encoder, OnnxEncoder
from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.features import MAX_LETTERS, edged_grams
from anruflotse.understanding.seams import Ranked, Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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

_KEYWORD_BONUS = 1.5
"""What an operator's keyword adds to its concern's log-probability: about 4.5 times as likely."""
_EVIDENCE = 3


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
    ) -> None:
        """Rank the concerns in `departments` (concern -> department, special classes may be left out).

        `keywords` are the operator's words by concern; a sentence that contains one speaks more for that concern.
        Concerns that `departments` does not know are never ranked; one the model was not trained for gets
        probability 0, and a warning names it. Raises UnderstandingError when the model was trained on another encoder,
        or when it shares no concern with `departments`.
        """
        if model.encoder != encoder.fingerprint:
            message = f"the model {model.version} was trained on another sentence encoder. Run `anruflotse train`"
            raise UnderstandingError(message)
        self.model, self._encoder = model, encoder
        departments = SPECIAL | dict(departments)
        self._rows = [i for i, concern in enumerate(model.concerns) if concern in departments]
        self._concerns = [model.concerns[i] for i in self._rows]
        if all(concern in SPECIAL for concern in self._concerns):
            message = f"the model {model.version} knows none of the catalogue's concerns. Run `anruflotse train`"
            raise UnderstandingError(message)
        self._untrained = sorted(departments.keys() - set(model.concerns))
        if self._untrained:
            _log.warning("concerns without training, run `anruflotse train`", concerns=self._untrained)
        self._departments = departments
        self._keywords = [
            (i, word)
            for i, concern in enumerate(self._concerns)
            for word in map(plain, (keywords or {}).get(concern, ()))
            if word
        ]

    def rank(self, text: str) -> Ranking:
        """Rank every concern for `text`; a text without a letter is out of scope for certain."""
        text = text[:MAX_LETTERS]
        if not plain(text):
            return self._ranking(np.array([float(concern == "ausserhalb") for concern in self._concerns]), ())
        words, sense = self.model.log_words(text), self.model.log_sense(self._encoder.encode([text]))[0]
        scores = models.fuse(words, sense, self.model.share, self.model.temperature)[self._rows].astype(np.float64)
        spoken = f" {plain(text)} "
        hits = {(i, word) for i, word in self._keywords if f" {word} " in spoken}
        for i in {i for i, _ in hits}:
            scores[i] += _KEYWORD_BONUS
        probabilities = np.exp(scores - scores.max())
        probabilities /= probabilities.sum()
        first = int(probabilities.argmax())
        evidence = [word for i, word in sorted(hits) if i == first]
        evidence += [word for word in self._speaking_for(text, self._rows[first]) if word not in evidence]
        return self._ranking(probabilities, tuple(evidence[:_EVIDENCE]))

    def _ranking(self, probabilities: NDArray[np.float64], evidence: tuple[str, ...]) -> Ranking:
        order = np.argsort(-probabilities, kind="stable")
        ranked = [
            Ranked(self._concerns[i], self._departments[self._concerns[i]], float(probabilities[i]))
            for i in map(int, order)
        ]
        ranked += [Ranked(concern, self._departments[concern], 0.0) for concern in self._untrained]
        return Ranking(tuple(ranked), evidence)

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
    model: Path | None = None,
    encoder: Encoder | None = None,
) -> Fused:
    """The classifier with the newest model below `models_folder` (the data directory's `models`), else the shipped one.

    `model` names the folder of one model instead. A trained model that belongs to another encoder (the project was
    updated since) gives way to the shipped one, and a warning says so; one that was named does not.
    Raises UnderstandingError when a file is damaged.
    """
    encoder = encoder or OnnxEncoder()
    if model is not None:
        return Fused(models.load(model), encoder, departments, keywords)
    trained = models.newest(models_folder) if models_folder else None
    if trained is not None:
        found = models.load(trained)
        if found.encoder == encoder.fingerprint:
            return Fused(found, encoder, departments, keywords)
        _log.warning("trained model is of another encoder, using the shipped one; run anruflotse train")
    return Fused(models.load(), encoder, departments, keywords)
