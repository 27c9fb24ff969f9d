"""A register in a file of the test's own, and one processor in it whose agreement the test decides about."""

from __future__ import annotations

from datetime import date
from pathlib import Path

BEGINS, UNTIL = date(2026, 2, 1), date(2026, 3, 31)
"""The agreement of `AGREED` holds on the day a FakeClock starts with."""
NONE = "null"
AGREED = (
    f"{{datum: 2026-01-15, gueltig_ab: {BEGINS}, gueltig_bis: {UNTIL}, "
    "datenkategorien: [sprachaufnahme, transkript, ansagetexte, anruf], orte: [DE], fundstelle: Akte 1}"
)


def write(path: Path, agreement: str) -> Path:
    """The register with Stimme GmbH (`stimme`) under `agreement`."""
    text = f"""\
version: 1
dienstleister:
  stimme:
    name: "Stimme GmbH"
    leistung: "Spracherkennung und Überlauf"
    datenkategorien: [sprachaufnahme, transkript, ansagetexte, anruf]
    kontakt: null
    vereinbarung: {agreement}
"""
    path.write_text(text, "utf-8")
    return path
