"""What people get told about the YAML files they edit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.yamlshape import Mark, Node, ShapeError, load, read


def test_data_and_marks() -> None:
    data, marks = load("a: 1\nb:\n  - x\n  - c: true\n")
    assert data == {"a": 1, "b": ["x", {"c": True}]}
    assert (marks.value("b", 1, "c").line, marks.value("b", 1, "c").column) == (4, 8)
    assert (marks.key("b", 1, "c").line, marks.key("b", 1, "c").column) == (4, 5)
    assert marks.value("b", 1, "not there").line == 4


@pytest.mark.parametrize("text", ["ja", "no", "on", "8:30", "08", "0800", "2026-01-31", "1_000", "1e3", "0x1f", ".5"])
def test_what_looks_like_text_stays_text(text: str) -> None:
    assert load(f"a: {text}")[0] == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("-3", -3), ("1.5", 1.5), ("true", True), ("null", None), ("", None), ("'1'", "1")]
)
def test_plain_scalars(text: str, value: object) -> None:
    found = load(f"a: {text}")[0]
    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "column", "told"),
    [
        ("a: 1\na: 2", 2, 1, "stands twice"),
        ("a: &x 1\nb: *x", 2, 4, "alias `*x`"),
        ("a: !!python/object:os.system 1", 1, 4, "tag"),
        ("a: [1, 2", 1, 9, "expected ',' or ']'"),
        ("a: 1\n\tb: 2", 2, 1, r"'\t'"),
        ("a: 1\n---\nb: 2", 2, 1, "another document"),
        ("a: b\x07", 1, 5, "U+0007"),
        ("? [a]\n: 1", 1, 3, "a key must be text"),
    ],
)
def test_not_readable(text: str, line: int, column: int, told: str) -> None:
    with pytest.raises(ShapeError) as caught:
        load(text, "x.yaml")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert told in caught.value.message
    assert str(caught.value).startswith(f"x.yaml, line {line}, column {column}: ")


def test_file_missing(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"gone\.yaml, line 1, column 1: the file cannot be read"):
        load(tmp_path / "gone.yaml")


def test_file_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes("a: ä\nb: ü".encode() + "ö".encode("latin-1"))
    with pytest.raises(ShapeError, match="line 2, column 5: the file is not UTF-8"):
        load(file)


def test_file_with_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes("\ufeffa: ä".encode())
    assert load(file)[0] == {"a": "ä"}


def test_empty_file_is_nothing() -> None:
    data, marks = load("# only a comment\n")
    assert data is None
    with pytest.raises(ShapeError, match="line 1, column 1: expected a mapping"):
        Node(data, marks).entries()


@pytest.mark.parametrize(
    ("text", "line", "column", "told"),
    [
        ("name: x\nnmae: y", 2, 1, "Did you mean `name`? Allowed: `name`, `size`"),
        ("size: 1", 1, 1, "the key `name` is missing"),
        ("- a", 1, 1, "expected a mapping"),
        ("name: x\n1: y", 2, 1, "put `1` into quotes"),
    ],
)
def test_mapping_complaints(text: str, line: int, column: int, told: str) -> None:
    with pytest.raises(ShapeError) as caught:
        read(text).mapping(required=("name",), optional=("size",))
    assert (caught.value.line, caught.value.column) == (line, column)
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("text", "method", "told"),
    [
        ("a: 7", "text", "expected text, found the number 7. Put it into quotes."),
        ("a: ''", "text", "nothing between the quotes"),
        ("a: x", "items", "expected a list"),
        ("a: ja", "flag", "expected `true` or `false`, found the text `ja`"),
        ("a: 31.1.2026", "date", "expected a day written as 2026-01-31"),
        ("a: 2026-02-30", "date", "not a day of the calendar"),
    ],
)
def test_value_complaints(text: str, method: str, told: str) -> None:
    node = read(text).entries()["a"]
    with pytest.raises(ShapeError) as caught:
        getattr(node, method)()
    assert (caught.value.line, caught.value.column) == (1, 4)
    assert caught.value.message.startswith("a: ")
    assert told in caught.value.message


def test_nesting_without_end() -> None:
    with pytest.raises(ShapeError, match="nested too deeply"):
        load("[" * 5000)


@given(st.text(st.sampled_from("ab1-:,?&*!|>'\"%@`#{}[]~.\t\n \x07ä\u2028\ufeff"), max_size=40))
def test_any_text_is_read_or_complained_about_at_a_place_inside_it(text: str) -> None:
    place = Mark(1, 1)
    try:
        load(text)
    except ShapeError as fault:
        place = Mark(fault.line, fault.column)
    assert 1 <= place.line <= text.count("\n") + text.count("\u2028") + 2
    assert 1 <= place.column <= len(text) + 2


def test_values() -> None:
    top = read("a: ' x '\nb: true\nc: 2026-02-28\nd: [u, v]\ne: 5").entries()
    assert top["a"].text() == "x"
    assert top["b"].flag() is True
    assert top["c"].date() == date(2026, 2, 28)
    assert [item.text() for item in top["d"].items()] == ["u", "v"]
    assert top["d"].items()[1].one_of(["v", "w"]) == "v"
    assert top["e"].integer(1, 5) == 5
    with pytest.raises(ShapeError, match=r"line 1, column 8: d\[0\]: `u` is not known\. Allowed: `v`, `w`"):
        read("d:    [u, v]").entries()["d"].items()[0].one_of(["v", "w"])
    with pytest.raises(ShapeError, match="from 1 to 4, found the number 5"):
        top["e"].integer(1, 4)
    with pytest.raises(ShapeError, match="found `true`"):
        top["b"].integer(0, 4)
