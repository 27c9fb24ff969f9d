"""The concerns of a catalogue file: each by itself, and then all against each other, with line and column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from anruflotse.departments.model import SPECIAL_CLASSES, Action, Concern, Department
from anruflotse.yamlshape import Node

Hears = Callable[[str], bool]
"""Whether the rules that come before every concern (emergency, objection, wish for a human) act on these words."""

LONGEST = {"name": 80, "beschreibung": 500, "ansage": 120, "stichworte": 60, "gegenstichworte": 60, "beispiele": 600}
"""Letters a text may have. A longer announcement nobody listens to; of a longer sentence the end is not looked at."""

_OPTIONAL = ("ansage", "stichworte", "gegenstichworte", "beispiele", "aktiv", "aktion", "sonder")
_SENTENCE = "Es geht um {}"
"""What a keyword is tried in: alone, many an innocent word is an answer to the notice."""
_WORD = re.compile(r"[^\W_]+")


@dataclass(slots=True)
class _Seen:
    """Where words stood first: (concern, node) by the words as they are compared."""

    keywords: dict[str, tuple[str, Node]] = field(default_factory=dict)
    examples: dict[str, tuple[str, Node]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def remark(self, node: Node, message: str) -> None:
        self.remarks.append(str(node.error(message)))


def read_concerns(
    entries: Iterable[tuple[str, Node]], departments: Mapping[str, Department], hears: Hears
) -> tuple[dict[str, Concern], tuple[str, ...]]:
    """The concerns in the order of the file, and remarks (`FILE, line 3, column 5: ...`): what works but helps nobody.

    Raises ShapeError for what cannot be meant: an unknown department, text that is empty or too long, an example that
    belongs to two concerns, a word that speaks for and against the same one, a special concern that is switched off.
    """
    nodes = dict(entries)
    concerns = {key: _read_concern(key, node, departments) for key, node in nodes.items()}
    seen = _Seen()
    for key, node in nodes.items():
        parts = node.entries()
        _compare_keywords(concerns[key], parts, seen, hears)
        _compare_examples(concerns[key], parts, seen, hears)
    return concerns, tuple(seen.remarks)


def _read_concern(key: str, node: Node, departments: Mapping[str, Department]) -> Concern:
    parts = node.mapping(required=("abteilung", "name", "beschreibung"), optional=_OPTIONAL)
    action = Action(parts["aktion"].one_of(tuple(Action))) if "aktion" in parts else None
    special = parts["sonder"].flag() if "sonder" in parts else False
    enabled = parts["aktiv"].flag() if "aktiv" in parts else True
    if special != (action is not None):
        message = "`aktion` and `sonder: true` belong together: give both for a special concern, none for any other."
        raise node.error(message)
    if action is None:
        department = parts["abteilung"].one_of(departments)
        if "ansage" not in parts:
            message = "the key `ansage` is missing: how a prompt names this concern, such as `Ihre Beiträge`."
            raise node.error(message)
    else:
        department = parts["abteilung"].one_of((SPECIAL_CLASSES[action],))
        if not enabled:
            message = "a special concern cannot be switched off: callers must always be able to say this."
            raise parts["aktiv"].error(message)
    return Concern(
        key=key,
        department=department,
        name=_text(parts["name"], "name"),
        description=_text(parts["beschreibung"], "beschreibung"),
        spoken=_text(parts["ansage"], "ansage") if "ansage" in parts else "",
        keywords=_texts(parts, "stichworte"),
        counter_keywords=_texts(parts, "gegenstichworte"),
        examples=_texts(parts, "beispiele"),
        enabled=enabled,
        action=action,
    )


def _texts(parts: Mapping[str, Node], key: str) -> tuple[str, ...]:
    return tuple(_text(item, key) for item in parts[key].items()) if key in parts else ()


def _text(node: Node, key: str) -> str:
    text = node.text()
    if not _plain(text):
        message = f"`{text}` has no letter and no digit: nobody can say it."
        raise node.error(message)
    if len(text) > LONGEST[key]:
        message = f"this has {len(text)} letters. Allowed: {LONGEST[key]}."
        raise node.error(message)
    return text


def _compare_keywords(concern: Concern, parts: Mapping[str, Node], seen: _Seen, hears: Hears) -> None:
    own: dict[str, Node] = {}
    for node in parts["stichworte"].items() if "stichworte" in parts else ():
        word = _plain(node.text())
        if word in own:
            seen.remark(node, f"`{node.text()}` stands twice for this concern; once is enough.")
            continue
        own[word] = node
        if concern.action is None and hears(_SENTENCE.format(node.text())):
            message = f"who says `{node.text()}` is understood as having an emergency, objecting or asking for a human"
            seen.remark(node, f"{message} before any keyword counts: it brings nobody to `{concern.key}`.")
        if word in seen.keywords and concern.enabled:
            other, first = seen.keywords[word]
            message = f"`{node.text()}` is a keyword of `{other}` as well (line {_line(first)})"
            seen.remark(node, f"{message}: it cannot tell the two apart. Keep it where callers mean it most.")
        elif concern.enabled:
            seen.keywords[word] = (concern.key, node)
    for node in parts["gegenstichworte"].items() if "gegenstichworte" in parts else ():
        if concern.action is not None:
            message = "a special concern takes no `gegenstichworte`: nothing a caller says may make it harder to reach."
            raise node.error(message)
        if (word := _plain(node.text())) in own:
            message = f"`{node.text()}` stands in `stichworte` too (line {_line(own[word])}). Decide for one of them."
            raise node.error(message)


def _compare_examples(concern: Concern, parts: Mapping[str, Node], seen: _Seen, hears: Hears) -> None:
    for node in parts["beispiele"].items() if "beispiele" in parts else ():
        words = _plain(node.text())
        if words not in seen.examples:
            seen.examples[words] = (concern.key, node)
            if concern.action is None and hears(node.text()):
                message = "this is understood as an emergency, an objection or a wish for a human before any concern"
                seen.remark(node, f"{message}: as an example of `{concern.key}` it teaches nothing.")
            continue
        other, first = seen.examples[words]
        if other != concern.key:
            message = f"this sentence is an example of `{other}` too (line {_line(first)}). Keep it for one of them."
            raise node.error(message)
        seen.remark(node, f"this example stands twice (first on line {_line(first)}); once is enough.")


def _line(node: Node) -> int:
    return node.marks.value(*node.path).line


def _plain(text: str) -> str:
    """The words as they are compared: lower case, letters and digits only. What understanding looks at."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", text).lower()))
