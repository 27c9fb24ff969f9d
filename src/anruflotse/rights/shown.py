"""Everything of a record that an answer shows, in plain German: the words, what became of the call, and why.

One place for the letter (Art. 15 GDPR) and for the comparison an officer decides by (Art. 15(4)): what is handed out
was seen before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from anruflotse.documents import Block, Heading, Listing, Paragraph, Quote
from anruflotse.documents.model import moment
from anruflotse.records.model import Record
from anruflotse.rights.house import House

_DECISIONS: Mapping[str, str] = {
    "route": "Er war sicher und hat Sie gleich verbunden.",
    "confirm": "Er war nicht ganz sicher und hat nachgefragt.",
    "choose": "Zwei Anliegen kamen infrage. Er hat Sie gefragt, welches stimmt.",
    "ask_again": "Er hat Ihr Anliegen nicht erkannt und noch einmal gefragt.",
    "human": "Sie wollten mit einem Menschen sprechen.",
    "emergency": "Er hat einen Notfall erkannt.",
    "objection": "Er hat verstanden, dass Sie keine Aufzeichnung möchten.",
    "safety": "Er hat einen Notfall, einen Widerspruch oder den Wunsch nach einem Menschen erkannt.",
    "not_understood": "Er hat kein Anliegen erkannt.",
}
"""What was decided (`understanding.seams.DecisionKind`) and the zones of explanations."""

_OUTCOMES: Mapping[str, str] = {
    "succeeded": "Wir haben Sie verbunden.",
    "unknown": "Wir haben Sie verbunden. Ob jemand abgenommen hat, wissen wir nicht.",
    "": "Niemand hat Ihren Anruf angenommen.",
    "busy": "Es war besetzt.",
    "no_answer": "Niemand hat abgenommen.",
    "refused": "Wir konnten Sie nicht verbinden.",
    "hung_up": "Sie haben vorher aufgelegt.",
}
_THRESHOLDS: Mapping[str, str] = {
    "route": "Sicher genug, um gleich zu verbinden",
    "confirm": "Sicher genug, um nachzufragen",
    "choose": "Zwei Anliegen zusammen sicher genug, um beide anzubieten",
    "second": "Zweites Anliegen wahrscheinlich genug",
    "outside": "Das Anliegen gehört nicht zu uns",
    "likely": "Verdacht auf einen Notfall",
    "likely_wish": "Verdacht auf einen Widerspruch gegen die Aufzeichnung oder den Wunsch nach einem Menschen",
    "sure": "Sicherheit dabei",
}
_TELLING = frozenset({"zone", "thresholds", "rules", "words", "keywords", "nearest", "model", "opinion"})
"""What an explanation is made of (`understanding.explaining`); records of other versions may have more or less."""
_NOT_SAID = _TELLING - {"words", "keywords"} | {"concern"}
"""What in an explanation is not taken from the caller's words; `nearest` are sentences the software was taught with."""


def words(record: Record) -> list[Block]:
    """The utterances, each with its corrections below it."""
    told: list[Block] = []
    for number, text in enumerate(record.transcripts):
        told.append(Quote(text, f"Äußerung {number + 1}"))
        told += [
            Quote(fix.text, f"Äußerung {number + 1}, berichtigt: {moment(fix.at)}")
            for fix in record.corrections
            if fix.utterance == number
        ]
    return told


def handling(record: Record) -> tuple[tuple[str, str], ...]:
    """How the call went on, as labels with their values."""
    summary = record.summary
    return (
        ("Entscheidung des Sprachassistenten", _DECISIONS.get(summary.decision, summary.decision)),
        ("So ging der Anruf aus", _OUTCOMES.get(summary.outcome, summary.outcome)),
        ("Gewählter Anschluss", record.target or "nicht gespeichert"),
        ("Programme, die mitgearbeitet haben", ", ".join(record.engines) or "nicht vermerkt"),
    )


def reasons(record: Record, house: House) -> list[Block]:
    """Why it was decided so: the words that counted, and the explanation of every decision."""
    told: list[Block] = []
    if record.evidence:
        told.append(Paragraph(f"Darauf kam es dabei an: {', '.join(record.evidence)}."))
    if record.explanations:
        told.append(Heading("Warum hat der Computer so entschieden?", 2))
    for number, one in enumerate(record.explanations, 1):
        told += [Paragraph(f"Entscheidung {number}"), Listing(tuple(explained(one, house)))]
    return told


def explained(one: Mapping[str, object], house: House) -> list[str]:
    """One explanation (`understanding.explaining.Explanation.as_json`, of any version) in sentences."""
    zone = str(one.get("zone", ""))
    told = [_DECISIONS.get(zone, zone)] if zone else []
    for limit in _parts(one, "thresholds"):
        name = str(limit.get("name", ""))
        told.append(
            f"{_THRESHOLDS.get(name, name)}: {_percent(limit.get('found'))}, nötig sind {_percent(limit.get('at'))}."
        )
    if rules := _strings(one, "rules"):
        told.append(f"Feste Regeln, die etwas gefunden haben: {', '.join(rules)}.")
    if spoke := _strings(one, "words"):
        told.append(f"Diese Wörter zählten am meisten: {', '.join(spoke)}.")
    for word in _parts(one, "keywords"):
        side = "gegen" if word.get("against") else "für"
        told.append(f"Das Stichwort „{word.get('word', '')}“ sprach {side}: {house.concern(_key(word))}.")
    told += [
        f"Ähnlich ({_percent(like.get('similarity'))}) wie unser Übungssatz „{like.get('text', '')}“ zu: "
        f"{house.concern(_key(like))}."
        for like in _parts(one, "nearest")
    ]
    if opinion := str(one.get("opinion") or ""):
        meant = "keines der Anliegen" if opinion == "keines" else house.concern(opinion)
        told.append(f"Ein Sprachmodell meinte: {meant}.")
    if model := str(one.get("model") or ""):
        told.append(f"Fassung des Programms: {model}.")
    told += [f"{name}: {', '.join(_all(value))}" for name, value in one.items() if name not in _TELLING]
    return told or ["Nichts vermerkt."]


def derived(record: Record) -> tuple[str, ...]:
    """What was taken from the words and is shown beside them: texts of evidence and explanations."""
    taken = [*record.evidence]
    for one in record.explanations:
        taken += _said(one)
    return tuple(dict.fromkeys(text for text in taken if text))


def _said(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _NOT_SAID:
                yield from _said(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _said(part)


def _all(value: object) -> list[str]:
    """Every single value in it, as text."""
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in _all(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _all(part)]
    return [str(value)]


def _parts(one: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    given = one.get(name)
    return [part for part in given if isinstance(part, Mapping)] if isinstance(given, list | tuple) else []


def _strings(one: Mapping[str, object], name: str) -> list[str]:
    given = one.get(name)
    return [str(part) for part in given] if isinstance(given, list | tuple) else []


def _key(part: Mapping[str, object]) -> str | None:
    return str(part["concern"]) if part.get("concern") else None


def _percent(share: object) -> str:
    return f"{100 * share:.0f} %" if isinstance(share, int | float) else "nicht vermerkt"
