"""What an operator's catalogue tells the classifier, as a version remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from anruflotse.understanding import safety
from anruflotse.understanding.classifier import Fused
from anruflotse.understanding.encoder import Encoder
from anruflotse.understanding.model import Model

Words = Mapping[str, tuple[str, ...]]


class Concern(Protocol):
    """A concern of the department catalogue, as far as this room needs it."""

    @property
    def department(self) -> str:
        """The key of its department, or its special class."""
        ...

    @property
    def keywords(self) -> tuple[str, ...]:
        """Words that speak for it."""
        ...

    @property
    def counter_keywords(self) -> tuple[str, ...]:
        """Words that speak against it."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it is ranked at all."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """The concerns with their departments, the words for and against each, and those that are switched off."""

    departments: Mapping[str, str]
    keywords: Words = field(default_factory=dict, repr=False)
    against: Words = field(default_factory=dict, repr=False)
    disabled: frozenset[str] = frozenset()

    @classmethod
    def of(cls, concerns: Mapping[str, Concern]) -> Terms:
        """The terms of a catalogue's concerns."""
        return cls(
            {key: concern.department for key, concern in concerns.items()},
            {key: concern.keywords for key, concern in concerns.items()},
            {key: concern.counter_keywords for key, concern in concerns.items()},
            frozenset(key for key, concern in concerns.items() if not concern.enabled),
        )

    def classifier(self, model: Model, encoder: Encoder) -> Fused:
        """`model` as it ranks with these terms, without the sentences it would explain itself by (twice as fast).

        Raises UnderstandingError as `Fused` does.
        """
        model = replace(model, examples=None)
        return Fused(model, encoder, self.departments, self.keywords, against=self.against, disabled=self.disabled)

    def as_json(self) -> dict[str, object]:
        """What `from_json` reads."""
        return {
            "departments": dict(self.departments),
            "keywords": {key: list(words) for key, words in self.keywords.items() if words},
            "against": {key: list(words) for key, words in self.against.items() if words},
            "disabled": sorted(self.disabled),
        }

    @classmethod
    def from_json(cls, told: object) -> Terms | None:
        """The terms a version remembers; None where they are missing or damaged."""
        if not isinstance(told, dict):
            return None
        try:
            return cls(
                {str(key): str(name) for key, name in told["departments"].items()},
                {str(key): tuple(map(str, words)) for key, words in told["keywords"].items()},
                {str(key): tuple(map(str, words)) for key, words in told["against"].items()},
                frozenset(map(str, told["disabled"])),
            )
        except (KeyError, TypeError, AttributeError):
            return None


def acted_upon(words: str) -> bool:
    """Whether the safety rules act on these words for certain, before any concern is looked at."""
    finding = safety.judge(words)
    return finding.certain and finding.heard in (safety.EMERGENCY, safety.OBJECTION, safety.HUMAN)
