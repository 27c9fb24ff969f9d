"""The dotted keys that can be set, what each allows in words, and the nearest key to a misspelt one.

Read from the JSON schema of the models, so that there is nothing to keep in step with them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from anruflotse.settings.models import POSTGRES_URL, Settings

PREFIX = "ANRUFLOTSE_"
"""What every environment variable that sets something begins with."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One key that can be set."""

    key: str
    """Dotted, e.g. `sip.port`."""
    description: str
    allowed: str
    """What it takes, in words that complete "it must be …"."""
    default: object
    """As YAML writes it; None for a required key of an optional section."""
    nullable: bool
    path: bool
    """It names a file or directory, so a relative value needs a place to start from."""
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.key.upper().replace(".", "__")


@dataclass(frozen=True, slots=True)
class Group:
    """A section: its dotted key, what it is about, and whether it may be absent altogether."""

    key: str
    description: str
    nullable: bool


@cache
def schema() -> tuple[tuple[Leaf, ...], tuple[Group, ...]]:
    """All leaves and groups, in the order of the models."""
    whole = Settings.model_json_schema()
    found = list(_walk(whole, whole["$defs"], ""))
    return (
        tuple(entry for entry in found if isinstance(entry, Leaf)),
        tuple(entry for entry in found if isinstance(entry, Group)),
    )


def leaves() -> tuple[Leaf, ...]:
    """Every key that can be set, in the order of the models."""
    return schema()[0]


def groups() -> tuple[Group, ...]:
    """Every section, outer ones before inner ones."""
    return schema()[1]


def nearest(name: str) -> str | None:
    """The key or section somebody probably meant by `name`, or None.

    A key written in the wrong section counts too: `port` alone finds `sip.port`.
    """
    known = [leaf.key for leaf in leaves()] + [group.key for group in groups()]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.65)
    if close:
        return close[0]
    last = name.rpartition(".")[2]
    by_last = {key.rpartition(".")[2]: key for key in reversed(known)}
    close = difflib.get_close_matches(last, by_last, n=1, cutoff=0.8)
    return by_last[close[0]] if close else None


def _walk(node: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[Leaf | Group]:
    for name, given in node["properties"].items():
        key = prefix + name
        kinds = given.get("anyOf", [given])
        nullable = {"type": "null"} in kinds
        kind = next(kind for kind in kinds if kind != {"type": "null"})
        if "$ref" in kind:
            inner = definitions[kind["$ref"].rpartition("/")[2]]
            yield Group(key, inner["description"].splitlines()[0], nullable)
            yield from _walk(inner, definitions, key + ".")
        else:
            yield Leaf(
                key=key,
                description=given["description"],
                allowed=_words(kind) + (" or null" if nullable else ""),
                default=given.get("default"),
                nullable=nullable,
                path=kind.get("format") == "path",
                secret=kind.get("format") in {"password", "postgresql"},
            )


def _words(kind: Mapping[str, Any]) -> str:
    if "enum" in kind:
        return "one of " + ", ".join(str(value) for value in kind["enum"])
    if kind["type"] == "array":
        return "a list of " + _words(kind["items"]).removeprefix("one of ")
    if kind["type"] in {"integer", "number"}:
        noun = "a whole number" if kind["type"] == "integer" else "a number"
        return f"{noun} from {kind['minimum']:g} to {kind['maximum']:g}"
    formats = {"path": "a path", "password": "a password", "postgresql": POSTGRES_URL}
    return formats.get(kind.get("format", ""), "text")
