from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from anruflotse.understanding.features import Vectoriser

TEXTS = [
    "Meine Karte ist weg",
    "die karte ist kaputt",
    "Zahnersatz und Karte",
    "Zahn Ersatz",
    "meine Zähne, meine Karte",
]


def test_agrees_with_scikit_learn() -> None:
    ours = Vectoriser.learn(TEXTS, at_least=1)
    lower = [text.lower().replace(",", "") for text in TEXTS]
    theirs = {
        "e": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        "w": TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+"),
        "r": TfidfVectorizer(analyzer="char", ngram_range=(3, 6), sublinear_tf=True),
    }
    for block, vectoriser in theirs.items():
        matrix = vectoriser.fit_transform([text.replace(" ", "") for text in lower] if block == "r" else lower)
        for number, text in enumerate(TEXTS):
            indices, values = ours.row(text)
            names = {index: name for name, index in ours.index.items()}
            mine = {
                names[int(i)][1:]: float(v) for i, v in zip(indices, values, strict=True) if names[int(i)][0] == block
            }
            other = {name: matrix[number, i] for name, i in vectoriser.vocabulary_.items() if matrix[number, i]}
            assert mine.keys() == other.keys()
            assert np.allclose([mine[name] for name in mine], [other[name] for name in mine], atol=1e-5)


def test_a_split_compound_keeps_most_of_its_features() -> None:
    ours = Vectoriser.learn(["Zahnersatz", "Pflegegeld"], at_least=1)

    def found(text: str) -> dict[int, float]:
        indices, values = ours.row(text)
        return dict(zip(indices.tolist(), values.tolist(), strict=True))

    whole, split, other = found("Zahnersatz"), found("Zahn Ersatz"), found("Pflegegeld")
    shared = sum(value * split.get(index, 0) for index, value in whole.items())
    assert shared > 1
    assert sum(value * other.get(index, 0) for index, value in whole.items()) < 0.2


@given(st.text(max_size=300))
def test_every_block_has_length_one_or_nothing(text: str) -> None:
    _, values = Vectoriser.learn(TEXTS, at_least=1).row(text)
    squares = float((values**2).sum())
    assert min(abs(squares - whole) for whole in range(4)) < 1e-4
