"""The nouns of this room: departments, concerns, targets, and where a call can go now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from anruflotse.departments.hours import Almanac, Hours

HUMAN = "mensch"
"""Names the human desk where an alternative may be a department or a person."""


class Action(StrEnum):
    """What a special concern asks for in place of a department."""

    HUMAN = "mensch"
    EMERGENCY = "notfall"
    OBJECTION = "aufzeichnung_aus"
    ASK_AGAIN = "nachfragen"


SPECIAL_CLASSES = {
    Action.HUMAN: "mensch",
    Action.EMERGENCY: "notfall",
    Action.OBJECTION: "aufzeichnung_aus",
    Action.ASK_AGAIN: "ausserhalb",
}
"""The class that stands in the place of a department for each action (in the catalogue and in test sets)."""


class Announcement(StrEnum):
    """What to tell a caller who cannot be put through; the value is the prompt's name in the prompt catalogue."""

    CLOSED = "geschlossen"
    CLOSED_INSTEAD = "geschlossen_alternative"
    NOBODY = "niemand_erreichbar"


@dataclass(frozen=True, slots=True)
class Target:
    """A SIP URI to send a call to; `processor` names the processor whose people answer there, if it is not us."""

    uri: str
    processor: str | None = None


@dataclass(frozen=True, slots=True)
class Department:
    """Who is responsible. `targets` are tried in order, then `overflow`; outside `hours` the `alternative`, if any."""

    key: str
    name: str
    description: str
    targets: tuple[Target, ...]
    hours: Hours
    almanac: Almanac
    overflow: tuple[Target, ...] = ()
    alternative: str | None = None


@dataclass(frozen=True, slots=True)
class HumanDesk:
    """The people behind "einen Menschen": `targets` in `hours`; `emergency` after them, and at any other time."""

    targets: tuple[Target, ...]
    hours: Hours
    almanac: Almanac
    emergency: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Concern:
    """Something people call about. `department` is a department's key, or for an `action` its special class.

    `spoken` is how a prompt names it ("Geht es um ...?"), empty for special concerns. `keywords` speak for it,
    `counter_keywords` against it; `examples` are the operator's own sentences, learnt by `anruflotse train`. One that
    is not `enabled` is neither offered nor routed to: who states it is treated as somebody we have no department for.
    """

    key: str
    department: str
    name: str
    description: str
    spoken: str = ""
    keywords: tuple[str, ...] = ()
    counter_keywords: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    enabled: bool = True
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call can go at a given moment. It always has targets or an announcement, often both.

    `open` tells whether the one asked for takes the call: within its hours and with a target that may be used. When
    it does not, `targets` are those of `alternative` (a department's key, or `mensch`), and `announcement` is what
    the caller is told first. `skipped` are targets that were left out because their processor may not be used.
    """

    open: bool
    targets: tuple[Target, ...]
    alternative: str | None = None
    announcement: Announcement | None = None
    skipped: tuple[Target, ...] = ()
