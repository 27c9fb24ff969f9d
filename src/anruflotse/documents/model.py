"""What a document is made of: blocks of plain text, checked when they are made, so that every rendering succeeds.

Line breaks in texts are kept. What callers and staff said or typed stays out of every `repr`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

GERMANY = ZoneInfo("Europe/Berlin")
DEEPEST = 3
"""The lowest level of a heading."""


class Tone(StrEnum):
    """How a marked text or a note is meant. Colour only underlines it: the words must say it themselves."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    """Neither: to be done, not known, not proven."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A text that stands out in a table or among facts, as in "gehalten" and "gebrochen"."""

    text: str = field(repr=False)
    tone: Tone = Tone.PLAIN


Cell = str | Mark
"""What stands in a table's cell, or behind a label."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below the document's title. `level` 1 to 3; raises `ValueError` for another one or without text."""

    text: str = field(repr=False)
    level: int = 1

    def __post_init__(self) -> None:
        """Refuse what would break the outline that screen readers walk along."""
        if not 1 <= self.level <= DEEPEST:
            message = f"A heading has a level from 1 to {DEEPEST}, not {self.level}."
            raise ValueError(message)
        if not self.text.strip():
            message = "A heading needs a text: leave it out instead."
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Note:
    """A paragraph in a box: what must not be overlooked."""

    text: str = field(repr=False)
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Quote:
    """Somebody's own words, unchanged. `source` says whose and when."""

    text: str = field(repr=False)
    source: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """Items with a bullet, or `numbered`. Without items nothing is shown."""

    items: tuple[str, ...] = field(repr=False)
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels with what belongs to them, one below the other. Without pairs nothing is shown."""

    pairs: tuple[tuple[str, Cell], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a head; the first cell of a row names the row.

    `caption` says what it is a table of, for those who hear it before they see it. `widths` are shares such as
    `(1, 3, 2)`; None leaves them to the content. Raises `ValueError` when rows, head and widths differ in length.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)
    caption: str = ""
    widths: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what would put a value below the wrong heading."""
        if not self.head:
            message = "A table needs a head: name its columns."
            raise ValueError(message)
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.head):
                message = f"Row {number} of a table has {len(row)} cells; its head has {len(self.head)}."
                raise ValueError(message)
        if self.widths is not None and (len(self.widths) != len(self.head) or min(self.widths) < 1):
            message = f"The widths of a table are {len(self.head)} whole numbers from 1, one for each column."
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Columns:
    """Two things side by side, to be compared; on a narrow screen one below the other.

    Raises `ValueError` for columns within columns.
    """

    left: tuple[Block, ...]
    right: tuple[Block, ...]

    def __post_init__(self) -> None:
        """Refuse what no page is wide enough for."""
        if any(isinstance(block, Columns) for block in (*self.left, *self.right)):
            message = "Columns cannot stand within columns: a page is not wide enough."
            raise ValueError(message)


Block = Heading | Paragraph | Note | Quote | Listing | Facts | Table | Columns
"""One piece of a document."""


@dataclass(frozen=True, slots=True)
class Document:
    """A paper with its title, whose it is, and as of when.

    `date` is a day, or an aware moment, shown in German time. Raises `ValueError` without a title, for a moment without
    a time zone, and when headings skip a level: the first one has level 1, the others are one deeper at most (PDF/UA).
    """

    title: str
    subtitle: str
    date: date | datetime
    insurer: str
    blocks: tuple[Block, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what nobody could file: without title or with a time that could be any."""
        if not self.title.strip():
            message = "A document needs a title."
            raise ValueError(message)
        if isinstance(self.date, datetime) and self.date.tzinfo is None:
            message = "The time of a document needs a time zone: give UTC."
            raise ValueError(message)
        before = 0
        for level in _levels(self.blocks):
            if level > before + 1:
                message = f"A heading of level {level} cannot follow one of level {before}: use level {before + 1}."
                raise ValueError(message)
            before = level

    @property
    def dated(self) -> str:
        """The date as people read it: `24. November 2026`, with `, 03:28 Uhr` for a moment."""
        return moment(self.date) if isinstance(self.date, datetime) else day(self.date)

    @property
    def iso(self) -> str:
        """The date as machines read it: ISO 8601, a moment in UTC."""
        when = self.date.astimezone(UTC) if isinstance(self.date, datetime) else self.date
        return when.isoformat()


def _levels(blocks: tuple[Block, ...]) -> Iterator[int]:
    """The levels of all headings in the order in which they are read."""
    for block in blocks:
        if isinstance(block, Heading):
            yield block.level
        elif isinstance(block, Columns):
            yield from _levels((*block.left, *block.right))


_MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
)


def day(when: date) -> str:
    """A day as people read it: `24. November 2026`. A moment is that of the day it is in Germany."""
    if isinstance(when, datetime):
        when = when.astimezone(GERMANY)
    return f"{when.day}. {_MONTHS[when.month - 1]} {when.year}"


def moment(when: datetime) -> str:
    """A moment as people read it, in German time: `24. November 2026, 03:28 Uhr`."""
    return f"{day(when)}, {when.astimezone(GERMANY):%H:%M} Uhr"
