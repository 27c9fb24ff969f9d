from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from anruflotse.understanding import corpus
from anruflotse.understanding.errors import CorpusError


def test_the_shipped_corpus_names_a_concern_in_every_line() -> None:
    lines = corpus.read(corpus.SHIPPED)
    assert len(lines) > 10_000
    assert len({line.concern for line in lines}) == 31


def test_the_written_corpus_is_as_large_as_it_must_be() -> None:
    """300 sentences a concern, 1,500 out of scope, 500 an alarm; held out ones count, misheard ones do not."""
    files = [file for file in corpus.SHIPPED if file != corpus.MISHEARD]
    counts = Counter(line.concern for line in corpus.read([*files, corpus.HELD_OUT]))
    wanted = dict.fromkeys(counts, 300) | {"ausserhalb": 1500, "notfall": 500, "aufzeichnung": 500, "mitarbeiter": 500}
    assert not {concern: counts[concern] for concern, least in wanted.items() if counts[concern] < least}


def test_nothing_is_learnt_from_held_out_personas() -> None:
    learnt = corpus.read(corpus.SHIPPED)
    held = corpus.read([corpus.HELD_OUT, corpus.HELD_OUT_MISHEARD])
    fresh = corpus.read([corpus.FRESH, corpus.FRESH_MISHEARD])
    assert {line.persona for line in held} == corpus.HELD_OUT_PERSONAS
    assert {line.persona for line in fresh} == corpus.FRESH_PERSONAS
    assert not {line.persona for line in learnt} & (corpus.HELD_OUT_PERSONAS | corpus.FRESH_PERSONAS)
    held += fresh
    # A word or two may be said by anybody; whoever says more says it in a way of his own.
    long = {corpus.plain(line.text) for line in held if len(line.text.split()) > 4}
    assert not long & {corpus.plain(line.text) for line in learnt}


def test_a_second_concern_is_another_one_that_exists() -> None:
    lines = corpus.read([*corpus.SHIPPED, corpus.HELD_OUT])
    concerns = {line.concern for line in lines}
    assert {line.second for line in lines} - {""} <= concerns
    assert sum(bool(line.second) for line in lines) > 300
    assert not [line for line in lines if line.second == line.concern]


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
