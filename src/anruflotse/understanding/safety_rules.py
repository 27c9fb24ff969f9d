"""The rule table `data/safety.de.yaml`: its form, read and checked, every fault told with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import yaml

from anruflotse.understanding.errors import UnderstandingError

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: Final = ("emergency", "suicidal", "objection", "human", "repeat", "yes", "no")
"""The findings the table must describe."""
ENOUGH: Final = 3
"""From so many points on, signs make a finding likely; every further `STORY` words take one more."""
STORY: Final = 30
"""Who talks longer meets more signs by chance."""
LOOK_ALIKE: Final = 2
"""So many points a look-alike costs."""

_PATTERNS: Final = ("always", "bare", "strong", "certain", "likely", "asked", "unless", "never")
_BARE_WORDS: Final = 14
"""Longer utterances are no bare answers."""


class Sure(IntEnum):
    """How sure a rule is."""

    NO = 0
    LIKELY = 1
    CERTAIN = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """The patterns of one finding; what each is for stands at the head of the table."""

    patterns: dict[str, re.Pattern[str]]
    signs: tuple[tuple[int, re.Pattern[str]], ...]
    words: frozenset[str]

    def is_bare(self, form: str) -> bool:
        """Whether `form`, a whole utterance, is nothing but this."""
        bare = self.patterns.get("bare")
        return bare is not None and bare.fullmatch(form) is not None

    def points(self, spoken: str) -> int:
        """What the signs in `spoken` add up to, each counted once, less what its length demands."""
        found = sum(points for points, pattern in self.signs if pattern.search(spoken) is not None)
        return found - spoken.count(" ") // STORY

    def spoke(self, name: str, spoken: str, bare: str) -> Iterator[str]:
        """The names of the parts that find something, after `name`; a whole utterance must be `bare` to count as it."""
        for part, pattern in self.patterns.items():
            if part == "bare":
                short = len(bare.split()) <= _BARE_WORDS
                found = short and any(form and self.is_bare(form) for form in (bare, spoken))
            else:
                found = pattern.search(spoken) is not None
            if found:
                yield f"{name}.{part}"
        if self.points(spoken) >= ENOUGH:
            yield f"{name}.signs"

    def sure(self, spoken: str, bare: str) -> tuple[Sure, bool]:
        """How sure, and whether it only resembles (a look-alike was found) or only asks.

        `spoken` is the plain text, `bare` the same without fillers.
        """

        def found(name: str) -> bool:
            pattern = self.patterns.get(name)
            return pattern is not None and pattern.search(spoken) is not None

        if found("never"):
            return Sure.NO, True
        short = len(bare.split()) <= _BARE_WORDS
        if (short and any(form and self.is_bare(form) for form in (bare, spoken))) or found("always"):
            return Sure.CERTAIN, False
        resembles = found("unless")
        if found("strong"):
            return (Sure.LIKELY if resembles else Sure.CERTAIN), False
        points, certain = self.points(spoken), found("certain")
        if resembles:
            likely = points - LOOK_ALIKE >= ENOUGH or (points >= ENOUGH and certain)
            # With enough signs beside the look-alike it is no longer clear which it is: the classifier decides.
            return (Sure.LIKELY if likely else Sure.NO), points < ENOUGH
        likely = found("likely") or points >= ENOUGH
        sure = Sure.CERTAIN if certain else Sure.LIKELY if likely else Sure.NO
        return sure, sure is Sure.LIKELY and found("asked")


@dataclass(frozen=True, slots=True)
class Rules:
    """The whole table, compiled."""

    mends: tuple[tuple[re.Pattern[str], str], ...]
    fillers: frozenset[str]
    kinds: dict[str, Kind]

    def mend(self, spoken: str) -> str:
        """`spoken` (plain text) with split and misheard words put right."""
        for pattern, better in self.mends:
            spoken = pattern.sub(better, spoken)
        return spoken


def parse(raw: str, name: str) -> Rules:
    """Compile the table `raw`; `name` is what messages call the file.

    Raises UnderstandingError naming the line when it is not YAML, lacks a part, has one nobody knows or a pattern that
    is no regular expression.
    """
    try:
        root = yaml.compose(raw, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"{name}, line {line}: not YAML ({error.problem}). Mind the indentation and put patterns in quotes"
        raise UnderstandingError(message) from error
    except yaml.YAMLError as error:
        message = f"{name}: not YAML ({type(error).__name__}). Save it as plain UTF-8 text"
        raise UnderstandingError(message) from error
    return _Table(name).rules(root)


class _Table:
    """Walks the composed nodes, which know their lines."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: dict[str, str] = {}

    def rules(self, root: yaml.Node | None) -> Rules:
        top = {key.value: node for key, node in self._pairs(root)}
        for wanted in ("mend", "fillers", "bausteine", *KINDS):
            if wanted not in top:
                message = f"{self._name}: `{wanted}` is missing. Add it, or take the table that comes with anruflotse"
                raise UnderstandingError(message)
        for key, _ in self._pairs(root):
            if key.value not in ("mend", "fillers", "bausteine", *KINDS):
                raise self._fault(key, f"`{key.value}` is not known", f"Known are {', '.join(KINDS)}")
        self._parts = {
            key.value: self._text(node).replace("ß", "(?:ß|ss)") for key, node in self._pairs(top["bausteine"])
        }
        return Rules(
            tuple(self._mend(node) for node in self._items(top["mend"])),
            frozenset(map(self._text, self._items(top["fillers"]))),
            {kind: self._kind(top[kind]) for kind in KINDS},
        )

    def _kind(self, node: yaml.Node) -> Kind:
        patterns: dict[str, re.Pattern[str]] = {}
        signs: tuple[tuple[int, re.Pattern[str]], ...] = ()
        words: frozenset[str] = frozenset()
        for key, value in self._pairs(node):
            if key.value in _PATTERNS:
                known = [self._pattern(item) for item in self._items(value)]
                if known:
                    joined = "|".join(f"(?:{pattern})" for pattern in known)
                    patterns[key.value] = re.compile(joined if key.value == "bare" else _anywhere(joined))
            elif key.value == "signs":
                signs = tuple(self._sign(item) for item in self._items(value))
            elif key.value == "words":
                words = frozenset(map(self._text, self._items(value)))
            else:
                hint = f"Known are {', '.join(_PATTERNS)}, signs and words"
                raise self._fault(key, f"`{key.value}` is not known", hint)
        return Kind(patterns, signs, words)

    def _sign(self, node: yaml.Node) -> tuple[int, re.Pattern[str]]:
        parts = {key.value: value for key, value in self._pairs(node)}
        if parts.keys() != {"name", "points", "patterns"}:
            raise self._fault(node, "a sign has name, points and patterns", "Copy one that is there and change it")
        points = self._text(parts["points"])
        if not re.fullmatch(r"-?[1-9]", points):
            raise self._fault(parts["points"], f"`{points}` are no points", "Write a number from -9 to 9, but not 0")
        patterns = [self._pattern(item) for item in self._items(parts["patterns"])]
        if not patterns:
            raise self._fault(parts["patterns"], "a sign needs a pattern", "Add one, or take the sign out")
        return int(points), re.compile(_anywhere("|".join(f"(?:{pattern})" for pattern in patterns)))

    def _mend(self, node: yaml.Node) -> tuple[re.Pattern[str], str]:
        pair = list(self._items(node))
        if len(pair) != 2:  # noqa: PLR2004 - what and by what
            raise self._fault(node, "a mend is [pattern, better]", 'Write it like - ["not (fall|arzt)", "not\\\\1"]')
        pattern, better = re.compile(self._pattern(pair[0])), self._text(pair[1])
        if any(int(group) > pattern.groups for group in re.findall(r"\\(\d)", better)):
            raise self._fault(pair[1], f"`{better}` names a group the pattern has not", "Count the brackets")
        return pattern, better

    def _pattern(self, node: yaml.Node) -> str:
        pattern = self._text(node).replace("ß", "(?:ß|ss)")
        for part, meaning in self._parts.items():
            pattern = pattern.replace(f"{{{part}}}", meaning)
        unknown = re.search(r"\{([a-zäöü]+)\}", pattern)
        if unknown:
            raise self._fault(node, f"there is no building block {unknown[0]}", "Add it under `bausteine`")
        try:
            re.compile(pattern)
        except re.error as error:
            raise self._fault(node, f"no regular expression ({error.msg})", "Mind brackets and backslashes") from error
        return pattern

    def _pairs(self, node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self._fault(node, "names with contents are expected here", "Write `name:` and what belongs to it")
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise self._fault(key, f"`{key.value}` is there twice", "Join the two")
            seen.add(key.value)
            yield key, value

    def _items(self, node: yaml.Node) -> Iterator[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._fault(node, "a list is expected here", "Write every entry on a line of its own after `- `")
        yield from node.value

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._fault(node, "a text is expected here", 'Put it in quotes: "…"')
        return str(node.value)

    def _fault(self, node: yaml.Node | None, wrong: str, remedy: str) -> UnderstandingError:
        line = node.start_mark.line + 1 if node is not None else 1
        return UnderstandingError(f"{self._name}, line {line}: {wrong}. {remedy}")


def _anywhere(pattern: str) -> str:
    return rf"(?:^| )(?:{pattern})(?= |$)"
