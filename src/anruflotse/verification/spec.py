"""What was promised, written down a second time: the yardstick must not be made by what is measured.

When a promise is changed on purpose (another role, another sentence), it is changed here as well, by whoever decided
it; docs/verification.md says how. The table of access is that of docs/access.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

LONGEST_DAYS = 28
"""The longest anything is kept ("Speicherdauer")."""

LAW = (re.compile(r"§\s*284\s+SGB\s+V"), re.compile(r"Art\.\s*6\s+Abs\.\s*1\s+(lit\.|Buchstabe)\s+e\s+DSGVO"))
"""Both halves of the legal basis, however they are abbreviated."""

PURPOSES = frozenset({"weiterleitung", "betroffenenrechte", "datenschutzkontrolle", "statistik", "betrieb"})
"""The closed list of purposes (P5): what the recording is for, what the law demands, and two that open no record."""
OPENING = frozenset({"weiterleitung", "betroffenenrechte", "datenschutzkontrolle"})
"""The purposes a record may be opened for at all."""
COUNTED = frozenset({"day", "kind", "department", "decision", "number"})
"""What a counter consists of: nothing in it leads to a call."""

_RIGHTS = "list text audio number find_reference find_number find_window trail restrict rectify object case destroy"
_MAY: Mapping[tuple[str, str], str] = {
    ("sprachverarbeitung", "weiterleitung"): "list text audio find_reference",
    ("fachabteilung", "weiterleitung"): "concern",
    ("datenschutz", "betroffenenrechte"): _RIGHTS,
    ("datenschutz", "datenschutzkontrolle"): "list text find_reference find_window statistics trail",
    ("leitung", "statistik"): "statistics",
    ("technik", "betrieb"): "statistics rotate",
}
ACCESS = frozenset(f"{role} {purpose} {kind}" for (role, purpose), kinds in _MAY.items() for kind in kinds.split())
"""Who may do what, as `role purpose kind` (P13). Whatever is not here is forbidden."""

NOTICE_SAYS = (re.compile(r"zeichn", re.IGNORECASE), re.compile(r"widersp", re.IGNORECASE))
"""Stems that the spoken notice must hold: that it records, and that one may object."""
AUTOMATED = re.compile(r"automat|sprach\W*as|voice\W?bot|computer|künstlich|\bKI\b", re.IGNORECASE)
"""One of these tells that no person speaks (Art. 50(1) AI Act); recognisers write "Sprachasistent" at times."""

_PROMISED = [
    line.strip()
    for line in files("anruflotse.verification").joinpath("promised.de.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
SENTENCES = tuple(line for line in _PROMISED if not line.startswith("?"))
"""Every sentence of the insurer's notice that always stands in it, with gaps that the settings fill."""
FURTHER = tuple(line.removeprefix("? ") for line in _PROMISED if line.startswith("?"))
"""Sentences that may stand in it besides, as the settings have it."""


_GAPS: Mapping[str, str] = {"": ".+?", "frist": r"(einen Tag|[0-9]+ Tage)", "taste": r"[0-9*#]"}
"""What may stand in a gap; where anything may, it is a name."""
_GAP = re.compile(r"\{([a-z]*)\}")


def says(sentence: str, promised: str) -> bool:
    """Whether `sentence` is the promised one, whatever the settings filled in."""
    parts = _GAP.split(promised)
    shape = "".join(_GAPS[part] if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return re.fullmatch(shape, " ".join(sentence.split())) is not None
