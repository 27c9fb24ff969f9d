"""A commented settings file to start from, generated from the models so that it cannot drift from them."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from anruflotse.settings.keys import Group, Leaf, groups, leaves

HEAD = """\
# Settings of Anruflotse.
#
# Every key is commented out and shows its default: remove the "#" in front of one and change it.
# A relative path starts from this file's directory. Stronger than this file are environment variables
# (ANRUFLOTSE_SIP__PORT=5070 sets sip.port) and the command line. `anruflotse settings` shows what holds.

"""


def example() -> str:
    """The text of the example file: valid YAML that changes nothing until a line is uncommented."""
    return HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    sections = {group.key: group for group in groups()}
    opened: set[str] = set()
    for leaf in leaves():
        parents = leaf.key.split(".")[:-1]
        for depth in range(1, len(parents) + 1):
            key = ".".join(parents[:depth])
            if key not in opened:
                opened.add(key)
                yield from _section(sections[key], depth - 1)
        optional = any(sections[".".join(parents[:depth])].nullable for depth in range(1, len(parents) + 1))
        yield from _key(leaf, len(parents), optional=optional)


def _section(group: Group, depth: int) -> Iterator[str]:
    if depth == 0:
        yield ""
    indent = "  " * depth
    yield f"{indent}# {group.description}"
    yield f"{indent}{'#' if group.nullable else ''}{group.key.rpartition('.')[2]}:"


def _key(leaf: Leaf, depth: int, *, optional: bool) -> Iterator[str]:
    indent = "  " * depth
    yield f"{indent}# {leaf.description}"
    yield f"{indent}# Takes {leaf.allowed}. Environment: {leaf.variable}"
    value = "" if leaf.default is None and optional else _flow(leaf.default)
    # Inside an optional section the "#" stands in the column of the section's own, so that both go together.
    hash_at, rest = (indent[2:], "  ") if optional else (indent, "")
    yield f"{hash_at}#{rest}{leaf.key.rpartition('.')[2]}: {value}".rstrip()


def _flow(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000).removesuffix("...\n").strip()
