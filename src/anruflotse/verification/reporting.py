"""The signed, dated report for the auditor: a web page, a PDF and a JSON file that holds both by their digests.

The JSON file is what is signed (Ed25519, with the key of the audit trail). Whoever has the public key, which stands in
every filed head of the trail too, can check it without any secret: `anruflotse verify --check FILE`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import anruflotse
from anruflotse.documents import Block, Document, Facts, Heading, Listing, Mark, Note, Paragraph, Table, Tone, html, pdf
from anruflotse.notice import Promise, Sentence
from anruflotse.records.signatures import Signature, verify_signature
from anruflotse.verification.evidence import Evidence
from anruflotse.verification.finding import Finding, SentenceFinding, Status, of_sentences, together
from anruflotse.verification.judging import judge

DOMAIN = "verification-report"
FORMAT = "anruflotse/verification/1"
GERMAN: Mapping[Status, str] = {Status.KEPT: "gehalten", Status.BROKEN: "gebrochen", Status.UNPROVEN: "nicht bewiesen"}
TONES: Mapping[Status, Tone] = {Status.KEPT: Tone.GOOD, Status.BROKEN: Tone.BAD, Status.UNPROVEN: Tone.OPEN}
TITLES: Mapping[Promise, str] = {
    Promise.P1: "Fragt zu Beginn nach dem Anliegen und gibt sich als Automat zu erkennen",
    Promise.P2: "Zeichnet nur die Antwort auf und erkennt ihren Inhalt",
    Promise.P3: "Gibt das Anliegen an die zuständige Fachabteilung",
    Promise.P4: "Zeichnet das Gespräch mit Mitarbeitenden nicht auf",
    Promise.P5: "Verarbeitet nur zum Verstehen, Einordnen und Weiterleiten",
    Promise.P6: "Hält zu jeder Aufzeichnung die Rechtsgrundlage fest",
    Promise.P7: "Informiert, bevor aufgezeichnet wird",
    Promise.P8: "Nimmt Widerspruch jederzeit an",
    Promise.P9: "Hinterlässt nach einem Widerspruch keine Aufzeichnung",
    Promise.P10: "Leitet nach einem Widerspruch direkt an einen Menschen",
    Promise.P11: "Löscht nach der zugesagten Frist von selbst",
    Promise.P12: "Löscht früher, wenn es gewünscht oder vorgesehen ist",
    Promise.P13: "Gibt nur Betrauten Zugriff",
    Promise.P14: "Gibt Dienstleistern nur etwas, wenn eine Vereinbarung gilt",
    Promise.P15: "Erfüllt die Rechte nach Art. 15 bis 21 DSGVO",
    Promise.P16: "Nennt die Datenschutzbeauftragte oder den Datenschutzbeauftragten",
    Promise.P17: "Veröffentlicht den Hinweis",
}
METHOD = (
    "Ein eigener Prüfdienst mit genau den Einstellungen des Betriebs nahm echte Testanrufe über SIP an; alle Ziele "
    "beantwortete ein Prüftelefon, niemand wurde angerufen. Was die Testanrufe sagten und hörten, wurde Ton für Ton "
    "mit dem verglichen, was gespeichert war.\n"
    "Fristablauf, Löschung, Rückspielung einer Sicherung, Zugriffe und Betroffenenrechte wurden an Kopien der "
    "Testaufzeichnung erprobt; der Prüfdienst und alle seine Daten sind danach vernichtet worden.\n"
    "Der Speicher des Betriebs wurde nur gelesen: Anzahlen, Zeiten, Schlüssel und Protokoll, kein Inhalt.\n"
    "Was nicht geprüft werden konnte, gilt als nicht bewiesen, nie als gehalten.\n"
    "Zeichen vor den Belegen: ✓ gehalten, ✗ gebrochen, ? nicht bewiesen. Dieses Papier ist durch seine Prüfsumme in "
    "der unterschriebenen JSON-Datei gleichen Namens enthalten; `anruflotse verify --check` prüft beides."
)
"""How it was verified, a paragraph a line."""


class ReportError(Exception):
    """A report cannot be read or written; the message says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one run, on promises and on sentences, for one insurer."""

    insurer: str
    at: datetime
    findings: tuple[Finding, ...]
    sentences: tuple[SentenceFinding, ...]

    @property
    def status(self) -> Status:
        """Kept only when every promise is."""
        return together(finding.status for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a report gave: whether it is as it was signed, by which key, and which papers were changed."""

    valid: bool
    public_key: str
    key_id: str
    at: str
    status: str
    changed: tuple[str, ...]
    missing: tuple[str, ...]


def report_of(evidence: Evidence, sentences: tuple[Sentence, ...], insurer: str) -> Report:
    """The report on `evidence`, with the sentences of the notice as these settings make it read."""
    findings = judge(evidence)
    return Report(insurer, evidence.began_at, findings, of_sentences(sentences, findings))


def write_report(report: Report, directory: Path, sign: Callable[[bytes, str], Signature]) -> tuple[Path, ...]:
    """Write HTML, PDF and the signed JSON into `directory`; the paths, the JSON first.

    `sign` is `Records.sign`. Raises `ReportError` when the directory cannot be written, and what `sign` and the
    typesetter raise.
    """
    paper = document(report)
    stem = f"pruefbericht-{report.at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"
    papers = {f"{stem}.html": html(paper).encode(), f"{stem}.pdf": pdf(paper)}
    told = plain(report) | {"papers": {name: hashlib.sha256(data).hexdigest() for name, data in papers.items()}}
    signature = sign(_canonical(told), DOMAIN)
    signed = {
        "report": told,
        "signature": signature.signature.hex(),
        "public_key": signature.public.hex(),
        "key_id": signature.key_id,
    }
    content = json.dumps(signed, ensure_ascii=False, indent=1).encode()
    files = {f"{stem}.json": content, **papers}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (directory / name).write_bytes(data)
    except OSError as error:
        message = f"The report cannot be written to {directory} ({error.strerror}): name another directory."
        raise ReportError(message) from error
    return tuple(directory / name for name in files)


def check_report(path: Path) -> Checked:
    """Check the signature of a report's JSON file, and the papers beside it. Raises `ReportError` for another file."""
    try:
        read = json.loads(path.read_bytes())
        told, papers = read["report"], read["report"]["papers"]
        signature, public = bytes.fromhex(read["signature"]), bytes.fromhex(read["public_key"])
        named = {str(name): str(digest) for name, digest in papers.items()}
        if told["format"] != FORMAT or any(Path(name).name != name for name in named):
            raise ValueError  # noqa: TRY301 - whatever is wrong with it, it is no report of ours
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})."
        raise ReportError(message) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message = f"{path} is no report: give the JSON file that `anruflotse verify --report` wrote."
        raise ReportError(message) from None
    beside = {name: path.parent / name for name in named}
    missing = tuple(name for name, file in beside.items() if not file.is_file())
    changed = tuple(
        name
        for name, file in beside.items()
        if name not in missing and hashlib.sha256(file.read_bytes()).hexdigest() != named[name]
    )
    return Checked(
        valid=verify_signature(_canonical(told), DOMAIN, signature, public),
        public_key=public.hex(),
        key_id=str(read.get("key_id", "")),
        at=str(told.get("checked_at", "")),
        status=str(told.get("status", "")),
        changed=changed,
        missing=missing,
    )


def lines(report: Report) -> list[dict[str, object]]:
    """One object for each sentence and promise it makes, in the order of the notice."""
    known = {finding.promise: finding for finding in report.findings}
    return [
        {
            "promise": promise.value,
            "sentence": one.sentence,
            "status": known[promise].status.value,
            "evidence": list(known[promise].evidence),
            "checked_at": known[promise].checked_at.isoformat(timespec="seconds"),
            "sentence_status": one.status.value,
        }
        for one in report.sentences
        for promise in one.promises
    ]


def plain(report: Report) -> dict[str, object]:
    """The report in shapes of JSON."""
    return {
        "format": FORMAT,
        "software": f"anruflotse {anruflotse.__version__}",
        "insurer": report.insurer,
        "checked_at": report.at.isoformat(timespec="seconds"),
        "status": report.status.value,
        "promises": [
            {
                "promise": finding.promise.value,
                "meaning": finding.promise.meaning,
                "title": TITLES[finding.promise],
                "status": finding.status.value,
                "evidence": list(finding.evidence),
                "checked_at": finding.checked_at.isoformat(timespec="seconds"),
            }
            for finding in report.findings
        ],
        "sentences": [
            {"sentence": one.sentence, "promises": [p.value for p in one.promises], "status": one.status.value}
            for one in report.sentences
        ],
    }


def document(report: Report) -> Document:
    """The report for people."""
    counts = {status: sum(finding.status is status for finding in report.findings) for status in Status}
    blocks: list[Block] = [
        Heading("Ergebnis"),
        Note(_summary(counts), TONES[report.status]),
        Facts(
            (
                ("Geprüft am", f"{report.at.astimezone(UTC):%d.%m.%Y, %H:%M:%S} UTC"),
                ("Software", f"anruflotse {anruflotse.__version__}"),
                *((GERMAN[status].capitalize(), str(number)) for status, number in counts.items()),
            )
        ),
        Heading("Die Sätze des Hinweises"),
        Table(
            ("Satz", "Versprechen", "Ergebnis"),
            tuple((one.sentence, ", ".join(one.promises), _mark(one.status)) for one in report.sentences),
            caption="Jeder Satz des veröffentlichten Hinweises und ob er wahr ist",
            widths=(7, 2, 2),
        ),
        Heading("Die Versprechen und die Belege"),
    ]
    for finding in report.findings:
        blocks += [
            Heading(f"{finding.promise.value}: {TITLES[finding.promise]}", 2),
            Facts((("Ergebnis", _mark(finding.status)),)),
            Listing(finding.evidence),
        ]
    blocks += [
        Heading("Wie geprüft wurde"),
        *(Paragraph(text) for text in METHOD.splitlines()),
    ]
    return Document(
        title="Prüfbericht zum Datenschutzhinweis",
        subtitle="Gesprächsaufzeichnung durch den Voicebot: was zugesagt ist und was die Software tut",
        date=report.at,
        insurer=report.insurer,
        blocks=tuple(blocks),
    )


def _summary(counts: Mapping[Status, int]) -> str:
    total = sum(counts.values())
    if counts[Status.KEPT] == total:
        return f"Alle {total} Versprechen sind gehalten."
    parts = [f"{number} {GERMAN[status]}" for status, number in counts.items() if number]
    return f"Von {total} Versprechen sind {', '.join(parts)}."


def _mark(status: Status) -> Mark:
    return Mark(GERMAN[status], TONES[status])


def _canonical(told: Mapping[str, object]) -> bytes:
    """What is signed: JSON with sorted keys and no blanks, UTF-8."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
