"""From the catalogue file to the nouns of this room, complaining with line and column about whatever does not fit."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from anruflotse.departments.concerns import Hears, read_concerns
from anruflotse.departments.hours import (
    FEDERAL_STATES,
    Almanac,
    Hours,
    SpecialDay,
    read_hours,
    read_special_days,
)
from anruflotse.departments.model import (
    HUMAN,
    SPECIAL_CLASSES,
    Action,
    Concern,
    Department,
    HumanDesk,
    Target,
)
from anruflotse.yamlshape import Node, read

VERSION = 1
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_USER = r"(?:[A-Za-z0-9_.!~*'()&=+$,;?/-]|%[0-9A-Fa-f]{2}){1,80}"
_PARAMETER = r";[A-Za-z0-9_.!~*'()%+-]+(?:=[A-Za-z0-9_.!~*'()%+\[\]:/&$-]+)?"
_SIP_URI = re.compile(rf"sips?:(?:{_USER}@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{{1,5}}))?(?:{_PARAMETER})*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DEPARTMENT_KEYS = ("oeffnungszeiten", "bundesland", "geschlossen", "ueberlauf")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a catalogue file holds, in the order of the file."""

    departments: Mapping[str, Department]
    concerns: Mapping[str, Concern]
    human: HumanDesk
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What holds for every department that does not say otherwise."""

    hours: Hours
    federal_state: str
    special_days: tuple[SpecialDay, ...]
    overflow: tuple[Target, ...]
    processors: Collection[str] | None


def read_catalogue(
    source: Path | str, federal_state: str, processors: Collection[str] | None, hears: Hears
) -> Contents:
    """Read a catalogue. `federal_state` holds where the file names none; None as `processors` knows no names.

    `hears` tells which words never get as far as a concern: who writes them there is told so in the remarks.

    Raises ShapeError for anything that is wrong with the file.
    """
    top = read(source, "departments.de.yaml").mapping(
        required=("version", "mensch", "abteilungen", "aktionen", "anliegen"),
        optional=("bundesland", "oeffnungszeiten", "sondertage", "ueberlauf"),
    )
    top["version"].integer(VERSION, VERSION)
    defaults = _Defaults(
        hours=read_hours(top["oeffnungszeiten"]) if "oeffnungszeiten" in top else Hours(always=True),
        federal_state=top["bundesland"].one_of(FEDERAL_STATES) if "bundesland" in top else federal_state,
        special_days=read_special_days(top["sondertage"]) if "sondertage" in top else (),
        overflow=_read_targets(top["ueberlauf"], processors) if "ueberlauf" in top else (),
        processors=processors,
    )
    departments = {
        key: _read_department(key, node, defaults)
        for key, node in _keyed(top["abteilungen"], taken=SPECIAL_CLASSES.values())
    }
    _check_alternatives(top["abteilungen"], departments)
    for node in top["aktionen"].mapping(required=tuple(Action)).values():
        node.text()
    concerns, remarks = read_concerns(_keyed(top["anliegen"]), departments, hears)
    for action in Action:
        if not any(concern.action is action for concern in concerns.values()):
            message = f"no concern has the action `{action}`: callers could not ask for it."
            raise top["anliegen"].key_error(message)
    return Contents(departments, concerns, _read_human(top["mensch"], defaults), remarks)


def check_sip_uri(node: Node) -> str:
    """A SIP URI that a REFER can carry (RFC 3261 section 19.1, without password and headers). Raises ShapeError."""
    uri = node.text()
    allowed = "Allowed: `sip:name@host`, with `:port` and `;transport=tcp` or `;transport=tls` if needed, or `sips:`."
    found = _SIP_URI.fullmatch(uri)
    if not found or not _is_host(found[1]):
        reason = ""
        if not re.match(r"sips?:", uri):
            reason = " It does not begin with `sip:`."
        elif "?" in uri.partition("@")[2]:
            reason = " Headers (`?...`) are not allowed: the voicebot sets them itself."
        elif re.match(r"sips?:[^@:]*:[^@]*@", uri):
            reason = " A password does not belong into an address."
        message = f"`{uri}` is not a SIP address.{reason} {allowed}"
        raise node.error(message)
    if found[2] is not None and not 1 <= int(found[2]) <= 65535:  # noqa: PLR2004 - what a port can be
        message = f"`{uri}` has the port {found[2]}. Allowed: 1 to 65535."
        raise node.error(message)
    return uri


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return ipaddress.ip_address(host[1:-1]).version == 6  # noqa: PLR2004 - brackets hold IPv6 only
        if re.fullmatch(r"[\d.]+", host):
            return ipaddress.ip_address(host).version == 4  # noqa: PLR2004 - as above
    except ValueError:
        return False
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in host.split("."))  # noqa: PLR2004 - RFC 1035


def _keyed(node: Node, taken: Collection[str] = ()) -> list[tuple[str, Node]]:
    found = list(node.entries().items())
    if not found:
        message = "expected at least one entry."
        raise node.error(message)
    for key, entry in found:
        if not _KEY.fullmatch(key):
            message = f"`{key}` cannot be a key. Allowed: lower-case letters a-z, digits and `_`, 40 at most."
            raise entry.key_error(message)
        if key in taken:
            message = f"`{key}` is the name of a special class and cannot be a department's key."
            raise entry.key_error(message)
    return found


def _read_department(key: str, node: Node, defaults: _Defaults) -> Department:
    parts = node.mapping(required=("name", "beschreibung", "ziele"), optional=_DEPARTMENT_KEYS)
    state = parts["bundesland"].one_of(FEDERAL_STATES) if "bundesland" in parts else defaults.federal_state
    closed = parts["geschlossen"].mapping(required=("alternative",)) if "geschlossen" in parts else {}
    return Department(
        key=key,
        name=parts["name"].text(),
        description=parts["beschreibung"].text(),
        targets=_read_targets(parts["ziele"], defaults.processors),
        hours=read_hours(parts["oeffnungszeiten"]) if "oeffnungszeiten" in parts else defaults.hours,
        almanac=Almanac(state, defaults.special_days),
        overflow=_read_targets(parts["ueberlauf"], defaults.processors) if "ueberlauf" in parts else defaults.overflow,
        alternative=closed["alternative"].text() if closed else None,
    )


def _read_human(node: Node, defaults: _Defaults) -> HumanDesk:
    parts = node.mapping(required=("ziele",), optional=("oeffnungszeiten", "bundesland", "notfall"))
    state = parts["bundesland"].one_of(FEDERAL_STATES) if "bundesland" in parts else defaults.federal_state
    return HumanDesk(
        targets=_read_targets(parts["ziele"], defaults.processors),
        hours=read_hours(parts["oeffnungszeiten"]) if "oeffnungszeiten" in parts else defaults.hours,
        almanac=Almanac(state, defaults.special_days),
        emergency=_read_targets(parts["notfall"], defaults.processors) if "notfall" in parts else (),
    )


def _read_targets(node: Node, processors: Collection[str] | None) -> tuple[Target, ...]:
    targets: list[Target] = []
    for item in node.items():
        if isinstance(item.data, dict):
            parts = item.mapping(required=("ziel", "dienstleister"))
            target = Target(check_sip_uri(parts["ziel"]), _read_processor(parts["dienstleister"], processors))
        else:
            target = Target(check_sip_uri(item))
        if any(target.uri == other.uri for other in targets):
            message = f"`{target.uri}` stands twice in this chain. Each target is tried once."
            raise item.error(message)
        targets.append(target)
    if not targets:
        message = "expected at least one target: `- sip:name@host`."
        raise node.error(message)
    return tuple(targets)


def _read_processor(node: Node, processors: Collection[str] | None) -> str:
    return node.text() if processors is None else node.one_of(processors)


def _check_alternatives(node: Node, departments: Mapping[str, Department]) -> None:
    entries = node.entries()
    for key, department in departments.items():
        if department.alternative is None:
            continue
        place = entries[key].entries()["geschlossen"].entries()["alternative"]
        place.one_of((*departments, HUMAN))
        way = [key]
        after = department.alternative
        while after != HUMAN and after in departments:
            way.append(after)
            if after == key:
                message = f"these alternatives lead in a circle: {' → '.join(way)}. Break it, or end it with `{HUMAN}`."
                raise place.error(message)
            if after in way[:-1]:
                break
            after = departments[after].alternative or HUMAN
