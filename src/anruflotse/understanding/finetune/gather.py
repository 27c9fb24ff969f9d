"""`python -m anruflotse.understanding.finetune.gather FOLDER...`: what authors wrote becomes the shipped corpus.

Authors write JSONL anywhere: `text`, `concern`, `persona` (p01 to p100), `register`, and `second` where a caller has
two concerns. Each line is checked, near-duplicates are dropped, and the rest goes to `data/written/` by concern; what
held-out personas say goes to `data/held_out/written.jsonl` instead, and what the fresh ones say to
`data/held_out/fresh.jsonl`. The files are written anew.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from anruflotse.understanding import corpus, training
from anruflotse.understanding.classifier import SPECIAL

REGISTERS = frozenset({"spoken", "short", "story", "broken", "formal", "angry", "dialect"})
_PERSONA = re.compile(r"p(0[1-9]|[1-9]\d|100)")
_SAME = 0.8
"""Jaccard similarity of letter trigrams from which the later of two sentences adds nothing."""


def main() -> None:
    """Read the arguments, write the files, tell the counts; exit status 1 when a line is malformed."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.finetune.gather", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="searched for *.jsonl, in this order")
    parser.add_argument("--catalogue", type=Path, required=True, help="the department catalogue (YAML)")
    parser.add_argument("--never", type=Path, nargs="*", default=[], help="exams: their very sentences are dropped")
    parser.add_argument("--out", type=Path, default=corpus.WRITTEN.parent, help="the data folder")
    arguments = parser.parse_args()
    concerns = yaml.safe_load(arguments.catalogue.read_text(encoding="utf-8"))["anliegen"]
    departments = {key: entry["abteilung"] for key, entry in concerns.items() if "abteilung" in entry} | SPECIAL
    entries, faults = collected(arguments.folders, departments)
    for fault in faults:
        tell(fault)
    exams = {corpus.plain(text) for file in arguments.never for text in corpus.read_texts(file)}
    fresh = [entry for entry in entries if corpus.plain(entry["text"]) not in exams]
    kept, dropped = unique(fresh, [line.text for line in corpus.read(_older())])
    dropped["said in an exam"] = len(entries) - len(fresh)
    for reason, count in sorted(dropped.items()):
        tell(f"dropped {count}: {reason}")
    write(kept, departments, arguments.out)
    total, held = (
        Counter(entry["concern"] for entry in kept if not test or place(entry).startswith("held_out"))
        for test in (False, True)
    )
    tell(f"{'concern':<28}{'written':>9}{'held out':>9}")
    for concern in departments:
        tell(f"{concern:<28}{total[concern]:>9}{held[concern]:>9}")
    tell(f"{'all':<28}{len(kept):>9}{held.total():>9}")
    sys.exit(bool(faults))


def collected(folders: list[Path], departments: dict[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The well-formed entries below `folders`, and what is wrong with the others, by file and line."""
    entries, faults = [], []
    for file in (file for folder in folders for file in sorted(folder.rglob("*.jsonl"))):
        for number, raw in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                entry = json.loads(raw)
                fault = wrong(entry, departments)
            except json.JSONDecodeError:
                fault = "not JSON"
            if fault:
                faults.append(f"{file.parent.name}/{file.name}, line {number}: {fault}")
            else:
                entries.append(entry)
    return entries, faults


def wrong(entry: Any, departments: dict[str, str]) -> str:  # noqa: ANN401 - whatever JSON holds
    """What is wrong with `entry`, or nothing."""
    needed = ("text", "concern", "persona", "register")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in needed):
        return f"{', '.join(needed)} must be there and be text"
    checks = {
        "no word in `text`": corpus.plain(entry["text"]),
        f"unknown concern {entry['concern']}": entry["concern"] in departments,
        f"unknown persona {entry['persona']}": _PERSONA.fullmatch(entry["persona"]),
        f"unknown register {entry['register']}": entry["register"] in REGISTERS,
        f"unknown second concern {entry.get('second')}": entry.get("second") in {None, *departments},
        "the second concern is the first": entry.get("second") != entry["concern"],
        f"unknown field in {sorted(entry)}": entry.keys() <= {*needed, "second"},
    }
    return next((fault for fault, fine in checks.items() if not fine), "")


def unique(entries: list[dict[str, Any]], older: list[str]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """`entries` that say something new, also against the `older` texts, and how many were dropped for which reason.

    The same words under two concerns are ambiguous, and both go. Nearly the same words under two concerns stay: such
    pairs draw the border.
    """
    dropped: Counter[str] = Counter()
    meant: dict[str, set[str]] = {}
    for entry in entries:
        meant.setdefault(corpus.plain(entry["text"]), set()).add(entry["concern"])
    clear = [entry for entry in entries if len(meant[corpus.plain(entry["text"])]) == 1]
    dropped["the same words under two concerns"] = len(entries) - len(clear)
    gone = np.zeros(len(older) + len(clear), np.bool_)
    for first, second in training.alike([*older, *(entry["text"] for entry in clear)], _SAME):
        if gone[first] or gone[second] or second < len(older):
            continue
        if first < len(older):
            gone[second] = True
            dropped["nearly in the older corpora"] += 1
        elif clear[first - len(older)]["concern"] == clear[second - len(older)]["concern"]:
            gone[second] = True
            dropped["nearly said before"] += 1
    return [entry for entry, out in zip(clear, gone[len(older) :], strict=True) if not out], dropped


def write(entries: list[dict[str, Any]], departments: dict[str, str], out: Path) -> None:
    """Write `entries` below `out`, replacing what was there."""
    texts: dict[Path, list[str]] = {}
    for entry in entries:
        line = {"text": entry["text"], "intent": entry["concern"], "department": departments[entry["concern"]],
                "persona": entry["persona"], "register": entry["register"], "origin": "written"}  # fmt: skip
        line |= {"second": entry["second"]} if "second" in entry else {}
        texts.setdefault(out / place(entry), []).append(json.dumps(line, ensure_ascii=False) + "\n")
    for file in (out / "written").glob("*.jsonl"):
        file.unlink()
    for file, lines in texts.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(lines), encoding="utf-8")


def place(entry: dict[str, Any]) -> str:
    """The file for `entry`, by who says it and what it is about."""
    if entry["persona"] in corpus.HELD_OUT_PERSONAS:
        return "held_out/written.jsonl"
    if entry["persona"] in corpus.FRESH_PERSONAS:
        return "held_out/fresh.jsonl"
    return f"written/{entry['concern']}.jsonl"


def tell(line: str) -> None:
    """Tell the developer on stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a developer's script


def _older() -> list[Path]:
    return [file for file in corpus.SHIPPED if file.name.startswith("utterances_")]


if __name__ == "__main__":
    main()
