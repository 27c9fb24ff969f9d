"""The sentences understanding learns from: one JSON object a line with `text` and `intent` (the concern's key)."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anruflotse.understanding.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DATA = Path(__file__).parent / "data"
WRITTEN = _DATA / "written"
"""Folder of the sentences that were written for invented people: a file a concern, training personas only."""
MISHEARD = _DATA / "misheard.jsonl"
"""Some of the training sentences, spoken by a synthesiser and read back by our recogniser."""
SHIPPED: tuple[Path, ...] = (
    *(_DATA / f"utterances_{name}.jsonl" for name in ("seed", "more", "plain")),
    *sorted(WRITTEN.glob("*.jsonl")),
    *(file for file in (MISHEARD,) if file.exists()),
)
"""The corpus that comes with the project, to learn from."""

HELD_OUT = _DATA / "held_out" / "written.jsonl"
"""What the held-out personas say: for measuring only, nothing is ever learnt from it."""
HELD_OUT_MISHEARD = _DATA / "held_out" / "misheard.jsonl"
"""Some of `HELD_OUT`, spoken and read back."""
HELD_OUT_PERSONAS = frozenset({"p03", "p09", "p12", "p20", "p25", "p31", "p34", "p39", "p42", "p48", "p53", "p60"})
"""The invented people nothing is learnt from, old and young, native and not. Recipe and thresholds are chosen on
them."""

FRESH = _DATA / "held_out" / "fresh.jsonl"
"""What people say from whom nothing is learnt and by whom neither recipe nor thresholds were chosen (those of alarms
were, with a look at both), for the last measure. Their authors wrote others who are learnt from."""
FRESH_MISHEARD = _DATA / "held_out" / "fresh_misheard.jsonl"
"""Some of `FRESH`, spoken and read back."""
FRESH_PERSONAS = frozenset({"p61", "p65", "p79", "p83", "p89", "p93", "p97", "p99"})
"""Whose sentences those are: very old, very short, broken, angry, an employer, a carer, dialect."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence and its concern, and what else the file tells.

    `department` is named by exam files, `persona` (who says it) and `second` (another concern stated after the first)
    by some of the shipped ones; each is empty where the file has none.
    """

    text: str = field(repr=False)
    concern: str
    department: str = ""
    persona: str = ""
    second: str = ""


def read(files: Iterable[Path], *, repeats: bool = False) -> list[Line]:
    """All lines of `files` in order; the same sentence with the same concern only once, unless `repeats`.

    Raises CorpusError naming file and line when one is not JSON or lacks `text` or `intent`.
    """
    lines: dict[tuple[str, str, int], Line] = {}
    for file in files:
        for entry in _entries(file, ("text", "intent")):
            others = (str(entry.get(key) or "") for key in ("department", "persona", "second"))
            line = Line(entry["text"], entry["intent"], *others)
            lines.setdefault((plain(line.text), line.concern, len(lines) if repeats else 0), line)
    return list(lines.values())


def read_texts(file: Path) -> list[str]:
    """The `text` of every line of `file`. Raises CorpusError as `read` does."""
    return [entry["text"] for entry in _entries(file, ("text",))]


def _entries(file: Path, keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The objects in `file`; `keys` must be there and be text."""
    for number, raw in enumerate(_lines(file), 1):
        if not raw.strip():
            continue
        try:
            entry = json.loads(raw)
        except (json.JSONDecodeError, RecursionError) as error:
            message = f"{file}, line {number}: not JSON. Write one object a line, with {', '.join(keys)}"
            raise CorpusError(message) from error
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in keys):
            message = f"{file}, line {number}: {' and '.join(keys)} must be there and be text"
            raise CorpusError(message)
        yield entry


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        message = f"{file} cannot be read ({error.strerror}). Check the path"
        raise CorpusError(message) from error
    except UnicodeDecodeError as error:
        message = f"{file} is not UTF-8 (byte {error.start}). Save it as UTF-8"
        raise CorpusError(message) from error


def plain(text: str) -> str:
    """`text` in lower case, composed (NFC), only letters and digits, single spaces: what rules and features look at."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower()))
