"""Whether anything that learns or listens could read stored recordings: told from the imports of the installed code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import anruflotse

CODE = Path(anruflotse.__file__).parent
PACKAGE = "anruflotse"
LEARNING = ("understanding", "speech", "lines")
STORE = "records"


def readers(code: Path = CODE) -> tuple[str, ...]:
    """The modules of the rooms that learn and listen from which the record store can be reached, by their names."""
    known = {_name(path, code): path for path in code.rglob("*.py")}
    reach: dict[str, set[str]] = {name: set(_imports(path, known)) for name, path in known.items()}
    rooms = tuple(f"{PACKAGE}.{room}" for room in LEARNING)
    concerned = [name for name in sorted(reach) if name in rooms or name.startswith(tuple(f"{r}." for r in rooms))]
    return tuple(name for name in concerned if _reaches(name, reach))


def _reaches(start: str, reach: dict[str, set[str]]) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name == f"{PACKAGE}.{STORE}" or name.startswith(f"{PACKAGE}.{STORE}."):
            return True
        waiting += reach.get(name, set())
    return False


def _name(path: Path, code: Path) -> str:
    parts = [PACKAGE, *path.relative_to(code).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """What a module imports of ours, wherever in it; `from a import b` may mean the module `a.b`."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in known)
