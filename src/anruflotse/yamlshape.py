"""YAML files that people edit, read so that every complaint names file, line and column.

Two ways in:

- `load(path_or_text) -> (data, marks)`: plain Python data, and where each part of it stands in the file.
- `read(path_or_text) -> Node`: the same as a cursor whose methods check the shape while reading and raise
  `ShapeError` at the right place::

      top = read(Path("prompts.de.yaml")).mapping(required=("version", "ansagen"))
      for name, node in top["ansagen"].entries().items():
          text = node.text()
          if "{" in text:
              raise node.error("no placeholders are known here")

A `str` is YAML text, a `Path` is a file to read. The dialect is the plain part of YAML 1.2: `ja`, `nein`, `on`
and `8:30` stay text (YAML 1.1 made booleans and base-60 numbers of them), dates stay text until `Node.date` is
asked; a key that stands twice, an alias and a tag are refused, since each of them hides from the reader of the
file what it says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

Step = str | int
"""A mapping's key or a list's index (from 0) on the way to a part of the data."""


class ShapeError(ValueError):
    """A file does not have the shape it must have; `str` gives `FILE, line 3, column 5: message`.

    `line` and `column` count from 1, as editors do. The message says what is wrong and what is allowed.
    """

    def __init__(self, file: str, line: int, column: int, message: str) -> None:
        """Complain about `line`:`column` of `file`."""
        super().__init__(f"{file}, line {line}, column {column}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the parts of some data stand. A path is the keys and indices that lead to a part; `()` is the whole."""

    file: str
    values: dict[tuple[Step, ...], Mark] = field(repr=False)
    keys: dict[tuple[Step, ...], Mark] = field(repr=False)

    def value(self, *path: Step) -> Mark:
        """Where the value at `path` begins; for a path that is not there, where its nearest parent begins."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values[path]

    def key(self, *path: Step) -> Mark:
        """Where the key that leads to `path` begins; where there is none (a list's item), as `value`."""
        return self.keys.get(path) or self.value(*path)

    def error(self, message: str, *path: Step) -> ShapeError:
        """A complaint about the value at `path`, ready to raise."""
        mark = self.value(*path)
        return ShapeError(self.file, mark.line, mark.column, message)

    def key_error(self, message: str, *path: Step) -> ShapeError:
        """A complaint about the key at `path`, ready to raise."""
        mark = self.key(*path)
        return ShapeError(self.file, mark.line, mark.column, message)


def load(source: Path | str, name: str = "<text>") -> tuple[object, Marks]:
    """Read YAML: the data (dict, list, str, int, float, bool, None) and where its parts stand.

    `source` is a file, or the text itself, then called `name` in messages. Raises ShapeError for everything that
    is not a single readable YAML document, an unreadable file included (line and column 1).
    """
    file = str(source) if isinstance(source, Path) else name
    text = _text_of(source, file)
    marks = Marks(file, {}, {})
    try:
        loader = _PlainLoader(text)
        root = loader.get_single_node()
    except yaml.reader.ReaderError as fault:
        before = text[: fault.position]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        message = f"the character U+{_code(fault.character):04X} is not allowed in YAML."
        raise ShapeError(file, line, column, message) from fault
    except yaml.MarkedYAMLError as fault:
        place = fault.problem_mark or fault.context_mark
        told = ", ".join(part for part in (fault.context, fault.problem) if part) or "this is not YAML"
        mark = Mark(place.line + 1, place.column + 1) if place else Mark(1, 1)
        raise ShapeError(file, mark.line, mark.column, f"{told}.") from fault
    except RecursionError as fault:
        raise _too_deep(file) from fault
    if root is None:
        marks.values[()] = Mark(1, 1)
        return None, marks
    try:
        return _build(loader, root, (), marks), marks
    except RecursionError as fault:
        raise _too_deep(file) from fault


def read(source: Path | str, name: str = "<text>") -> Node:
    """Read YAML as `load` does and stand at its top."""
    data, marks = load(source, name)
    return Node(data, marks)


class Node:
    """A part of a YAML file that knows where it stands and how it is called."""

    __slots__ = ("data", "marks", "path")

    def __init__(self, data: object, marks: Marks, path: tuple[Step, ...] = ()) -> None:
        """Stand at `path` of a loaded file; `data` is what was found there."""
        self.data = data
        self.marks = marks
        self.path = path

    def error(self, message: str) -> ShapeError:
        """A complaint about this value, ready to raise; the path to it is told before the message."""
        return self.marks.error(self._told(message), *self.path)

    def key_error(self, message: str) -> ShapeError:
        """A complaint about the key that leads here, ready to raise."""
        return self.marks.key_error(self._told(message), *self.path)

    def is_null(self) -> bool:
        """Whether nothing (or `null`, `~`) is written here."""
        return self.data is None

    def mapping(self, required: Sequence[str] = (), optional: Sequence[str] = ()) -> dict[str, Node]:
        """Its keys, when it is a mapping with every `required` key and no key besides those and `optional`."""
        found = self.entries()
        allowed = (*required, *optional)
        for key, node in found.items():
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, n=1)
                hint = f" Did you mean `{close[0]}`?" if close else ""
                message = f"unknown key `{key}`.{hint} Allowed: {listed(allowed)}."
                raise self.marks.key_error(self._told(message), *node.path)
        for key in required:
            if key not in found:
                message = f"the key `{key}` is missing. Required: {listed(required)}."
                raise self.error(message)
        return found

    def entries(self) -> dict[str, Node]:
        """Its keys, whatever they are called, when it is a mapping whose keys are text."""
        if not isinstance(self.data, dict):
            message = f"expected a mapping (`key: value`), found {_kind(self.data)}."
            raise self.error(message)
        found: dict[str, Node] = {}
        for key, value in self.data.items():
            here = (*self.path, key)
            if not isinstance(key, str):
                message = f"a key must be text: put `{key}` into quotes."
                raise self.marks.key_error(self._told(message), *here)
            found[key] = Node(value, self.marks, here)
        return found

    def items(self) -> list[Node]:
        """Its parts, when it is a list."""
        if not isinstance(self.data, list):
            message = f"expected a list (`- item`), found {_kind(self.data)}."
            raise self.error(message)
        return [Node(value, self.marks, (*self.path, index)) for index, value in enumerate(self.data)]

    def text(self) -> str:
        """Its text without the blanks around it, when it is text and not empty."""
        if not isinstance(self.data, str):
            quotes = " Put it into quotes." if isinstance(self.data, int | float) else ""
            message = f"expected text, found {_kind(self.data)}.{quotes}"
            raise self.error(message)
        if not self.data.strip():
            message = "expected text, found nothing between the quotes."
            raise self.error(message)
        return self.data.strip()

    def one_of(self, allowed: Iterable[str]) -> str:
        """Its text, when it is one of `allowed`."""
        choices = tuple(allowed)
        text = self.text()
        if text not in choices:
            close = difflib.get_close_matches(text, choices, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            message = f"`{text}` is not known.{hint} Allowed: {listed(choices)}."
            raise self.error(message)
        return text

    def integer(self, least: int, most: int) -> int:
        """Its number, when it is a whole one from `least` to `most`."""
        if isinstance(self.data, bool) or not isinstance(self.data, int) or not least <= self.data <= most:
            message = f"expected a whole number from {least} to {most}, found {_kind(self.data)}."
            raise self.error(message)
        return self.data

    def flag(self) -> bool:
        """Its truth, when it is `true` or `false`."""
        if not isinstance(self.data, bool):
            message = f"expected `true` or `false`, found {_kind(self.data)}."
            raise self.error(message)
        return self.data

    def date(self) -> date:
        """Its day, when it is written as `2026-01-31`."""
        found = self.data if isinstance(self.data, str) else ""
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", found):
            try:
                return date.fromisoformat(found)
            except ValueError as fault:
                message = f"`{found}` is not a day of the calendar."
                raise self.error(message) from fault
        message = f"expected a day written as 2026-01-31, found {_kind(self.data)}."
        raise self.error(message)

    def _told(self, message: str) -> str:
        way = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path).lstrip(".")
        return f"{way}: {message}" if way else message


def listed(choices: Iterable[str]) -> str:
    """What is allowed, for a message: `a`, `b`, `c`."""
    return ", ".join(f"`{choice}`" for choice in choices) or "nothing"


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader without the guesses of YAML 1.1, without aliases and without tags."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Build the tree as PyYAML does, but refuse what the dialect leaves out."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it open
        place: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            problem = f"the alias `*{event.anchor}` is not supported: write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=place)
        if getattr(event, "tag", None) not in {None, "!"}:
            problem = f"the tag `{event.tag}` is not supported: write the plain value"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=place)
        return super().compose_node(parent, index)


_PlainLoader.yaml_implicit_resolvers = {}
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), ["t", "f"])
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z"), list("-0123456789")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+\Z"), list("-0123456789")
)


def _text_of(source: Path | str, file: str) -> str:
    if isinstance(source, str):
        return source
    try:
        return source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        good = fault.object[: fault.start]
        line = good.count(b"\n") + 1
        column = len(good[good.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        message = "the file is not UTF-8 here: save it as UTF-8."
        raise ShapeError(file, line, column, message) from fault
    except OSError as fault:
        message = f"the file cannot be read ({fault.strerror}): check that it exists and may be read."
        raise ShapeError(file, 1, 1, message) from fault


def _build(loader: _PlainLoader, node: yaml.Node, path: tuple[Step, ...], marks: Marks) -> object:
    marks.values[path] = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, (*path, index), marks) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found: dict[Step, object] = {}
    for key_node, value_node in node.value:
        mark = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            raise ShapeError(marks.file, mark.line, mark.column, "a key must be text, not a list or a mapping.")
        key = loader.construct_object(key_node)
        if key in found:
            first = marks.keys[*path, key]
            message = f"the key `{key}` stands twice; the first one is on line {first.line}. Keep one of them."
            raise ShapeError(marks.file, mark.line, mark.column, message)
        marks.keys[*path, key] = mark
        found[key] = _build(loader, value_node, (*path, key), marks)
    return found


def _too_deep(file: str) -> ShapeError:
    return ShapeError(file, 1, 1, "the lists and mappings are nested too deeply to be read.")


def _kind(data: object) -> str:
    match data:
        case None:
            return "nothing"
        case bool():
            return f"`{str(data).lower()}`"
        case int() | float():
            return f"the number {data}"
        case str():
            return f"the text `{data if len(data) <= 40 else data[:39] + '…'}`"  # noqa: PLR2004  # fits a line
        case list():
            return "a list"
        case _:
            return "a mapping"


def _code(character: str | bytes | int) -> int:
    return character if isinstance(character, int) else ord(character[:1])
