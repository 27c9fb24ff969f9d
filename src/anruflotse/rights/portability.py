"""A copy (Art. 15(3) GDPR), in a form that other systems read as well (Art. 20): a locked archive.

In it lie, for every call, the sound as WAV, which every telephone plays, and a signed vCon; and one overview to read.
The archive's password goes another way than the archive, and is kept nowhere. Beside it lies a letter without any
content, which says how to open it, and that Art. 20 does not strictly apply: the processing rests neither on consent
nor on a contract.
"""

from __future__ import annotations

import io
import json
import wave
from dataclasses import dataclass, field

from anruflotse.documents import Block, Document, Heading, Listing, Paragraph, html, pdf
from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.records import flac
from anruflotse.records.access import Accessor
from anruflotse.rights import access, archive, letters, vcon
from anruflotse.rights.access import Copied
from anruflotse.rights.model import Decision, RightsError
from anruflotse.rights.office import Filed, Office

ARCHIVE = "kopie.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The files of a copy, and the password that opens the archive among them; None when there is none to open."""

    files: dict[str, bytes] = field(repr=False)
    password: str | None = field(default=None, repr=False)


def answer(office: Office, filed: Filed, accessor: Accessor, password: str | None = None) -> Copy:
    """The archive, and the letter that goes with it; `password` locks it, or one that is made up.

    Raises `RightsError` for a password that is too short or cannot be typed, `AccessRefusedError`, `StoreError`.
    """
    copied = access.collected(office, filed, accessor, audio=True)
    document = letters.letter(office, filed, _blocks(office, filed, len(copied)))
    machine = {**letters.facts(filed), "records": [one.record.summary.id for one in copied]}
    files = letters.rendered(letters.STEMS[filed.request.article], document, machine)
    if not copied:
        return Copy(files=files)
    try:
        locked = archive.packed(_contents(office, filed, copied), at=office.now(), chosen=password)
    except archive.ArchiveError as error:
        raise RightsError(str(error)) from None
    return Copy(files={**files, ARCHIVE: locked.data}, password=locked.password)


def _contents(office: Office, filed: Filed, copied: tuple[Copied, ...]) -> dict[str, bytes]:
    """What lies in the archive, by names that tell nothing."""
    overview = letters.letter(office, filed, access.blocks(office, filed, copied), title="Übersicht")
    machine = json.dumps(access.machine(office, filed, copied), ensure_ascii=False, indent=2)
    made = {
        "uebersicht.pdf": pdf(overview),
        "uebersicht.html": html(overview).encode(),
        "uebersicht.json": machine.encode(errors="replace"),
        "liesmich.html": html(_read_me(office)).encode(),
    }
    for number, one in enumerate(copied, 1):
        caller = one.record.caller
        container = vcon.vcon(
            one.record,
            insurer=office.house.insurer,
            created_at=office.now(),
            notice=office.house.edition(one.record.notice_version),
            objected=None if caller is None else office.records.objected(caller),
            redacted=one.finding.decision is Decision.REDACT,
        )
        made[f"anruf-{number}.vcon.json"] = vcon.signed(container, office.records.sign_jws)
        if one.record.recording is not None:
            made[f"anruf-{number}.wav"] = _wav(flac.decode(one.record.recording))
    return made


def _wav(sound: Pcm) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(sound.rate)
        file.writeframes(sound.data)
    return held.getvalue()


def _blocks(office: Office, filed: Filed, number: int) -> tuple[Block, ...]:
    if not filed.request.findings:
        return letters.nothing_found(filed.request, office.house)
    if not number:
        return (
            Heading("Es gibt nichts zu kopieren."),
            Paragraph(
                "Was wir gefunden haben, ist inzwischen gelöscht, oder wir dürfen es Ihnen nicht geben, weil es darin "
                "um andere Menschen geht (Artikel 15 Absatz 4)."
            ),
        )
    return (
        Heading("Hier ist Ihre Kopie."),
        Paragraph(
            f"Sie bekommen von uns eine Datei mit dem Namen {ARCHIVE}. Das ist darin: {letters.calls(number)}, also "
            "was Sie gesagt haben, zum Anhören und zum Lesen."
        ),
        Heading("So öffnen Sie die Datei"),
        Listing(
            (
                (
                    "Die Datei ist mit einem Passwort geschützt. Das Passwort bekommen Sie getrennt von uns, zum "
                    "Beispiel am Telefon."
                ),
                (
                    "Windows allein kann diese Datei meist nicht öffnen. Sie brauchen das kostenlose Programm 7-Zip. "
                    "Auf dem Mac geht es mit dem kostenlosen Programm Keka."
                ),
                "Öffnen Sie zuerst „uebersicht.pdf“. Die Dateien mit der Endung „wav“ können Sie anhören.",
                "Kommen Sie nicht zurecht? Rufen Sie uns an. Wir drucken Ihnen den Text auch gern aus.",
            ),
            numbered=True,
        ),
        Heading("Welches Recht ist das?"),
        Paragraph(
            "Sie haben ein Recht auf eine Kopie (Artikel 15 Absatz 3). Daneben gibt es ein Recht, Daten zu einem "
            "anderen Anbieter mitzunehmen (Artikel 20). Streng genommen gilt das hier nicht: Es gilt nur für Daten, "
            "die wir mit Ihrer Einwilligung oder für einen Vertrag verarbeiten. Wir verarbeiten sie, weil es zu "
            f"unseren gesetzlichen Aufgaben gehört ({office.house.legal_basis}). Wir geben Ihnen die Daten trotzdem "
            "so, dass auch andere Computer sie lesen können (Format vCon)."
        ),
    )


def _read_me(office: Office) -> Document:
    return Document(
        title="Was ist in dieser Datei?",
        subtitle="Kopie Ihrer Daten",
        date=office.now(),
        insurer=office.house.insurer,
        blocks=(
            Listing(
                (
                    "uebersicht.pdf und uebersicht.html: alles zum Lesen.",
                    "anruf-1.wav und so weiter: was Sie gesagt haben, zum Anhören.",
                    "anruf-1.vcon.json und uebersicht.json: dasselbe für Computer.",
                )
            ),
            Paragraph(
                "Die Dateien mit „vcon“ sind von uns unterschrieben. So lässt sich prüfen, dass nichts verändert wurde."
            ),
        ),
    )
