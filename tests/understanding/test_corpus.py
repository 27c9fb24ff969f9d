from __future__ import annotations

from pathlib import Path

import pytest

from anruflotse.understanding import corpus
from anruflotse.understanding.errors import CorpusError


def test_the_shipped_corpus_names_a_concern_in_every_line() -> None:
    lines = corpus.read(corpus.SHIPPED)
    assert len(lines) > 3000
    assert len({line.concern for line in lines}) == 31


def test_the_same_sentence_counts_once_unless_repeats_are_wanted(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text('{"text": "Karte weg!", "intent": "karte"}\n\n{"text": "karte weg", "intent": "karte"}\n')
    assert len(corpus.read([file])) == 1
    assert len(corpus.read([file], repeats=True)) == 2


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "a"}', '{"text": 1, "intent": "a"}', "nichts"])
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text('{"text": "a", "intent": "b"}\n' + line + "\n")
    with pytest.raises(CorpusError, match="line 2"):
        corpus.read([file])


def test_a_missing_file_and_a_wrong_encoding_are_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        corpus.read([tmp_path / "none.jsonl"])
    (tmp_path / "latin.jsonl").write_bytes("Zähne".encode("latin-1"))
    with pytest.raises(CorpusError, match="UTF-8"):
        corpus.read([tmp_path / "latin.jsonl"])


def test_an_error_never_shows_the_sentence(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"text": "geheim"')
    with pytest.raises(CorpusError) as caught:
        corpus.read([tmp_path / "f.jsonl"])
    assert "geheim" not in str(caught.value)


def test_plain_keeps_letters_and_digits() -> None:
    assert corpus.plain("Äh, die  Karte -- Nr. 5!") == "äh die karte nr 5"
    assert corpus.plain("Za\u0308hne") == "zähne"
