"""Reading the settings: defaults, the YAML file, the environment, the command line; the later one wins."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import SecretStr, ValidationError

from anruflotse.settings.keys import PREFIX, Leaf, groups, leaves, nearest
from anruflotse.settings.models import Settings

FILE_VARIABLE = PREFIX + "CONFIG"
"""Names the settings file when the command line does not."""

NULL = "tag:yaml.org,2002:null"
"""What YAML calls nothing."""

MASTER_KEY_VARIABLE = PREFIX + "MASTER_KEY"
"""Begins like a setting and is none: only the record store reads it, so that it is in nothing that shows settings."""

USUAL_FILE = Path("anruflotse.yaml")
"""Read from the working directory when nothing else is named and it is there."""


class SettingsError(Exception):
    """A setting is wrong; each line of the message is a sentence naming the key, the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Effective:
    """What a key is set to.

    `value` is as JSON has it, secrets masked; `source` is `default`, `file FILE`, `env NAME` or `option`.
    """

    key: str
    value: object
    source: str


@dataclass(frozen=True, slots=True)
class _Given:
    """A raw value with its source as `effective` shows it and the place an error names."""

    value: object
    source: str
    place: str


def load(
    config: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read the settings once.

    `config` is the file the command line names, else `ANRUFLOTSE_CONFIG`, else `anruflotse.yaml` here if it exists.
    `overrides` are command line options by dotted key. A relative path in the file starts from the file's directory,
    any other from the working directory. Raises SettingsError with one sentence for everything that is wrong.
    """
    environ = os.environ if environ is None else environ
    given: dict[str, _Given] = {}
    file = config or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    if file is None and USUAL_FILE.is_file():
        file = USUAL_FILE
    if file is not None:
        given.update(_from_file(file))
    given.update(_from_environment(environ))
    given.update({key: _Given(value, "option", "command line") for key, value in (overrides or {}).items()})
    settings = _validated(given)
    settings._sources.update({key: entry.source for key, entry in given.items()})  # noqa: SLF001 - set nowhere else
    return settings


def effective(settings: Settings) -> Iterator[Effective]:
    """Every key with its value, masked where secret, and its source, in the order of the models."""
    for leaf in leaves():
        value: object = settings
        for name in leaf.key.split("."):
            value = getattr(value, name, None)
        if isinstance(value, SecretStr):
            value = "***"
        elif isinstance(value, Path):
            value = str(value)
        elif isinstance(value, tuple):
            value = list(value)
        yield Effective(leaf.key, value, settings.source(leaf.key))


def _validated(given: Mapping[str, _Given]) -> Settings:
    by_key = {leaf.key: leaf for leaf in leaves()}
    nested: dict[str, object] = {}
    for key, entry in given.items():
        *sections, name = key.split(".")
        place = nested
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):  # the optional section was null in a weaker source
                inner = place[section] = {}
            place = inner
        place[name] = entry.value
    nested.setdefault("data", Path.cwd() / str(by_key["data"].default))
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        sentences = [_sentence(fault["loc"], fault["msg"], fault["type"], by_key, given) for fault in error.errors()]
        # The cause would carry the raw values, a password among them.
        raise SettingsError("\n".join(dict.fromkeys(sentences))) from None


def _sentence(
    loc: tuple[int | str, ...], text: str, kind: str, by_key: Mapping[str, Leaf], given: Mapping[str, _Given]
) -> str:
    """One fault that pydantic found, in our words."""
    key = ".".join(part for part in loc if isinstance(part, str))
    leaf = by_key.get(key)
    if leaf is None:  # a rule of a whole section, whose message is a sentence already
        return text.removeprefix("Value error, ")
    if kind == "missing":
        return f"{key} is missing: {key.rpartition('.')[0]} needs it, and it must be {leaf.allowed}."
    entry = given[key]
    value = "***" if leaf.secret else repr(entry.value)
    return f"{key} = {value} ({entry.place}) is not allowed: it must be {leaf.allowed}."


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    by_variable = {leaf.variable: leaf for leaf in leaves()}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in {FILE_VARIABLE, MASTER_KEY_VARIABLE}:
            continue
        leaf = by_variable.get(name)
        if leaf is None:
            raise SettingsError(_unknown(name.removeprefix(PREFIX).lower().replace("__", "."), f"env {name}", name))
        if text:  # compose files and unit files pass an unset variable on as an empty one
            value = None if leaf.nullable and text.lower() == "null" else text
            yield leaf.key, _Given(_placed(leaf, value, Path.cwd()), f"env {name}", f"env {name}")


def _from_file(file: Path) -> Iterator[tuple[str, _Given]]:
    try:
        with file.open(encoding="utf-8") as stream:
            loader = yaml.SafeLoader(stream)
            root = loader.get_single_node()
            if root is None or root.tag == NULL:
                return
            if not isinstance(root, yaml.MappingNode):
                message = (
                    f"{file} must hold sections such as `sip:` with keys below; `anruflotse init` writes an example."
                )
                raise SettingsError(message)
            yield from _from_mapping(file, loader, root, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        message = f"{file}{where}: this is not YAML: {error.problem or error.context}."
        raise SettingsError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{file} is not a YAML text file in UTF-8."
        raise SettingsError(message) from error
    except OSError as error:
        message = f"The settings file {file} cannot be read: {error.strerror}; `anruflotse init` writes an example."
        raise SettingsError(message) from error


def _from_mapping(
    file: Path, loader: yaml.SafeLoader, mapping: yaml.MappingNode, prefix: str
) -> Iterator[tuple[str, _Given]]:
    by_key = {leaf.key: leaf for leaf in leaves()}
    sections = {group.key: group for group in groups()}
    seen: set[str] = set()
    for name, node in mapping.value:
        key = prefix + str(name.value)
        place = f"file {file}, line {name.start_mark.line + 1}"
        if key in seen:
            message = f"{key} ({place}) is set twice: keep one of the two lines."
            raise SettingsError(message)
        seen.add(key)
        if key in by_key:
            value = loader.construct_object(node, deep=True)
            yield key, _Given(_placed(by_key[key], value, file.absolute().parent), f"file {file}", place)
        elif key not in sections:
            raise SettingsError(_unknown(key, place, key))
        elif isinstance(node, yaml.MappingNode):
            yield from _from_mapping(file, loader, node, key + ".")
        elif node.tag != NULL:  # a section with nothing below it sets nothing
            message = f"{key} ({place}) is a section: write its keys below it, indented."
            raise SettingsError(message)


def _placed(leaf: Leaf, value: object, base: Path) -> object:
    """Make a path absolute: `value` starts from `base` unless it starts from the root or a home directory."""
    return base / Path(value).expanduser() if leaf.path and isinstance(value, str) and value else value


def _unknown(key: str, place: str, shown: str) -> str:
    if key in {group.key for group in groups()}:
        # Reached from the environment only, where a section has no variable of its own.
        below = next(leaf.variable for leaf in leaves() if leaf.key.startswith(f"{key}."))
        return f"{shown} is a section: set the keys below it, such as {below}."
    guess = nearest(key)
    written = guess if guess is None or shown == key else PREFIX + guess.upper().replace(".", "__")
    hint = f"did you mean {written}?" if written else "`anruflotse settings` lists what can be set."
    return f"{shown} is not a setting: {hint}" if shown in place else f"{shown} ({place}) is not a setting: {hint}"
