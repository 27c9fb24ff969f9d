"""The shipped catalogue with targets of a processor in it."""

from __future__ import annotations

from pathlib import Path

from anruflotse.departments import shipped

CARE = '    ziele: ["sip:pflegekasse@127.0.0.1:5090"]\n'


def with_overflow(path: Path, processor: str, uri: str = "sip:helfer@127.0.0.1:5090") -> Path:
    """The care department's overflow goes to `uri`, whose people are `processor`'s."""
    text = shipped()
    assert text.count(CARE) == 1
    overflow = f"    ueberlauf: [{{ziel: '{uri}', dienstleister: {processor}}}]\n"
    path.write_text(text.replace(CARE, CARE + overflow), "utf-8")
    return path
