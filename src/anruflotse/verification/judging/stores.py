"""The promises about what rests in the store: purposes, legal basis, time, erasure, access (P5, P6, P11-P13)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from anruflotse.verification import spec
from anruflotse.verification.evidence import Evidence, RecordLeft, Store
from anruflotse.verification.judging.checks import Check, check, unproven

NO_TRIALS = "Ohne Testaufzeichnung ließ sich das nicht erproben."
LATE_SECONDS = 5.0
"""How much longer than two intervals of the sweep something due may still be there: a sweep takes a moment itself."""


def purposes_closed(evidence: Evidence) -> list[Check]:
    """P5: a closed list of purposes; nothing learns from recordings; counters lead to no call."""
    seen = evidence.purposes
    if seen is None:
        return [unproven(NO_TRIALS), *_live_purposes(evidence)]
    strange = sorted({*seen.listed} - spec.PURPOSES)
    wide = sorted({*seen.opening} - spec.OPENING)
    return [
        check(
            not strange,
            f"Die Liste der Zwecke ist geschlossen: {', '.join(sorted(seen.listed))}.",
            f"Die Liste der Zwecke ist weiter als zugesagt: {', '.join(strange)}.",
        ),
        check(
            not wide,
            "Für keinen anderen Zweck ließ sich die Testaufzeichnung öffnen.",
            f"Die Testaufzeichnung ließ sich auch öffnen für: {', '.join(wide) or 'keinen'}.",
        ),
        check(
            not seen.readers,
            "Nichts, das lernt oder zuhört, kann den Speicher der Aufzeichnungen erreichen.",
            f"Diese Programmteile, die lernen oder zuhören, erreichen den Speicher: {', '.join(seen.readers)}.",
        ),
        check(
            {*seen.counted} == spec.COUNTED and not seen.linked if seen.counted else None,
            "Die Statistik besteht aus Zählern ohne Bezug zu einem Anruf.",
            f"In der Statistik steht mehr als Zähler: {', '.join(sorted({*seen.counted} - spec.COUNTED)) or 'Bezüge'}.",
        ),
        *_records_for(evidence),
        *_live_purposes(evidence),
    ]


def legal_basis(evidence: Evidence) -> list[Check]:
    """P6: the legal basis is on every record, and it is the one the notice names."""
    record = _record(evidence)
    if record is None:
        checks = [unproven(NO_TRIALS)]
    else:
        checks = [
            check(
                _lawful(record.legal_basis),
                f"Die Testaufzeichnung trägt ihre Rechtsgrundlage: {record.legal_basis}.",
                f"Die Testaufzeichnung trägt nicht die zugesagte Rechtsgrundlage: „{record.legal_basis}“.",
            )
        ]
    if evidence.published is not None:
        named = any(_lawful(sentence) for sentence in evidence.published.expected)
        checks.append(check(named, "Der Hinweis nennt sie ebenso.", "Der Hinweis nennt die Rechtsgrundlage nicht."))
    return [*checks, *_live_bases(evidence)]


def deleted_in_time(evidence: Evidence) -> list[Check]:
    """P11: one expiry for recording and content, enforced on every read and by the sweep."""
    checks = []
    if evidence.wording is not None:
        days, because = evidence.wording.days, evidence.wording.longer_because
        checks.append(
            check(
                days <= spec.LONGEST_DAYS,
                f"Eingestellt sind {days} Tage.",
                f"Eingestellt sind {days} Tage, zugesagt höchstens {spec.LONGEST_DAYS} (Grund: {because or 'keiner'}).",
            )
        )
    record = _record(evidence)
    if record is None or record.recorded_at is None or record.expires_at is None:
        checks.append(unproven(NO_TRIALS))
    else:
        life = record.expires_at - record.recorded_at
        longest = evidence.wording.days if evidence.wording else spec.LONGEST_DAYS
        checks.append(
            check(
                life <= timedelta(days=longest),
                f"Die Testaufzeichnung endet {life.days} Tage nach der Aufnahme.",
                f"Die Testaufzeichnung endet erst {life.days} Tage nach der Aufnahme.",
            )
        )
    return [*checks, *_expiry(evidence), *_sweep(evidence), *_live_overdue(evidence)]


def erased_on_request(evidence: Evidence) -> list[Check]:
    """P12: erased on request, at once, and not brought back by a backup."""
    if not evidence.erasures:
        checks = [unproven(NO_TRIALS)]
    else:
        checks = []
        for seen in evidence.erasures:
            checks += [
                check(
                    seen.gone and not seen.key_left,
                    f"Gelöscht nach {seen.way}: sofort nicht mehr lesbar, der Schlüssel vernichtet.",
                    f"Gelöscht nach {seen.way}: die Aufzeichnung oder ihr Schlüssel war noch da.",
                ),
                check(
                    not seen.readable_after_restore and not seen.key_after_restore,
                    f"Gelöscht nach {seen.way}: auch eine zurückgespielte Sicherung macht sie nicht wieder lesbar.",
                    f"Gelöscht nach {seen.way}: eine zurückgespielte Sicherung brachte sie zurück.",
                ),
            ]
    live = _looked(evidence)
    if isinstance(live, Check):
        return [*checks, live]
    if live is not None:
        checks.append(
            check(
                live.returned == 0,
                "Im laufenden Speicher ist nichts wieder da, was vernichtet wurde.",
                f"Im laufenden Speicher sind {live.returned} vernichtete Sätze oder Schlüssel wieder da.",
            )
        )
    return checks


def access_limited(evidence: Evidence) -> list[Check]:
    """P13: exactly the documented table, every access in a trail that shows when it is changed."""
    seen = evidence.access
    if seen is None:
        return [unproven(NO_TRIALS), *_live_trail(evidence)]
    wide, could = sorted(seen.table - spec.ACCESS), sorted(seen.could - spec.ACCESS)
    # A master key from outside (environment, systemd) cannot be rotated from here: that is no access refused.
    narrow = sorted(one for one in (spec.ACCESS & seen.tried) - seen.could if not one.endswith(" rotate"))
    return [
        check(
            not wide,
            f"Die Tabelle der Zugriffe ist die dokumentierte ({len(seen.table)} Einträge).",
            f"Die Tabelle der Zugriffe erlaubt mehr als dokumentiert: {', '.join(wide)}.",
        ),
        check(
            not could,
            f"{len(seen.tried)} Zugriffe in allen Rollen erprobt: was nicht erlaubt ist, gelang nicht.",
            f"Das gelang, obwohl es nicht erlaubt ist: {', '.join(could)}.",
        ),
        check(
            not seen.elsewhere,
            "Eine andere Abteilung sah das Anliegen nicht.",
            "Eine andere Abteilung konnte das Anliegen sehen.",
        ),
        check(
            seen.untold == 0,
            "Jeder Versuch steht im Zugriffsprotokoll.",
            f"{seen.untold} Zugriffe stehen nicht im Zugriffsprotokoll.",
        ),
        check(
            seen.trail_intact and seen.tampering_noticed,
            "Das Protokoll ist unversehrt, und eine Fälschung darin fiel auf.",
            "Das Protokoll ist nicht unversehrt, oder eine Fälschung darin fiel nicht auf.",
        ),
        check(
            not seen.open_pages,
            "Keine Seite für Mitarbeitende zeigt sich ohne Anmeldung.",
            f"Ohne Anmeldung zugänglich: {', '.join(seen.open_pages)}.",
        ),
        *([unproven(f"Zugesagt, aber nicht gelungen: {', '.join(narrow)}.")] if narrow else []),
        *_live_trail(evidence),
    ]  # fmt: skip


def _expiry(evidence: Evidence) -> list[Check]:
    seen = evidence.expiry
    if seen is None:
        return [unproven("Die Frist wurde nicht mit vorgestellter Uhr erprobt.")]
    if not seen.readable_before:
        return [unproven("Die Testaufzeichnung war schon vor ihrer Frist nicht lesbar.")]
    return [
        check(
            not seen.readable_after and not seen.listed_after,
            f"Mit einer um {seen.days} Tage vorgestellten Uhr war sie sofort nicht mehr lesbar.",
            f"Mit einer um {seen.days} Tage vorgestellten Uhr war sie noch lesbar.",
        ),
        check(
            not seen.key_left and not seen.row_left,
            "Nach der Löschung waren Schlüssel und Inhalt vernichtet.",
            "Nach der Löschung waren Schlüssel oder Inhalt noch da.",
        ),
    ]


def _sweep(evidence: Evidence) -> list[Check]:
    seen = evidence.sweep
    if seen is None:
        return [unproven("Die selbsttätige Löschung wurde nicht beobachtet.")]
    if seen.destroyed_at is None:
        return [check(well=False, kept="", broken="Eine fällige Aufzeichnung wurde nicht von selbst gelöscht.")]
    late = (seen.destroyed_at - seen.due_at).total_seconds()
    return [
        check(
            late <= 2 * seen.every_seconds + LATE_SECONDS,
            f"Eine fällige Aufzeichnung wurde von selbst gelöscht, {max(late, 0):.1f} s nach ihrer Frist.",
            f"Eine fällige Aufzeichnung wurde erst {late:.1f} s nach ihrer Frist gelöscht.",
        )
    ]


def _live_overdue(evidence: Evidence) -> list[Check]:
    live = _looked(evidence)
    if not isinstance(live, Store):
        return [] if live is None else [live]
    every = evidence.live_sweep_seconds
    return [
        check(
            live.late_seconds <= 2 * every + LATE_SECONDS,
            f"Im laufenden Speicher ist nichts überfällig ({live.records} Aufzeichnungen).",
            f"Im laufenden Speicher sind {live.overdue} Schlüssel überfällig, seit bis zu {live.late_seconds:.0f} s.",
        ),
        check(
            live.overlong == 0,
            "Keine Aufzeichnung im laufenden Speicher hat eine längere Frist als zugesagt.",
            f"Im laufenden Speicher haben {live.overlong} Aufzeichnungen eine längere Frist als zugesagt.",
        ),
        check(
            live.unpaired_keys == 0 and live.unpaired_rows == 0,
            "Im laufenden Speicher gehört jeder Schlüssel zu einem Satz und jeder Satz zu einem Schlüssel.",
            f"Im laufenden Speicher: {live.unpaired_keys} Schlüssel ohne Satz und {live.unpaired_rows} Sätze allein.",
        ),
    ]


def _live_trail(evidence: Evidence) -> list[Check]:
    live = _looked(evidence)
    if not isinstance(live, Store):
        return [] if live is None else [live]
    return [
        check(
            live.trail_intact,
            f"Das Protokoll des laufenden Speichers ist unversehrt ({live.trail_entries} Einträge).",
            f"Das Protokoll des laufenden Speichers ist nicht unversehrt ({live.trail_wrong}).",
        ),
        check(
            not live.open_files,
            "Die Dateien des laufenden Speichers kann nur ihr Besitzer lesen.",
            f"Auch andere können lesen: {', '.join(live.open_files)}.",
        ),
    ]


def _live_bases(evidence: Evidence) -> list[Check]:
    live = _looked(evidence)
    if not isinstance(live, Store):
        return [] if live is None else [live]
    without = sum(number for basis, number in live.bases.items() if not _lawful(basis))
    return [
        check(
            without == 0,
            f"Alle {live.records} Aufzeichnungen im laufenden Speicher tragen sie.",
            f"{without} Aufzeichnungen im laufenden Speicher tragen sie nicht.",
        )
    ]


def _live_purposes(evidence: Evidence) -> list[Check]:
    live = _looked(evidence)
    if not isinstance(live, Store):
        return [] if live is None else [live]
    return [_recorded_for(live.purposes, "im laufenden Speicher")]


def _records_for(evidence: Evidence) -> list[Check]:
    return [] if evidence.test_store is None else [_recorded_for(evidence.test_store.purposes, "aus den Testanrufen")]


def _recorded_for(purposes: Mapping[str, int], where: str) -> Check:
    strange = sorted({*purposes} - {"weiterleitung"})
    return check(
        not strange,
        f"Jede Aufzeichnung {where} wurde für die Weiterleitung gemacht ({sum(purposes.values())}).",
        f"Aufzeichnungen {where} wurden für anderes gemacht: {', '.join(strange)}.",
    )


def _looked(evidence: Evidence) -> Store | Check | None:
    """The live store; None when there is none yet; a check that says why it could not be looked at."""
    if not evidence.live_looked_at:
        return unproven("Der laufende Speicher wurde nicht angesehen.")
    live = evidence.live_store
    if live is not None and live.fault is not None:
        return unproven(f"Der laufende Speicher war nicht einzusehen ({live.fault}).")
    return live


def _record(evidence: Evidence) -> RecordLeft | None:
    call = evidence.calls.get("concern")
    return next((record for record in (call.records if call else None) or () if record.readable), None)


def _lawful(basis: str) -> bool:
    return all(part.search(basis) for part in spec.LAW)
