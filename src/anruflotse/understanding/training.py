"""Learning from the catalogue and the corpus: two logistic regressions, cross-validated without near-duplicates."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anruflotse.understanding import examples
from anruflotse.understanding import model as models
from anruflotse.understanding.corpus import Line, plain
from anruflotse.understanding.encoder import read_card
from anruflotse.understanding.errors import CorpusError, UnderstandingError
from anruflotse.understanding.features import Vectoriser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from anruflotse.understanding.encoder import Encoder

    _Head = tuple[NDArray[np.float32], NDArray[np.float32]]

FOLDS = 3
_WORDS_C = 5.0
"""Inverse regularisation of the words' head."""
_TOLERANCE = 1e-3
"""Where the solver stops: about 20 s for 10,000 sentences."""
_ALIKE = 0.6
"""Jaccard similarity of letter trigrams from which two sentences count as one said twice."""
_ROWS = 500
_SEEN, _LARGE = 3, 5_000
"""A feature must occur in so many sentences of a corpus of more than so many: what occurs in two alone makes the model
half as large again."""
_THREADS = 2
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
    *,
    examine: bool = True,
) -> models.Model:
    """A model of `lines` (the corpus) and `extra` (the catalogue's words, learnt from but not examined).

    `progress(step, share)` is called with what is being done and the share of all work done so far (0..1). The figures
    in the model are recalls on held-out thirds of `lines`, near-duplicates kept together. They are too kind to lines
    that the encoder itself was fine-tuned on; they serve to compare one training with the next. Without `examine` there
    are none, in a third of the time. Raises CorpusError when a concern has fewer than 5 lines, naming it.
    """
    check(lines)
    everything = [*lines, *extra]
    exact = _encode(encoder, everything, lambda share: progress("embedding the sentences", 0.3 * share))
    # Rounded as the model will remember them, so that it makes no difference whether they are remembered or made anew.
    vectors = examples.Rounded.of(exact).vectors
    figures = {}
    if examine:
        outcome = cross_validate(
            lines, extra, vectors, recipe, progress=lambda share: progress("cross-validation", 0.3 + 0.55 * share)
        )
        figures = _recalls(outcome, lines, recipe)
    progress("learning", 0.85 if examine else 0.4)
    model = fit(everything, vectors, encoder.fingerprint, recipe)
    progress("done", 1.0)
    learnt = examples.gather(everything, vectors, model.centre)
    return replace(model, version=now.strftime("%Y%m%dT%H%M%SZ"), figures=figures, examples=learnt)


def _recalls(outcome: Outcome, lines: Sequence[Line], recipe: Recipe) -> dict[str, dict[str, float]]:
    """By concern, how many of its lines were examined, and the share that was right."""
    fused = models.fuse(outcome.words, outcome.sense, recipe.share, recipe.temperature).argmax(1)
    right = np.array([outcome.concerns[i] == line.concern for i, line in zip(fused, lines, strict=True)])
    figures = {}
    for concern in outcome.concerns:
        own = np.array([line.concern == concern for line in lines])
        if not own.any():
            continue  # the catalogue's words alone: learnt, not examined
        figures[concern] = {"n": float(own.sum()), "recall": float(right[own].mean())}
    return figures


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
    labels = np.array([line.concern for line in lines])
    vectoriser, matrix = _features(lines)
    concerns, (words, words_bias) = _words_head(matrix, labels)
    (sense, sense_bias), centre, scale = sense_head(vectors, labels, recipe.freedom)
    return models.Model(
        version="unversioned", encoder=fingerprint, concerns=concerns, vectoriser=vectoriser,
        words=words.astype(np.float16), words_bias=words_bias, sense=sense, sense_bias=sense_bias,
        centre=centre, scale=scale, share=recipe.share, temperature=recipe.temperature, lines=len(lines),
    )  # fmt: skip


def _features(lines: Sequence[Line]) -> tuple[Vectoriser, csr_matrix]:
    """What the sentences' words are counted by, and the counts. Raises CorpusError when they share not one word."""
    texts = [line.text for line in lines]
    vectoriser = Vectoriser.learn(texts, _SEEN if len(texts) > _LARGE else 2)
    if not vectoriser.index:
        message = "the sentences share not a single word: is this a corpus of German sentences?"
        raise CorpusError(message)
    return vectoriser, vectoriser.matrix(texts)


def _words_head(matrix: csr_matrix, labels: NDArray[np.str_]) -> tuple[tuple[str, ...], _Head]:
    """The concerns in order, and the words' head."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - training only; costs a second to import
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415 - scikit-learn brings it

    # One thread: on a machine that also takes calls, several spend their time waiting for each other.
    with threadpool_limits(1):
        head = LogisticRegression(C=_WORDS_C, max_iter=200, tol=_TOLERANCE).fit(matrix, labels)
    return tuple(map(str, head.classes_)), _weights(head)


def sense_head(
    vectors: NDArray[np.float32], labels: NDArray[np.str_], freedom: float
) -> tuple[_Head, NDArray[np.float32], float]:
    """The encoder's head: weights (dimensions, concerns in alphabetical order) and biases, centre and scale."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    centre, scale = vectors.mean(0).astype(np.float32), float(vectors.std(0).mean()) or 1.0
    with threadpool_limits(1):
        head = LogisticRegression(C=freedom, max_iter=400, tol=_TOLERANCE).fit((vectors - centre) / scale, labels)
    return _weights(head), centre, scale


def _weights(head: Any) -> _Head:  # noqa: ANN401 - scikit-learn has no types
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
    everything = [*lines, *extra]
    labels = np.array([line.concern for line in everything])
    concerns = tuple(sorted(set(map(str, labels))))
    answers = {head: np.full((len(lines), len(concerns)), -30.0, np.float32) for head in ("words", "sense")}
    rest = np.arange(len(lines), len(everything))
    _, matrix = _features(everything)
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        seen = np.concatenate([inside, rest])
        known, words = _words_head(matrix[seen], labels[seen])
        sense, centre, scale = sense_head(vectors[seen], labels[seen], recipe.freedom)
        places = np.ix_(outside, np.array([concerns.index(concern) for concern in known]))
        answers["words"][places] = models.log_softmax(matrix[outside] @ words[0] + words[1])
        answers["sense"][places] = models.log_softmax((vectors[outside] - centre) / scale @ sense[0] + sense[1])
        progress((number + 1) / FOLDS)
    return Outcome(concerns, answers["words"], answers["sense"])


def folds(texts: Sequence[str]) -> NDArray[np.int64]:
    """A fold (0..2) for each text; texts that are nearly the same share one. Depends on nothing but `texts`."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - training only
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    pairs = alike(texts)
    links = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(texts), len(texts)))
    _, group = connected_components(links, directed=False)
    order = np.random.default_rng(7).permutation(group.max() + 1)
    answer: NDArray[np.int64] = order[group] % FOLDS
    return answer


def alike(texts: Sequence[str], at_least: float = _ALIKE) -> NDArray[np.int64]:
    """The pairs (n, 2) of positions, the smaller first, of texts that are nearly the same.

    The measure is the Jaccard similarity of their letter trigrams; from `at_least` (0..1) on two are alike.
    """
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - training only

    spoken = [plain(text) for text in texts]
    sets = [{f" {text} "[i : i + 3] for i in range(len(text))} or {text} for text in spoken]
    names = {name: i for i, name in enumerate(sorted(set().union(*sets)))}
    ends = np.cumsum([0] + [len(s) for s in sets])
    flat = np.array([names[name] for s in sets for name in sorted(s)])
    present = csr_matrix((np.ones(len(flat), np.float32), flat, ends), (len(sets), len(names)))
    turned = present.T.tocsr()
    sizes = np.array([len(s) for s in sets])
    found = []
    for start in range(0, len(sets), _ROWS):  # all at once would take gigabytes
        shared = (present[start : start + _ROWS] @ turned).tocoo()
        row, column = shared.row.astype(np.int64) + start, shared.col.astype(np.int64)
        close = (row < column) & (shared.data >= at_least * (sizes[row] + sizes[column] - shared.data))
        found.append(np.stack([row[close], column[close]], 1))
    pairs = np.concatenate(found)
    answer: NDArray[np.int64] = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return answer


def _encode(encoder: Encoder, lines: Sequence[Line], progress: Callable[[float], None]) -> NDArray[np.float32]:
    """Vectors of all `lines`, each encoded alone: 8-bit arithmetic rounds a sentence by its neighbours in a batch."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = []
        for number, row in enumerate(pool.map(lambda line: encoder.encode([line.text])[0], lines), 1):
            found.append(row)
            if number % _ROWS == 0 or number == len(lines):
                progress(number / len(lines))
    return np.stack(found)


class Remembering:
    """An `Encoder` that looks in `folder` for the vectors of sentences it has met, and leaves new ones there.

    What a model has `learnt` with this encoder is known from the start, rounded to 8 bits a number. The file is named
    after the encoder and holds hashes and vectors, no words; a damaged one counts as none. Call `store` when done: a
    catalogue edit is then learnt without embedding the whole corpus again.
    """

    def __init__(self, encoder: Encoder, folder: Path, learnt: models.Model | None = None) -> None:
        """Take up what `folder` and `learnt` hold for this encoder."""
        self._encoder = encoder
        self._file = folder / f"vectors-{encoder.fingerprint[:16]}.npz"
        self._known: dict[bytes, NDArray[np.float32]] = {}
        self._used: set[bytes] = set()
        with suppress(OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile), np.load(self._file) as arrays:
            self._known = {bytes(key): row for key, row in zip(arrays["keys"], arrays["vectors"], strict=True)}
        self._learnt: dict[bytes, NDArray[np.float32]] = {}
        known = learnt.examples if learnt is not None and learnt.encoder == encoder.fingerprint else None
        if known is not None and known.whole:
            self._learnt = dict(zip(map(_key, known.texts), known.rounded.vectors, strict=True))

    @property
    def fingerprint(self) -> str:
        """That of the encoder behind it."""
        return self._encoder.fingerprint

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As the encoder's, each text encoded alone."""
        found = []
        for text in texts:
            key = _key(text)
            if key in self._learnt:
                found.append(self._learnt[key])
                continue
            if key not in self._known:
                self._known[key] = self._encoder.encode([text])[0]
            self._used.add(key)
            found.append(self._known[key])
        return np.stack(found)

    def store(self) -> None:
        """Write down the vectors asked for since the start, and forget all others. Raises UnderstandingError."""
        keys = sorted(self._used)
        if not keys:
            return
        packed = io.BytesIO()
        np.savez(
            packed,
            keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, hashlib.sha256().digest_size),
            vectors=np.stack([self._known[key] for key in keys]),
        )
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._file.parent, prefix=".new-", delete=False) as file:
                file.write(packed.getvalue())
            Path(file.name).replace(self._file)
        except OSError as error:
            message = f"{self._file} cannot be written ({error.strerror}). Check space and permissions"
            raise UnderstandingError(message) from error


def _key(text: str) -> bytes:
    """What a sentence's vector is remembered by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
