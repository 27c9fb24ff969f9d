"""Who may see what, and what for: one table, closed, and everything that is not in it is refused.

Notice, section "Zugriff": only staff entrusted with the processing; P13 and Art. 5(1)(b), Art. 25(2), Art. 32 GDPR.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from anruflotse.records.model import AccessRefusedError, Purpose

NAME_LENGTH = 80


class Role(StrEnum):
    """What a person is entrusted with."""

    SPEECH = "sprachverarbeitung"
    """Staff entrusted with the processing of speech: what was said, as text and sound."""
    DEPARTMENT = "fachabteilung"
    """Staff of a department: the concern of a call that was handed to their own department, without sound."""
    PRIVACY = "datenschutz"
    """Handling of rights (Art. 15-21 GDPR) and supervision."""
    MANAGEMENT = "leitung"
    """Aggregates only."""
    OPERATIONS = "technik"
    """Runs the machine: no content."""


class Kind(StrEnum):
    """Kinds of access, each named in the audit trail as its `act`."""

    LIST = "list"
    """Which records there are: times, concern, department, outcome; no words, no number."""
    TEXT = "text"
    """One record with what was said and how it was understood."""
    AUDIO = "audio"
    """The recording itself."""
    NUMBER = "number"
    """The caller's number, shown with the text."""
    CONCERN = "concern"
    """The concern of a call handed to one's own department, by the reference that came with it."""
    FIND_REFERENCE = "find_reference"
    """Which record belongs to a reference."""
    FIND_NUMBER = "find_number"
    """Which records belong to a number."""
    FIND_WINDOW = "find_window"
    """Which records, or how many, were recorded within a stretch of time."""
    STATISTICS = "statistics"
    """Counters without a link to a call."""
    TRAIL = "trail"
    """Who accessed what."""
    RESTRICT = "restrict"
    """Restricting a record, and lifting that (Art. 18 GDPR)."""
    RECTIFY = "rectify"
    """Putting corrected text beside what was recognised (Art. 16 GDPR)."""
    OBJECT = "object"
    """Entering that the caller of a number has objected for the time to come, and withdrawing that (Art. 21 GDPR)."""
    CASE = "case"
    """Everything about the requests of persons: filing, reading, changing, attaching, destroying."""
    DESTROY = "destroy"
    """Making a record unreadable before its time (Art. 17 GDPR)."""
    ROTATE = "rotate"
    """Replacing the master key; shows nothing."""


_ALLOWED: dict[tuple[Role, Purpose], frozenset[Kind]] = {
    (Role.SPEECH, Purpose.FORWARDING): frozenset({Kind.LIST, Kind.TEXT, Kind.AUDIO, Kind.FIND_REFERENCE}),
    (Role.DEPARTMENT, Purpose.FORWARDING): frozenset({Kind.CONCERN}),
    (Role.PRIVACY, Purpose.RIGHTS): frozenset(
        {
            Kind.LIST,
            Kind.TEXT,
            Kind.AUDIO,
            Kind.NUMBER,
            Kind.FIND_REFERENCE,
            Kind.FIND_NUMBER,
            Kind.FIND_WINDOW,
            Kind.TRAIL,
            Kind.RESTRICT,
            Kind.RECTIFY,
            Kind.OBJECT,
            Kind.CASE,
            Kind.DESTROY,
        }
    ),
    (Role.PRIVACY, Purpose.SUPERVISION): frozenset(
        {Kind.LIST, Kind.TEXT, Kind.FIND_REFERENCE, Kind.FIND_WINDOW, Kind.STATISTICS, Kind.TRAIL}
    ),
    (Role.MANAGEMENT, Purpose.STATISTICS): frozenset({Kind.STATISTICS}),
    (Role.OPERATIONS, Purpose.OPERATION): frozenset({Kind.STATISTICS, Kind.ROTATE}),
}
"""What each role may do for which purpose. No role may do anything for a purpose that is not here."""


@dataclass(frozen=True, slots=True)
class Accessor:
    """Who wants access: a name (80 characters at most) and a role; department staff also the keys of their departments.

    Raises `AccessRefusedError` without a name: no name, no access.
    """

    name: str
    role: Role
    departments: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Bring the name into the shape in which it is logged."""
        name = " ".join("".join(letter if letter.isprintable() else " " for letter in self.name).split())[:NAME_LENGTH]
        if not name:
            message = "An access needs the name of the accessor."
            raise AccessRefusedError(message)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "role", Role(self.role))


def allowed(role: Role, purpose: Purpose, kind: Kind) -> bool:
    """Whether the table allows it."""
    return kind in _ALLOWED.get((role, purpose), frozenset())


def purposes(role: Role) -> tuple[Purpose, ...]:
    """The purposes for which `role` may do anything at all."""
    return tuple(purpose for (one, purpose) in _ALLOWED if one is role)
