"""The register of processors: who may work for the insurer, with which data, under which agreement.

The source of truth is a YAML file the operator keeps beside the contracts (Art. 28 GDPR, § 80 SGB X).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from anruflotse.yamlshape import Node, read

VERSION = 1
_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EEA = frozenset(_EU.split()) | {"IS", "LI", "NO"}
"""The states of the European Economic Area, ISO 3166-1 alpha-2."""
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_STATE = re.compile(r"[A-Z]{2}")


class Category(StrEnum):
    """Kinds of personal data that can leave this system for a processor; the value stands in the register's file."""

    AUDIO = "sprachaufnahme"
    """What the caller says, as sound."""
    TEXT = "transkript"
    """What the caller says, as text."""
    CALL = "anruf"
    """The forwarded call itself: the caller's number and the conversation."""
    PROMPTS = "ansagetexte"
    """Sentences to be spoken, which may name the caller's concern."""


@dataclass(frozen=True, slots=True)
class SubProcessor:
    """A company the processor has do part of the work (Art. 28(4) GDPR); `place` is the state it works in."""

    name: str
    place: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement on processing, as entered by the operator. `until` is the last day it holds, None for no end.

    `places` are the states in which the processor itself works, ISO 3166-1 alpha-2; `all_places` knows those of its
    sub-processors too.
    """

    signed: date
    begins: date
    until: date | None
    categories: frozenset[Category]
    places: tuple[str, ...]
    reference: str
    subprocessors: tuple[SubProcessor, ...] = ()

    @property
    def all_places(self) -> tuple[str, ...]:
        """Every state data may get to under this agreement, each once."""
        return tuple(dict.fromkeys((*self.places, *(sub.place for sub in self.subprocessors))))

    def in_force(self, today: date) -> bool:
        """Whether the agreement holds on `today`."""
        return self.begins <= today and (self.until is None or today <= self.until)

    def ends_within(self, days: int, today: date) -> bool:
        """Whether it holds on `today` and no longer holds `days` days later: time to agree on what follows it.

        Raises ValueError for a negative number of days.
        """
        if days < 0:
            message = f"An agreement cannot end within {days} days; give 0 or more."
            raise ValueError(message)
        return self.in_force(today) and self.until is not None and (self.until - today).days < days


@dataclass(frozen=True, slots=True)
class Processor:
    """A company that may process data on the insurer's behalf; `categories` are what its service needs."""

    key: str
    name: str
    service: str
    categories: frozenset[Category]
    contact: str | None
    agreement: Agreement | None


Register = Mapping[str, Processor]
"""Processors by key, in the order of the file."""


def load(source: Path | str | None = None) -> Register:
    """The register of a YAML file (or of YAML text), None for the shipped one, in which no agreement is entered.

    Raises `anruflotse.yamlshape.ShapeError` with line and column for anything wrong.
    """
    top = read(shipped() if source is None else source, "processors.de.yaml").mapping(
        required=("version", "dienstleister")
    )
    top["version"].integer(VERSION, VERSION)
    found: dict[str, Processor] = {}
    for key, node in top["dienstleister"].entries().items():
        if not _KEY.fullmatch(key):
            message = f"`{key}` cannot be a key. Allowed: lower-case letters a-z, digits and `_`, 40 at most."
            raise node.key_error(message)
        found[key] = _read_processor(key, node)
    return found


def shipped() -> str:
    """The text of the shipped register: an operator's own begins as a copy of it."""
    return files("anruflotse.processors").joinpath("processors.de.yaml").read_text(encoding="utf-8")


def _read_processor(key: str, node: Node) -> Processor:
    parts = node.mapping(required=("name", "leistung", "datenkategorien", "kontakt", "vereinbarung"))
    categories = _read_categories(parts["datenkategorien"])
    return Processor(
        key=key,
        name=parts["name"].text(),
        service=parts["leistung"].text(),
        categories=categories,
        contact=None if parts["kontakt"].is_null() else parts["kontakt"].text(),
        agreement=None if parts["vereinbarung"].is_null() else _read_agreement(parts["vereinbarung"], categories),
    )


def _read_agreement(node: Node, needed: frozenset[Category]) -> Agreement:
    parts = node.mapping(
        required=("datum", "gueltig_ab", "datenkategorien", "orte", "fundstelle"),
        optional=("gueltig_bis", "unterauftragnehmer"),
    )
    endless = "gueltig_bis" not in parts or parts["gueltig_bis"].is_null()
    agreement = Agreement(
        signed=parts["datum"].date(),
        begins=parts["gueltig_ab"].date(),
        until=None if endless else parts["gueltig_bis"].date(),
        categories=_read_categories(parts["datenkategorien"]),
        places=_read_places(parts["orte"]),
        reference=parts["fundstelle"].text(),
        subprocessors=_read_subprocessors(parts["unterauftragnehmer"]) if "unterauftragnehmer" in parts else (),
    )
    if agreement.begins < agreement.signed:
        message = f"begins on {agreement.begins}, before it was signed on {agreement.signed}."
        raise parts["gueltig_ab"].error(message)
    if agreement.until is not None and agreement.until < agreement.begins:
        message = f"ends on {agreement.until}, before it begins on {agreement.begins}."
        raise parts["gueltig_bis"].error(message)
    for item in parts["datenkategorien"].items():
        if Category(item.text()) not in needed:
            message = (
                f"covers `{item.text()}`, which the service does not need. Leave it out here, or enter it among the "
                "`datenkategorien` of the service if it does need it."
            )
            raise item.error(message)
    return agreement


def _read_categories(node: Node) -> frozenset[Category]:
    found = frozenset(Category(item.one_of(tuple(Category))) for item in node.items())
    if not found:
        message = "expected at least one kind of data."
        raise node.error(message)
    return found


def _read_places(node: Node) -> tuple[str, ...]:
    places = tuple(_read_state(item) for item in node.items())
    if not places:
        message = "expected at least one state in which data are processed, such as `DE`."
        raise node.error(message)
    return places


def _read_subprocessors(node: Node) -> tuple[SubProcessor, ...]:
    found = []
    for item in node.items():
        parts = item.mapping(required=("name", "ort"))
        found.append(SubProcessor(parts["name"].text(), _read_state(parts["ort"])))
    return tuple(found)


def _read_state(node: Node) -> str:
    if not _STATE.fullmatch(node.text()):
        message = f"`{node.text()}` is not a state. Allowed: two capital letters of ISO 3166-1, such as `DE`."
        raise node.error(message)
    return node.text()
