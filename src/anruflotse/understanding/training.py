"""Learning from the catalogue and the corpus: two logistic regressions, cross-validated without near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anruflotse.understanding import model as models
from anruflotse.understanding.corpus import Line, plain
from anruflotse.understanding.encoder import read_card
from anruflotse.understanding.errors import CorpusError, UnderstandingError
from anruflotse.understanding.features import Vectoriser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from anruflotse.understanding.encoder import Encoder

FOLDS = 5
_WORDS_C = 5.0
"""Inverse regularisation of the words' head."""
_TOLERANCE = 1e-3
"""Where the solver stops: a few seconds for 3,000 sentences."""
_ALIKE = 0.6
"""Jaccard similarity of letter trigrams from which two sentences count as one said twice."""
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the encoder's head is learnt and joined; on the encoder's card, measured on people it had not heard.

    `freedom` is the head's inverse regularisation: vectors of a fine-tuned encoder lie so far apart for the sentences
    it was tuned on that a free head would trust it too much.
    """

    share: float
    temperature: float
    freedom: float = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """Held-out log-probabilities (n, concerns) of both heads, in the order of the lines."""

    concerns: tuple[str, ...]
    words: NDArray[np.float32] = field(repr=False)
    sense: NDArray[np.float32] = field(repr=False)


def read_recipe(folder: Path) -> Recipe:
    """The recipe on the card of the encoder in `folder`. Raises UnderstandingError when the card lacks it."""
    try:
        told = read_card(folder)["recipe"]
        return Recipe(float(told["share"]), float(told["temperature"]), float(told["freedom"]))
    except (KeyError, ValueError, TypeError) as error:
        message = f"the card of the encoder in {folder} names no share and temperature. Install anruflotse again"
        raise UnderstandingError(message) from error


def lines_of_catalogue(names: Mapping[str, str], descriptions: Mapping[str, str]) -> list[Line]:
    """The catalogue's own words as sentences: each concern's name, and its description piece by piece."""
    pieces = [(concern, piece) for concern, name in names.items() for piece in name.split("/")]
    pieces += [
        (concern, piece) for concern, text in descriptions.items() for piece in text.replace("/", ",").split(",")
    ]
    return list(dict.fromkeys(Line(piece.strip(), concern) for concern, piece in pieces if plain(piece)))


def train(
    lines: Sequence[Line],
    extra: Sequence[Line],
    encoder: Encoder,
    recipe: Recipe,
    now: datetime,
    progress: Callable[[str, float], None] = lambda _step, _share: None,
) -> models.Model:
    """A model of `lines` (the corpus) and `extra` (the catalogue's words, learnt from but not examined).

    `progress(step, share)` is called with what is being done and the share of all work done so far (0..1). The figures
    in the model are recalls on held-out fifths of `lines`, near-duplicates kept together. They are too kind to lines
    that the encoder itself was fine-tuned on; they serve to compare one training with the next.
    Raises CorpusError when a concern has fewer than 5 lines, naming it.
    """
    check(lines)
    everything = [*lines, *extra]
    vectors = _encode(encoder, everything, lambda share: progress("embedding the sentences", 0.3 * share))
    outcome = cross_validate(
        lines, extra, vectors, recipe, progress=lambda share: progress("cross-validation", 0.3 + 0.55 * share)
    )
    progress("learning", 0.85)
    model = fit(everything, vectors, encoder.fingerprint, recipe)
    fused = models.fuse(outcome.words, outcome.sense, recipe.share, recipe.temperature).argmax(1)
    right = np.array([outcome.concerns[i] == line.concern for i, line in zip(fused, lines, strict=True)])
    figures = {}
    for concern in outcome.concerns:
        own = np.array([line.concern == concern for line in lines])
        if not own.any():
            continue  # the catalogue's words alone: learnt, not examined
        figures[concern] = {"n": float(own.sum()), "recall": float(right[own].mean())}
    progress("done", 1.0)
    return replace(model, version=now.strftime("%Y%m%dT%H%M%SZ"), figures=figures)


def check(lines: Sequence[Line]) -> None:
    """Raise CorpusError when there is too little to learn from."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.concern] = counts.get(line.concern, 0) + 1
    few = sorted(concern for concern, count in counts.items() if count < _FEWEST)
    if few or len(counts) < 2:  # noqa: PLR2004 - a choice needs two
        wanted = ", ".join(few) or "a second concern"
        message = f"too few sentences to learn from: at least {_FEWEST} for each concern are needed, more for {wanted}"
        raise CorpusError(message)


def fit(lines: Sequence[Line], vectors: NDArray[np.float32], fingerprint: str, recipe: Recipe) -> models.Model:
    """Both heads on all of `lines` with their `vectors` (n, dimensions)."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - training only; costs a second to import
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415 - scikit-learn brings it

    labels = np.array([line.concern for line in lines])
    vectoriser = Vectoriser.learn([line.text for line in lines])
    if not vectoriser.index:
        message = "the sentences share not a single word: is this a corpus of German sentences?"
        raise CorpusError(message)
    centre, scale = vectors.mean(0), float(vectors.std(0).mean()) or 1.0
    # One thread: on a machine that also takes calls, several spend their time waiting for each other.
    with threadpool_limits(1):
        words = LogisticRegression(C=_WORDS_C, max_iter=200, tol=_TOLERANCE).fit(
            vectoriser.matrix([line.text for line in lines]), labels
        )
        sense = LogisticRegression(C=recipe.freedom, max_iter=400, tol=_TOLERANCE).fit(
            (vectors - centre) / scale, labels
        )
    (words_rows, words_bias), (sense_rows, sense_bias) = _weights(words), _weights(sense)
    return models.Model(
        version="unversioned", encoder=fingerprint, concerns=tuple(map(str, words.classes_)), vectoriser=vectoriser,
        words=words_rows.astype(np.float16), words_bias=words_bias,
        sense=sense_rows, sense_bias=sense_bias,
        centre=centre.astype(np.float32), scale=scale, share=recipe.share, temperature=recipe.temperature,
        lines=len(lines),
    )  # fmt: skip


def _weights(head: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # noqa: ANN401 - scikit-learn has no types
    """A regression's weights (features, classes) and biases; for two classes scikit-learn keeps one row for both."""
    rows, bias = head.coef_, head.intercept_
    if len(rows) == 1:
        rows, bias = np.vstack([-rows, rows]) / 2, np.concatenate([-bias, bias]) / 2
    return np.ascontiguousarray(rows.T, np.float32), bias.astype(np.float32)


def cross_validate(
    lines: Sequence[Line],
    extra: Sequence[Line],
    vectors: NDArray[np.float32],
    recipe: Recipe,
    progress: Callable[[float], None] = lambda _share: None,
) -> Outcome:
    """Examine each of `lines` by heads that saw neither it nor anything much like it.

    `vectors` (n, dimensions) are those of `lines`, then of `extra`, which is always learnt from.
    """
    fold = folds([line.text for line in lines])
    concerns = tuple(sorted({line.concern for line in [*lines, *extra]}))
    answers = {head: np.full((len(lines), len(concerns)), -30.0, np.float32) for head in ("words", "sense")}
    rest = np.arange(len(lines), len(lines) + len(extra))
    everything = [*lines, *extra]
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        seen = np.concatenate([inside, rest])
        model = fit([everything[int(i)] for i in seen], vectors[seen], "", recipe)
        columns = [concerns.index(concern) for concern in model.concerns]
        for i in map(int, outside):
            answers["words"][i, columns] = model.log_words(lines[i].text)
        answers["sense"][np.ix_(outside, np.array(columns))] = model.log_sense(vectors[outside])
        progress((number + 1) / FOLDS)
    return Outcome(concerns, answers["words"], answers["sense"])


def folds(texts: Sequence[str]) -> NDArray[np.int64]:
    """A fold (0..4) for each text; texts that are nearly the same share one. Depends on nothing but `texts`."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - training only
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    spoken = [plain(text) for text in texts]
    sets = [{f" {text} "[i : i + 3] for i in range(len(text))} or {text} for text in spoken]
    names = {name: i for i, name in enumerate(sorted(set().union(*sets)))}
    ends = np.cumsum([0] + [len(s) for s in sets])
    flat = np.array([names[name] for s in sets for name in sorted(s)])
    present = csr_matrix((np.ones(len(flat), np.float32), flat, ends), (len(sets), len(names)))
    shared = (present @ present.T).tocoo()
    sizes = np.array([len(s) for s in sets])
    alike = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data) >= _ALIKE
    links = csr_matrix((np.ones(alike.sum()), (shared.row[alike], shared.col[alike])), (len(sets), len(sets)))
    _, group = connected_components(links, directed=False)
    order = np.random.default_rng(7).permutation(group.max() + 1)
    answer: NDArray[np.int64] = order[group] % FOLDS
    return answer


def _encode(encoder: Encoder, lines: Sequence[Line], progress: Callable[[float], None]) -> NDArray[np.float32]:
    """Vectors of all `lines`, in steps, so that progress can be shown."""
    step = 128
    found = []
    for start in range(0, len(lines), step):
        found.append(encoder.encode([line.text for line in lines[start : start + step]]))
        progress(min(1.0, (start + step) / len(lines)))
    return np.concatenate(found)
