"""The catalogue of everything callers hear: texts, their gaps, and how words are pronounced.

`prompts.de.yaml` is the shipped one; an operator may put a file of the same shape in its place. Every mistake in it is
told with line and column before the first call.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Final

from anruflotse.yamlshape import Node, listed, read

GAPS: Final[Mapping[str, tuple[str, ...]]] = {
    "hinweis": ("versicherer", "taste_widerspruch", "taste_mensch"),
    "frage": (),
    "frage_noch_einmal": (),
    "frage_stille": ("taste_mensch",),
    "widerspruch_nachfrage": ("taste_widerspruch",),
    "widerspruch_verbinde": (),
    "widerspruch_bekannt": ("versicherer",),
    "mensch_nachfrage": ("taste_mensch",),
    "mensch_verbinde": (),
    "notfall_nachfrage": (),
    "notfall": (),
    "notfall_suizid": (),
    "bestaetigen": ("anliegen",),
    "auswahl": ("erstes", "zweites"),
    "ja_nein_noch_einmal": (),
    "verbinde": ("abteilung",),
    "geschlossen": ("abteilung",),
    "geschlossen_alternative": ("abteilung", "stattdessen"),
    "nicht_verstanden_verbinde": (),
    "stoerung": (),
    "niemand_erreichbar": ("zeiten",),
    "datenschutz_verbinde": ("kontakt",),
}
"""Every prompt there must be, with the gaps its text may have."""

NEEDED_GAPS: Final = frozenset(
    {"versicherer", "taste_widerspruch", "taste_mensch", "anliegen", "erstes", "zweites", "kontakt"}
)
"""Gaps without which the sentence would not say what it is there for."""

MUST_SAY: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "hinweis": (
        (r"sprachassistent", "that an automatic assistant speaks (`Sprachassistent`)"),
        (r"zeichne|zeichnung", "that the answer is recorded (`zeichne ... auf`, `aufgezeichnet`)"),
        (r"widerspruch|widersprechen", "the word to object with (`Widerspruch`)"),
    ),
    "notfall": ((r"\b112\b", "the emergency number (`112`)"),),
    "notfall_suizid": (
        (r"\b112\b", "the emergency number (`112`)"),
        (r"0800 111 0 (111|222)", "the Telefonseelsorge (`0800 111 0 111`)"),
    ),
}
"""What the law or a caller's safety needs said, as a pattern over the lower-case text and in words."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts by prompt name, with their gaps in braces, and the spoken form of words by their written one."""

    texts: Mapping[str, str] = field(repr=False)
    pronunciation: Mapping[str, str] = field(repr=False)

    def fill(self, name: str, gaps: Mapping[str, str]) -> str:
        """The text of the prompt `name` with its gaps filled. Raises KeyError on an unknown name or an empty gap."""
        return self.texts[name].format_map(gaps)

    def spoken(self, text: str) -> str:
        """`text` as a synthetic voice should get it: every word of the pronunciation list in its spoken form."""
        if not self.pronunciation:
            return text
        longest_first = sorted(self.pronunciation, key=len, reverse=True)
        words = "|".join(re.escape(word) for word in longest_first)
        forms = {word.casefold(): form for word, form in self.pronunciation.items()}
        return re.sub(rf"(?<!\w)(?:{words})(?!\w)", lambda found: forms[found[0].casefold()], text, flags=re.IGNORECASE)


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue at `path`, or the shipped one.

    Raises ShapeError, with line and column, on a missing or unknown prompt, an unknown or missing gap, a text that
    does not say what it must (`MUST_SAY`), and on everything that is not the shape of the shipped file.
    """
    if path is None:
        shipped = importlib.resources.files("anruflotse.speech").joinpath("prompts.de.yaml")
        top = read(shipped.read_text(encoding="utf-8"), "prompts.de.yaml")
    else:
        top = read(path)
    parts = top.mapping(required=("version", "ansagen"), optional=("aussprache",))
    parts["version"].integer(1, 1)
    prompts = parts["ansagen"].mapping(required=tuple(GAPS))
    texts = {name: _checked(name, node) for name, node in prompts.items()}
    words = parts.get("aussprache")
    pronunciation = {} if words is None or words.is_null() else {k: v.text() for k, v in words.entries().items()}
    return Catalogue(texts, pronunciation)


def _checked(name: str, node: Node) -> str:
    text = node.text()
    try:
        found = [gap for _, gap, _, _ in Formatter().parse(text) if gap is not None]
    except ValueError as error:
        message = "a brace is not closed or not opened: gaps are written as {abteilung}."
        raise node.error(message) from error
    allowed = GAPS[name]
    for gap in found:
        if gap not in allowed:
            message = f"the gap {{{gap}}} is not known here. Allowed: {listed(allowed)}."
            raise node.error(message)
    if re.search(r"\{[^}]*[!:]", text):
        message = "a gap holds a name and nothing else, as in {abteilung}."
        raise node.error(message)
    for gap in allowed:
        if gap in NEEDED_GAPS and gap not in found:
            message = f"the gap {{{gap}}} is missing: callers would not hear it."
            raise node.error(message)
    for pattern, meaning in MUST_SAY.get(name, ()):
        # The names of gaps are not heard.
        if not re.search(pattern, re.sub(r"\{.*?\}", "", text.lower())):
            message = f"this prompt must say {meaning}."
            raise node.error(message)
    return text
