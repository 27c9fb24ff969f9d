"""Other people in a recording: what might be about them, and what is left when an officer has blackened it.

A copy must not harm the rights of others (Art. 15(4) GDPR); a record of somebody else must not be handed out at all.
The software points out what may be about somebody else; what becomes of it decides an officer, with both versions side
by side. A passage is remembered by its place, never by its words, since a request outlives the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from anruflotse.documents import Block, Columns, Document, Heading, Listing, Note, Paragraph, Tone
from anruflotse.documents.model import moment
from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.records import flac
from anruflotse.records.access import Accessor
from anruflotse.records.model import Correction, Record
from anruflotse.rights import shown
from anruflotse.rights.model import Decision, Finding, Passage, RightsError
from anruflotse.rights.office import Filed, Office

BLACKENED = "[geschwärzt]"
"""What stands in place of a passage about somebody else."""

_KIN = (
    r"mutter|mama|vater|papa|eltern|mann|frau|ehemann|ehefrau|ehegatt(?:e|in)|partner(?:in)?|lebensgefährt(?:e|in)|"
    r"sohn|tochter|kind(?:er)?|enkel(?:in|kind)?|oma|opa|großmutter|großvater|bruder|schwester|schwager|schwägerin|"
    r"onkel|tante|neffe|nichte|cousine?|schwiegermutter|schwiegervater|freund(?:in)?|nachbar(?:in)?|betreuer(?:in)?|"
    r"pflegekraft|ärztin|arzt|hausarzt|hausärztin|chef(?:in)?|kolleg(?:e|in)"
)
_HINTS = (
    re.compile(rf"\b(?:mein|unser|dein|ihr|sein)(?:e[nrsm]?)?\s+(?:{_KIN})\w*", re.IGNORECASE),
    re.compile(r"\b(?:Herrn?|Frau|Doktor|Dr\.)\s+(?:von\s+|van\s+|zu\s+)?[A-ZÄÖÜ][\wäöüß-]+"),
    # An insurance number (a letter and nine digits) and what could be a telephone number.
    re.compile(r"\b[A-Z]\s?(?:\d\s?){9}\b"),
    re.compile(r"(?:\+|\b)\d(?:[\s/-]?\d){6,}"),
)
"""What often means somebody else: kin, a name with a title, an insurance number, a telephone number."""

_RATES = "an audio stretch is given in seconds as FROM-TO, such as 1.5-3"


def hints(record: Record) -> tuple[Passage, ...]:
    """Passages of utterances and corrections that may be about somebody else, in their order.

    A help for the officer, no judgement.
    """
    return _merged([place for hint in _HINTS for place in _places(record, hint)])


def pointed_out(record: Record) -> tuple[str, ...]:
    """The words in which an answer may speak of somebody else, each once, wherever it shows them."""
    found = [_text_of(record, one)[one.start : one.end] for one in hints(record)]
    found += [match.group() for text in shown.derived(record) for hint in _HINTS for match in hint.finditer(text)]
    return tuple(dict.fromkeys(found))


def passages(record: Record, typed: Sequence[str]) -> tuple[tuple[Passage, ...], bool]:
    """Every place of these words in utterances and corrections, in any case, and whether more hides words.

    The second is true when some stand only in what was derived from the words (evidence, explanations), which has no
    places and is left out as a whole. Raises `RightsError` for words that are nowhere in the record.
    """
    found: list[Passage] = []
    derived = False
    for words in typed:
        wanted = re.compile(r"\s+".join(re.escape(word) for word in words.split()) or r"(?!)", re.IGNORECASE)
        here = list(_places(record, wanted))
        within = not here and any(wanted.search(text) for text in shown.derived(record))
        if not here and not within:
            # Without the words: they may be somebody else's data.
            message = "One of the passages to blacken does not occur in this record: copy it from the left side."
            raise RightsError(message)
        found += here
        derived = derived or within
    return _merged(found), derived


def considered(
    finding: Finding,
    record: Record,
    decision: Decision,
    words: Sequence[str],
    muted: Sequence[str],
    *,
    anew: bool = False,
) -> Finding:
    """What a decision comes to: passages and stretches are added to those of before, unless it begins `anew`.

    Whoever has a record handed out whole, or begins anew, gives up what was blackened; nothing else does. Raises
    `RightsError` for words that are not in the record and for what is no stretch.
    """
    decided = replace(
        finding, decision=decision, corrections=len(record.corrections), recorded_at=record.summary.recorded_at
    )
    if decision is Decision.INCLUDE or anew:
        decided = replace(decided, passages=(), muted=(), silent=False, derived=False)
    places, derived = passages(record, words)
    quiet = stretches(muted)
    added = replace(
        decided,
        passages=_merged((*decided.passages, *places)),
        muted=tuple(sorted({*decided.muted, *quiet})),
        derived=decided.derived or derived,
    )
    return replace(added, silent=_silent(decided, added, places, derived=derived, quiet=bool(quiet)))


def reopened(finding: Finding, record: Record) -> Finding:
    """The finding as one that is to be decided again: what was blackened stays so."""
    return replace(finding, decision=Decision.OPEN, recorded_at=record.summary.recorded_at)


def unseen(finding: Finding, record: Record) -> bool:
    """Whether a correction came in after an officer had decided (also one by an earlier version, which showed none)."""
    return len(record.corrections) > (finding.corrections or 0)


def stretches(typed: Sequence[str]) -> tuple[tuple[float, float], ...]:
    """Stretches of sound as `1.5-3`, in seconds from the beginning. Raises `RightsError`."""
    found: list[tuple[float, float]] = []
    for one in typed:
        shape = re.fullmatch(r"\s*(\d{1,4}(?:[.,]\d{1,3})?)\s*-\s*(\d{1,4}(?:[.,]\d{1,3})?)\s*", one, re.ASCII)
        if shape is None:
            message = f"This is no stretch of sound: {_RATES}."
            raise RightsError(message)
        start, end = (float(value.replace(",", ".")) for value in shape.groups())
        if start >= end:
            message = f"This stretch of sound ends before it begins: {_RATES}."
            raise RightsError(message)
        found.append((start, end))
    return tuple(sorted(found))


def redacted(record: Record, finding: Finding) -> Record:
    """A record as it is handed out: passages blackened, stretches silent.

    Whoever blackens text without silencing sound hands out no sound: what may not be read must not be heard. What was
    derived from the words goes with them: evidence and explanations, and the whole of every correction of an utterance
    that has a blackened passage. A correction nobody had seen when this was decided is black as well.
    """
    if finding.decision is not Decision.REDACT:
        return record
    touched, kept = hidden(finding), soundless(finding)
    sound = None if kept else record.recording
    if sound is not None and finding.muted:
        sound = silenced(sound, finding.muted)
    return replace(
        record,
        transcripts=tuple(
            _blackened(text, [one for one in finding.passages if one.utterance == number and one.correction is None])
            for number, text in enumerate(record.transcripts)
        ),
        corrections=tuple(_corrected(finding, number, one) for number, one in enumerate(record.corrections)),
        evidence=() if touched else record.evidence,
        explanations=() if touched else record.explanations,
        recording=sound,
        has_recording=record.has_recording and not kept,
    )


def hidden(finding: Finding) -> bool:
    """Whether words are blackened, not only sound."""
    return bool(finding.passages) or finding.derived


def soundless(finding: Finding) -> bool:
    """Whether the sound stays here, since it may tell what is blackened."""
    return hidden(finding) and (finding.silent or not finding.muted)


def silenced(sound: bytes, muted: Sequence[tuple[float, float]]) -> bytes:
    """A FLAC file with these stretches (seconds) silent; what lies beyond its end is left out."""
    heard = flac.decode(sound)
    quiet = bytearray(heard.data)
    for start, end in muted:
        first, last = (min(int(at * heard.rate + 0.5) * SAMPLE_BYTES, len(quiet)) for at in (start, end))
        quiet[first:last] = bytes(last - first)
    return flac.encode(Pcm(bytes(quiet), heard.rate))


def side_by_side(office: Office, filed: Filed, finding: Finding, record: Record) -> Document:
    """Both versions of a record: what is stored on the left, what would be handed out on the right.

    Every text of an answer is in it, so that nothing goes out unseen.
    """
    after = redacted(record, finding)
    withheld = finding.decision in {Decision.WITHHOLD, Decision.OPEN}
    left: list[Block] = [
        Heading("So ist es gespeichert"),
        *shown.words(record),
        Paragraph("Mit Ton." if record.has_recording else "Ohne Ton."),
        *_beside(office, record),
    ]
    right: list[Block] = [Heading("So würde es herausgegeben")]
    if withheld:
        right.append(
            Paragraph("Nichts." if finding.decision is Decision.WITHHOLD else "Nichts, solange nicht entschieden.")
        )
    else:
        right += [*shown.words(after), Paragraph(_sound(finding, after)), *_beside(office, after)]
    marked = pointed_out(record)
    blocks: list[Block] = [
        Note(_DECIDED[finding.decision], Tone.OPEN if finding.decision is Decision.OPEN else Tone.PLAIN),
        Columns(tuple(left), tuple(right)),
    ]
    if marked:
        blocks += [
            Heading("Könnte andere Menschen betreffen"),
            Paragraph("Das Programm hat diese Stellen gefunden. Ob es stimmt, entscheiden Sie."),
            Listing(marked),
        ]
    return Document(
        title="Gegenüberstellung",
        subtitle=f"Vorgang {filed.id[:8]}, Anruf vom {moment(record.summary.recorded_at)}",
        date=office.now(),
        insurer=office.house.insurer,
        blocks=tuple(blocks),
    )


def look(office: Office, filed: Filed, record_id: str, accessor: Accessor) -> tuple[Finding, Record]:
    """A record of this request, opened, with what was decided about it. Raises `RightsError` when it is none of it."""
    finding = next((one for one in filed.request.findings if one.record == record_id), None)
    if finding is None:
        message = "This record does not belong to this request: `rights show` lists those that do."
        raise RightsError(message)
    record = office.open(record_id, accessor, audio=True)
    if record is None:
        message = "This record has ended meanwhile: there is nothing left to hand out or to blacken."
        raise RightsError(message)
    return finding, record


_DECIDED = {
    Decision.OPEN: "Noch nicht entschieden: Gehört dieser Anruf zu der Person, die fragt? Geht es um andere Menschen?",
    Decision.INCLUDE: "Entschieden: Der Anruf wird ganz herausgegeben.",
    Decision.REDACT: "Entschieden: Der Anruf wird mit geschwärzten Stellen herausgegeben.",
    Decision.WITHHOLD: "Entschieden: Der Anruf wird nicht herausgegeben.",
}


def _sound(finding: Finding, after: Record) -> str:
    if soundless(finding):
        return "Ohne Ton, weil Text geschwärzt ist und im Ton dazu nichts stumm geschaltet wurde."
    if finding.muted:
        told = ", ".join(f"{start:g} bis {end:g} Sekunden" for start, end in finding.muted)
        return f"Mit Ton, stumm von {told}."
    return "Mit Ton." if after.has_recording else "Ohne Ton."


def _silent(before: Finding, after: Finding, places: Sequence[Passage], *, derived: bool, quiet: bool) -> bool:
    """Whether some blackened words have no muted stretch of their own, as far as can be told from who said what when.

    Words without a stretch have none. A stretch that comes alone is for the words of before; one that comes with words
    is for these, and leaves open what was before unless it is named again.
    """
    if not places and not derived:
        return before.silent and not quiet
    if not quiet:
        return True
    all_named = after.passages == tuple(places) and derived >= before.derived
    return not all_named and (before.silent or (hidden(before) and not before.muted))


def _beside(office: Office, record: Record) -> list[Block]:
    """What an answer shows of a record beside the words, as running text."""
    told: list[Block] = [Paragraph(f"Nummer: {record.caller or 'nicht gespeichert'}.")]
    told += [Paragraph(f"{label}: {value}") for label, value in shown.handling(record)]
    for block in shown.reasons(record, office.house):
        told += [Paragraph(item) for item in block.items] if isinstance(block, Listing) else [block]
    # Within columns there is one heading, the side's own.
    return [Paragraph(block.text) if isinstance(block, Heading) else block for block in told]


def _places(record: Record, wanted: re.Pattern[str]) -> Iterator[Passage]:
    """Where it stands in utterances and in corrections."""
    for number, text in enumerate(record.transcripts):
        for match in wanted.finditer(text):
            yield Passage(utterance=number, start=match.start(), end=match.end())
    for index, fix in enumerate(record.corrections):
        for match in wanted.finditer(fix.text):
            yield Passage(utterance=fix.utterance, start=match.start(), end=match.end(), correction=index)


def _text_of(record: Record, passage: Passage) -> str:
    """The text a passage is a stretch of."""
    if passage.correction is None:
        return record.transcripts[passage.utterance]
    return record.corrections[passage.correction].text


def _corrected(finding: Finding, number: int, fix: Correction) -> Correction:
    """A correction as it is handed out."""
    unknown = finding.corrections is not None and number >= finding.corrections
    if unknown or any(one.correction is None and one.utterance == fix.utterance for one in finding.passages):
        return replace(fix, text=BLACKENED)
    return replace(fix, text=_blackened(fix.text, [one for one in finding.passages if one.correction == number]))


def _blackened(text: str, marked: Sequence[Passage]) -> str:
    for passage in sorted(marked, key=lambda one: one.start, reverse=True):
        text = text[: passage.start] + BLACKENED + text[passage.end :]
    return text


def _merged(found: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages in their order, overlapping ones as one."""
    merged: list[Passage] = []
    for passage in sorted(found, key=lambda one: (*_where(one), one.start, one.end)):
        last = merged[-1] if merged else None
        if last is not None and _where(last) == _where(passage) and passage.start <= last.end:
            merged[-1] = replace(last, end=max(last.end, passage.end))
        else:
            merged.append(passage)
    return tuple(merged)


def _where(passage: Passage) -> tuple[int, int]:
    """Which text it is in: utterances stand before their corrections."""
    return passage.utterance, -1 if passage.correction is None else passage.correction
