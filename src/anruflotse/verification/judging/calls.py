"""The promises about what happens in a call, judged by what the test calls heard, did and left (P1-P4, P7-P10)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from anruflotse.verification import spec
from anruflotse.verification.cast import OBJECTIONS_IN_CALL, UNRECORDED
from anruflotse.verification.evidence import CallSeen, Evidence, RecordLeft
from anruflotse.verification.judging.checks import Check, check, unproven

CONCERN = "concern"
HUMAN = "mensch"
HEARD = 0.8
"""So much of a prompt must have been heard: a few packets may be lost on the way."""
NOTHING = 0.25
"""Below this share of its pieces a sound is not in a recording: two of ten may look alike by chance."""
WHOLE = 0.7
SOON_SECONDS = 3.0
"""So long after the notice the question may begin, and so long after the start the notice."""
DIRECTLY_SECONDS = 20.0
"""So long after an objection a person answers, the time it rings and a sentence of explanation included."""
LETS_GO_SECONDS = 6.0
OBJECTION = 21
"""The article under which somebody objects after a call, through the data protection officer."""
ALIKE = 0.6
"""How much the words kept must be like those spoken: a recogniser on the telephone gets some wrong."""

SAME_WORDS = 0.8
"""From here on what was heard is what is written, but for a word or two that the recogniser wrote otherwise."""

NAMES = {
    "key_in_notice": "Taste während des Hinweises",
    "words_in_notice": "Worte während des Hinweises",
    "key_while_speaking": "Taste mitten in der Antwort",
    "words_in_answer": "Worte statt einer Antwort",
    "key_while_ringing": "Taste, als die Abteilung schon klingelte",
    "objected_before": "Widerspruch aus einem früheren Anruf",
    "notice_lost": "Hinweis nicht abspielbar",
    "concern": "Anliegen",
    "privacy": "Frage nach dem Datenschutz",
}


def asks_first(evidence: Evidence) -> list[Check]:
    """P1: greets as an automated assistant and asks for the concern, at the start."""
    call = _call(evidence, CONCERN)
    if call is None:
        return [_missing(CONCERN)]
    notice, question = call.notice, call.question
    asked = question.share >= HEARD and question.start is not None
    after = (question.start or 0.0) - (notice.end or 0.0)
    automated = spec.AUTOMATED.search(call.notice_words) or (
        notice.share >= HEARD and evidence.wording and spec.AUTOMATED.search(evidence.wording.notice_prompt)
    )
    return [
        *_went(call),
        check(
            asked and (notice.end is None or after <= SOON_SECONDS),
            f"Die Frage nach dem Anliegen war zu hören ({question.share:.0%}), {after:.1f} s nach dem Hinweis.",
            f"Die Frage nach dem Anliegen war nicht oder nicht gleich zu Beginn zu hören ({question.share:.0%}).",
        ),
        check(
            bool(automated),
            "Die Ansage gibt sich als automatischer Assistent zu erkennen.",
            "Die Ansage gibt nicht zu erkennen, dass kein Mensch spricht.",
        ),
    ]  # fmt: skip


def records_the_answer_only(evidence: Evidence) -> list[Check]:
    """P2: records the caller's answer and nothing else, and recognises its content."""
    call = _call(evidence, CONCERN)
    if call is None:
        return [_missing(CONCERN)]
    record, checks = _record(call), _went(call)
    if record is None:
        return [*checks, unproven("Das Anliegen hinterließ keine lesbare Aufzeichnung; ihr Umfang ist nicht prüfbar.")]
    outside = {phase: record.phases.get(phase, 0.0) for phase in ("early", "confirm", "connecting", "handed", "staff")}
    said = {"early": "vor der Frage", "confirm": "auf Rückfragen", "connecting": "nach der Antwort"}
    checks += [
        check(
            share < NOTHING if phase == "staff" or call.words_of(phase) or phase == "confirm" else None,
            f"Was {said[phase]} gesagt wurde, ist nicht in der Aufzeichnung.",
            f"Was {said[phase]} gesagt wurde, ist in der Aufzeichnung ({share:.0%}).",
        )
        for phase, share in outside.items()
        if phase in said
    ]
    return [
        *checks,
        check(
            record.phases.get("answer", 0.0) >= WHOLE,
            f"Die Antwort ist aufgezeichnet ({record.phases.get('answer', 0.0):.0%}, {record.seconds:.1f} s).",
            "Die Aufzeichnung enthält die Antwort nicht.",
        ),
        check(
            record.foreign < NOTHING,
            "In der Aufzeichnung ist nur die anrufende Seite zu hören.",
            f"In der Aufzeichnung ist zu hören, was die anrufende Person nicht gesagt hat ({record.foreign:.0%}).",
        ),
        check(
            record.likeness >= ALIKE,
            f"Der Inhalt wurde erkannt: {record.likeness:.0%} Übereinstimmung mit dem Gesagten.",
            f"Der erkannte Text gleicht dem Gesagten kaum ({record.likeness:.0%}).",
        ),
    ]


def hands_over(evidence: Evidence) -> list[Check]:
    """P3: the concern reaches the competent department, with an opaque reference and nothing else."""
    call = _call(evidence, CONCERN)
    if call is None:
        return [_missing(CONCERN)]
    record, checks = _record(call), _went(call)
    if call.expected is None:
        checks.append(unproven("Das Verzeichnis kennt keines der Anliegen, die der Testanruf vorbringen kann."))
    elif call.reached is None:
        checks.append(unproven("Niemand hat den Anruf angenommen."))
    else:
        wanted = f"Zuständig ist laut Verzeichnis: {call.expected}; angenommen hat: {call.reached}."
        # A person takes over who was not understood: that is no department, but no wrong one either.
        lost = call.reached == HUMAN and call.tally != "routed" and call.expected != HUMAN
        checks.append(unproven(wanted) if lost else check(call.reached == call.expected, wanted, wanted))
    if record is not None:
        handed = (call.user_to_user or "").partition(";")[0]
        checks.append(
            check(
                handed == record.reference != "",
                "Mit dem Anruf ging das Aktenzeichen der Aufzeichnung.",
                "Das Aktenzeichen, das mit dem Anruf ging, gehört nicht zur Aufzeichnung.",
            )
        )
        telling = [word for word in (record.concern, record.department) if word and word in call.told]
        checks.append(
            check(
                not telling if call.told else None,
                "Was dem Ziel in der Signalisierung gesagt wird, verrät nichts vom Anliegen.",
                f"In der Signalisierung an das Ziel steht das Anliegen: {', '.join(telling)}.",
            )
        )
    if evidence.wording is not None:
        lost_people = evidence.wording.people == 0 and [k for k, n in evidence.wording.destinations.items() if n == 0]
        checks.append(
            check(
                not lost_people,
                f"Für jede der {len(evidence.wording.destinations)} Abteilungen gibt es ein Ziel oder einen Menschen.",
                f"Für diese Abteilungen gibt es jetzt kein Ziel und auch keinen Menschen: {lost_people}.",
            )
        )
    return checks


def staff_unrecorded(evidence: Evidence) -> list[Check]:
    """P4: the recorder is gone, acknowledged, before a transfer is tried, and nothing after that is recorded."""
    call = _call(evidence, CONCERN)
    if call is None:
        return [_missing(CONCERN)]
    record, checks = _record(call), _went(call)
    if record is None:
        return [*checks, unproven("Das Anliegen hinterließ keine lesbare Aufzeichnung; sie ist nicht prüfbar.")]
    for phase, name in (("handed", "ab der Weitergabe gesagt"), ("staff", "von den Mitarbeitenden gesagt")):
        share = record.phases.get(phase, 0.0)
        checks.append(
            check(
                share < NOTHING if call.words_of(phase) else None,
                f"Was {name} wurde, ist nicht in der Aufzeichnung.",
                f"Was {name} wurde, ist in der Aufzeichnung ({share:.0%}).",
            )
        )
    return [
        *checks,
        check(
            _stopped_before_transfer(call.order),
            "Der Aufnehmer hatte sein Ende bestätigt, bevor die Weitergabe begann.",
            "Die Weitergabe begann, bevor der Aufnehmer sein Ende bestätigt hatte.",
        ),
        check(
            call.leg_closed_at is not None and call.leg_closed_at <= (call.reached_at or 0.0) + LETS_GO_SECONDS,
            "Der Sprachassistent hat die Verbindung verlassen, sobald jemand angenommen hatte.",
            "Der Sprachassistent blieb in der Verbindung, nachdem jemand angenommen hatte.",
        ),
    ]


def informs_first(evidence: Evidence) -> list[Check]:
    """P7: the notice is heard to its end before anything is recorded; without it nothing is recorded at all."""
    call = _call(evidence, CONCERN)
    if call is None:
        return [_missing(CONCERN)]
    checks, record, notice = _went(call), _record(call), call.notice
    checks.append(
        check(
            notice.share >= HEARD and notice.to_its_end and (notice.start or 0.0) <= SOON_SECONDS,
            f"Der Hinweis war ganz zu hören ({notice.share:.0%}), ab Sekunde {notice.start or 0:.1f}.",
            f"Der Hinweis war nicht gleich, nicht oder nicht bis zum Ende zu hören ({notice.share:.0%}).",
        )
    )
    checks.append(_announces(call.notice_words, evidence.wording.notice_prompt if evidence.wording else None))
    if record is None:
        checks.append(unproven("Das Anliegen hinterließ keine lesbare Aufzeichnung; ihr Beginn ist nicht prüfbar."))
    else:
        early = record.phases.get("early", 0.0)
        checks.append(
            check(
                early < NOTHING if call.words_of("early") else None,
                "Was während des Hinweises gesagt wurde, ist nicht in der Aufzeichnung.",
                f"Was während des Hinweises gesagt wurde, ist in der Aufzeichnung ({early:.0%}).",
            )
        )
    checks.append(
        check(
            _in_order(call.order, "NoticeFinished", "StartRecording"),
            "Der Aufnehmer wurde erst nach dem Ende des Hinweises gestartet.",
            "Der Aufnehmer wurde vor dem Ende des Hinweises gestartet.",
        )
    )
    lost = _call(evidence, "notice_lost")
    checks.append(_missing("notice_lost") if lost is None else _left_nothing(lost, "Ohne Hinweis"))
    return checks


def objections_heard(evidence: Evidence) -> list[Check]:
    """P8: an objection counts at any time, by key and in words, and for later calls."""
    checks = []
    for name in (*OBJECTIONS_IN_CALL, "objected_before"):
        call = _call(evidence, name)
        if call is None:
            checks.append(_missing(name))
            continue
        stages = f"{NAMES[name]}: "
        checks.append(
            check(
                call.tally == "objection" if call.tally else None,
                f"{stages}wurde als Widerspruch behandelt.",
                f"{stages}wurde nicht als Widerspruch behandelt (gezählt als {call.tally}).",
            )
        )
    later = [one for one in evidence.rights if one.article == OBJECTION]
    checks += [check(one.worked, f"Nach dem Anruf: {one.seen}", f"Nach dem Anruf: {one.seen}") for one in later]
    return checks if later else [*checks, unproven("Ein Widerspruch nach dem Anruf wurde nicht erprobt.")]


def nothing_left(evidence: Evidence) -> list[Check]:
    """P9: after an objection no record, no key, no number."""
    checks = []
    for name in (*OBJECTIONS_IN_CALL, "objected_before"):
        call = _call(evidence, name)
        checks.append(_missing(name) if call is None else _left_nothing(call, NAMES[name]))
    strays = evidence.strays
    checks.append(
        check(
            None if strays is None else strays == 0,
            "Im Speicher liegt kein Schlüssel und kein Satz, der zu keinem erlaubten Anruf gehört.",
            f"Im Speicher liegen {strays} Schlüssel oder Sätze, die zu keinem erlaubten Anruf gehören.",
        )
    )
    return checks


def person_reached(evidence: Evidence) -> list[Check]:
    """P10: who objects reaches a person, directly."""
    checks = []
    for name in UNRECORDED:
        call = _call(evidence, name)
        if call is None:
            checks.append(_missing(name))
            continue
        # An objection while a department rings cannot call the transfer back; who answers there is a person too.
        people = {HUMAN} if name != "key_while_ringing" else {HUMAN, call.expected, call.reached}
        took = None if call.reached_at is None else call.reached_at - (call.objected_at or 0.0)
        well = call.reached in people and took is not None and took <= DIRECTLY_SECONDS
        checks.append(
            check(
                well,
                f"{NAMES[name]}: nach {took or 0:.1f} s nahm ein Mensch an.",
                f"{NAMES[name]}: kein Mensch nahm an."
                if call.reached is None
                else f"{NAMES[name]}: angenommen hat {call.reached}, nach {took or 0:.1f} s.",
            )
        )
    if evidence.wording is not None:
        checks.append(
            check(
                evidence.wording.people > 0,
                f"Für einen Menschen gibt es jetzt {evidence.wording.people} Ziel(e) im Verzeichnis.",
                "Im Verzeichnis gibt es jetzt kein Ziel für einen Menschen.",
            )
        )
    return checks


def _call(evidence: Evidence, name: str) -> CallSeen | None:
    return evidence.calls.get(name)


def _missing(name: str) -> Check:
    return unproven(f"Der Testanruf „{NAMES[name]}“ fand nicht statt.")


def _went(call: CallSeen) -> list[Check]:
    """Empty for a call that went as planned; else that it did not, which leaves every promise unproven at least."""
    return [] if call.fault is None else [unproven(f"Testanruf „{NAMES[call.name]}“: {call.fault}")]


def _record(call: CallSeen) -> RecordLeft | None:
    return next((record for record in call.records or () if record.readable), None)


def _left_nothing(call: CallSeen, what: str) -> Check:
    if call.records is None:
        return unproven(f"{what}: was der Anruf hinterließ, war nicht einzusehen.")
    left = [f"{len(call.records)} Satz/Sätze oder Schlüssel"] if call.records else []
    left += call.traces
    if not call.tally:
        return unproven(f"{what}: das Ende des Anrufs war nicht zu beobachten.")
    return check(
        not left,
        f"{what}: keine Aufzeichnung, kein Schlüssel, keine Rufnummer und kein Ton blieb.",
        f"{what}: es blieb {', '.join(left)}.",
    )


def _announces(heard: str, written: str | None) -> Check:
    """Whether the notice says that it records and that one may object: as written, and as our own recogniser heard it.

    A recording by a person may say something else than the text, so the two are compared; a word that the recogniser
    did not catch does not count, as long as the rest is what is written.
    """
    if written is None or not heard:
        return unproven("Was der Hinweis sagt, wurde nicht verglichen.")
    if not all(stem.search(written) for stem in spec.NOTICE_SAYS):
        return check(well=False, kept="", broken=f"Der Hinweis sagt nicht, dass aufgezeichnet wird: „{written}“.")
    alike = SequenceMatcher(None, heard.lower(), written.lower(), autojunk=False).ratio()
    if alike >= SAME_WORDS or all(stem.search(heard) for stem in spec.NOTICE_SAYS):
        return check(well=True, kept=f"Er sagt, was er sagen muss; verstanden wurde: „{heard}“.", broken="")
    if alike >= ALIKE:
        return unproven(f"Die Erkennung hat den Hinweis nicht sicher verstanden: „{heard}“.")
    return check(well=False, kept="", broken=f"Zu hören ist etwas anderes, als der Hinweis sagen muss: „{heard}“.")


def _stopped_before_transfer(order: tuple[str, ...]) -> bool | None:
    """Whether every start of the recorder was followed by its confirmed stop before the first transfer."""
    if "Transfer" not in order or "StartRecording" not in order:
        return None
    running = False
    for told in _until(order, "Transfer"):
        if told == "StartRecording":
            running = True
        elif told == "RecorderStopped":
            running = False
    return not running


def _until(order: tuple[str, ...], last: str) -> Iterator[str]:
    for told in order:
        if told == last:
            return
        yield told


def _in_order(order: tuple[str, ...], first: str, second: str) -> bool | None:
    if second not in order:
        return None
    return first in order and order.index(first) < order.index(second)
