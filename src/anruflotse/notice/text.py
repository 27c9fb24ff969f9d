"""The notice as data: its sentences, the promises each one makes, and the gaps the running system fills."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from anruflotse.notice.facts import HOLDS, PLACEHOLDERS, Condition, Facts
from anruflotse.notice.promises import Promise
from anruflotse.yamlshape import Node, listed, read

VERSION = 1
_GAP = re.compile(r"\{([^{}]*)\}")
_ID = re.compile(r"[a-z][a-z0-9-]*")
_RESERVED_IDS = ("oben", "inhalt")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with the promises it makes. In a template its text may hold gaps, in a notice it never does."""

    text: str
    promises: tuple[Promise, ...]
    condition: Condition | None = None

    def filled(self, facts: Facts) -> Sentence:
        """The sentence as it reads for a running system."""
        return Sentence(_GAP.sub(lambda gap: PLACEHOLDERS[gap[1]](facts), self.text), self.promises, self.condition)


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the notice; the first one has neither title nor id. `paragraphs` are lists of sentences."""

    title: str | None
    id: str | None
    paragraphs: tuple[tuple[Sentence, ...], ...]

    def filled(self, facts: Facts) -> Section:
        """The section as it reads for a running system: sentences that do not hold, and empty paragraphs, are gone."""
        paragraphs = (
            tuple(s.filled(facts) for s in paragraph if s.condition is None or HOLDS[s.condition](facts))
            for paragraph in self.paragraphs
        )
        return Section(self.title, self.id, tuple(paragraph for paragraph in paragraphs if paragraph))


@dataclass(frozen=True, slots=True)
class Template:
    """The notice before the running system fills its gaps. `title` is a sentence too: publishing is a promise."""

    title: Sentence
    sections: tuple[Section, ...]
    to_top: str


def load(source: Path | str | None = None) -> Template:
    """The notice of a YAML file (or of YAML text), None for the shipped one.

    Raises `anruflotse.yamlshape.ShapeError` with line and column for anything wrong: an unknown gap, an unknown
    promise, or a promise that no sentence makes.
    """
    text = files("anruflotse.notice").joinpath("notice.de.yaml").read_text(encoding="utf-8")
    root = read(text if source is None else source, "notice.de.yaml")
    top = root.mapping(required=("version", "titel", "nach_oben", "abschnitte"))
    top["version"].integer(VERSION, VERSION)
    title = top["titel"].mapping(required=("text", "versprechen"))
    template = Template(
        title=Sentence(_read_text(title["text"]), _read_promises(title["versprechen"])),
        sections=tuple(_read_section(node, first=not index) for index, node in enumerate(top["abschnitte"].items())),
        to_top=top["nach_oben"].text(),
    )
    sentences = [s for section in template.sections for paragraph in section.paragraphs for s in paragraph]
    made = {promise for sentence in (template.title, *sentences) for promise in sentence.promises}
    missing = [promise for promise in Promise if promise not in made]
    if missing:
        message = (
            f"no sentence makes the promises {listed(missing)}. Name them under `versprechen` where they are made."
        )
        raise root.error(message)
    ids = [section.id for section in template.sections]
    for index, section_id in enumerate(ids):
        if section_id is not None and section_id in ids[:index]:
            message = f"`{section_id}` stands twice. Every section needs an id of its own."
            raise top["abschnitte"].items()[index].entries()["kennung"].error(message)
    return template


def _read_section(node: Node, *, first: bool) -> Section:
    parts = node.mapping(required=("absaetze",) if first else ("titel", "kennung", "absaetze"))
    section_id = None if first else parts["kennung"].text()
    if section_id is not None and (not _ID.fullmatch(section_id) or section_id in _RESERVED_IDS):
        message = (
            f"`{section_id}` cannot be an id. Allowed: lower-case letters a-z, digits and `-`; "
            f"not {listed(_RESERVED_IDS)}."
        )
        raise parts["kennung"].error(message)
    paragraphs = tuple(tuple(_read_sentence(s) for s in paragraph.items()) for paragraph in parts["absaetze"].items())
    return Section(None if first else _read_text(parts["titel"]), section_id, paragraphs)


def _read_sentence(node: Node) -> Sentence:
    parts = node.mapping(required=("satz", "versprechen"), optional=("wenn",))
    condition = Condition(parts["wenn"].one_of(tuple(Condition))) if "wenn" in parts else None
    return Sentence(_read_text(parts["satz"]), _read_promises(parts["versprechen"]), condition)


def _read_text(node: Node) -> str:
    text = " ".join(node.text().split())
    for gap in _GAP.findall(text):
        if gap not in PLACEHOLDERS:
            message = f"the gap `{{{gap}}}` is not known. Allowed: {listed(PLACEHOLDERS)}."
            raise node.error(message)
    if re.search(r"[{}]", _GAP.sub("", text)):
        message = "a curly bracket stands alone. Write gaps as `{name}`."
        raise node.error(message)
    return text


def _read_promises(node: Node) -> tuple[Promise, ...]:
    promises = tuple(Promise(item.one_of(tuple(Promise))) for item in node.items())  # type: ignore[call-arg]
    if not promises:
        message = "expected at least one promise (P1 to P17): a sentence that promises nothing has no place here."
        raise node.error(message)
    return promises
