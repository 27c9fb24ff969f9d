"""The promises about processors, rights, the contact and the notice itself (P14-P17)."""

from __future__ import annotations

from anruflotse.verification import spec
from anruflotse.verification.evidence import Evidence, Page, Published
from anruflotse.verification.judging.checks import Check, check, unproven

HEARD = 0.8
OK = 200
PRIVACY = "datenschutz"
"""The concern whose callers hear the contact."""
ARTICLES = (15, 16, 17, 18, 19, 20, 21)


def processors_agreed(evidence: Evidence) -> list[Check]:
    """P14: a processor is given only what an agreement in force covers, and the notice says which those are."""
    seen = evidence.agreements
    if seen is None:
        return [unproven("Das Verzeichnis der Auftragsverarbeiter wurde nicht angesehen.")]
    checks = []
    for one in seen.processors:
        too_much = sorted(one.given - one.covered)
        checks.append(
            check(
                not too_much,
                f"{one.name}: bekommt {', '.join(sorted(one.given)) or 'nichts'}; vereinbart ist "
                f"{', '.join(sorted(one.covered)) or 'nichts'}.",
                f"{one.name}: bekäme {', '.join(too_much)} ohne Vereinbarung.",
            )
        )
    checks.append(
        check(
            not seen.unagreed_targets,
            "Kein Anruf kann zurzeit zu einem Dienstleister ohne Vereinbarung gelangen.",
            f"Anrufe könnten ohne Vereinbarung gelangen zu: {', '.join(seen.unagreed_targets)}.",
        )
    )
    if seen.probed is None or not evidence.calls:
        checks.append(unproven("Es stand kein Dienst ohne Vereinbarung bereit, um ihn in den Testanrufen zu erproben."))
    else:
        checks.append(
            check(
                seen.received == 0,
                f"In den Testanrufen stand ein Dienst von „{seen.probed}“ ohne Vereinbarung bereit; er bekam nichts.",
                f"Ein Dienst von „{seen.probed}“ bekam ohne Vereinbarung {seen.received} Äußerungen.",
            )
        )
    agreed = {one.key for one in seen.processors if one.covered}
    given = {name for call in evidence.calls.values() for one in call.records or () for name in one.processors}
    checks.append(
        check(
            given <= agreed,
            "Die Testaufzeichnungen nennen keinen Empfänger ohne Vereinbarung.",
            f"Testaufzeichnungen nennen Empfänger ohne Vereinbarung: {', '.join(sorted(given - agreed))}.",
        )
    )
    return [*checks, *_named(evidence)]


def rights_served(evidence: Evidence) -> list[Check]:
    """P15: each right of Art. 15-21 was exercised on the test record and worked."""
    checks = []
    for article in ARTICLES:
        seen = [one for one in evidence.rights if one.article == article]
        if not seen:
            checks.append(unproven(f"Art. {article} DSGVO wurde nicht erprobt."))
        checks += [
            check(one.worked, f"Art. {article} DSGVO: {one.seen}", f"Art. {article} DSGVO: {one.seen}") for one in seen
        ]
    return checks


def contact_named(evidence: Evidence) -> list[Check]:
    """P16: the data protection officer is named in the notice, and spoken to who asks."""
    wording = evidence.wording
    if wording is None:
        return [unproven("Die Angaben zum Datenschutzkontakt wurden nicht angesehen.")]
    checks = [
        check(
            bool(wording.contact_written),
            f"Eingetragen ist: {wording.contact_written}.",
            "Es ist kein Datenschutzkontakt eingetragen.",
        )
    ]
    # A page that is not served is P17's.
    served = [page for page in _pages(evidence) if page.status == OK]
    checks += [
        check(
            bool(wording.contact_written) and _plain(wording.contact_written) in page.text,
            f"Der Hinweis unter {page.url} nennt ihn.",
            f"Der Hinweis unter {page.url} nennt ihn nicht.",
        )
        for page in served
    ]
    if not served:
        checks.append(unproven("Der veröffentlichte Hinweis war nicht abzurufen."))
    checks.append(
        check(
            bool(wording.contact_spoken) and wording.contact_spoken in wording.contact_prompt
            if wording.contact_prompt
            else None,
            "Die Ansage für Fragen zum Datenschutz nennt ihn.",
            "Die Ansage für Fragen zum Datenschutz nennt ihn nicht.",
        )
    )
    call = evidence.calls.get("privacy")
    if call is None or call.fault is not None:
        checks.append(unproven("Der Testanruf mit der Frage nach dem Datenschutz kam nicht zu Ende."))
    elif call.contact.share < HEARD and PRIVACY not in {record.concern for record in call.records or ()}:
        checks.append(unproven("Die Frage nach dem Datenschutz wurde im Testanruf anders verstanden."))
    else:
        checks.append(
            check(
                call.contact.share >= HEARD,
                f"Auf die Frage danach war er im Testanruf zu hören ({call.contact.share:.0%}).",
                f"Auf die Frage danach war er im Testanruf nicht zu hören ({call.contact.share:.0%}).",
            )
        )
    return checks


def published(evidence: Evidence) -> list[Check]:
    """P17: the notice is public, word for word what was promised, and rendered from these settings."""
    seen = evidence.published
    if seen is None or seen.test is None:
        return [unproven("Der veröffentlichte Hinweis wurde nicht abgerufen.")]
    checks = [_as_promised(seen), *_facts(evidence, seen)]
    for page in _pages(evidence):
        checks += _page(page, seen)
    ready = seen.live_ready
    if seen.live is not None and ready is not None:
        down = sorted(name for name, well in ready.items() if not well)
        checks.append(
            check(
                "processors" not in down,
                f"Ein Dienst läuft mit diesen Einstellungen{f' (gestört: {down})' if down else ''}.",
                "Der laufende Dienst kann das Verzeichnis der Auftragsverarbeiter nicht lesen.",
            )
        )
    heard = {one.notice_version for call in evidence.calls.values() for one in call.records or () if one.readable}
    checks.append(
        check(
            heard == {seen.version} if heard else None,
            f"Jede Testaufzeichnung nennt die Fassung, die ihre Person hörte ({seen.version}).",
            f"Testaufzeichnungen nennen andere Fassungen: {', '.join(sorted(heard - {seen.version})) or 'keine'}.",
        )
    )
    return checks


def _as_promised(seen: Published) -> Check:
    missing = [one for one in spec.SENTENCES if not any(spec.says(text, one) for text in seen.expected)]
    known = (*spec.SENTENCES, *spec.FURTHER)
    foreign = [text for text in seen.expected if not any(spec.says(text, one) for one in known)]
    told = [f"es fehlt: „{one}“" for one in missing] + [f"es steht zusätzlich: „{one}“" for one in foreign]
    return check(
        not missing and not foreign,
        f"Alle {len(spec.SENTENCES)} Sätze des Hinweises stehen wörtlich da.",
        f"Der Hinweis ist nicht der zugesagte: {'; '.join(told)}",
    )


def _facts(evidence: Evidence, seen: Published) -> list[Check]:
    """That the text names the settings by which the software acts."""
    wording = evidence.wording
    if wording is None:
        return [unproven("Die Einstellungen, von denen der Hinweis spricht, wurden nicht angesehen.")]
    text = " ".join(seen.expected)
    days = "einen Tag" if wording.days == 1 else f"{wording.days} Tage"
    wanted = {
        f"die Frist ({days})": f"werden {days} gespeichert" in text,
        f"die Taste ({wording.objection_key})": f"die Taste {wording.objection_key} " in text,
    }
    wrong = [name for name, well in wanted.items() if not well]
    return [
        check(
            not wrong,
            "Der Hinweis nennt, was eingestellt ist: " + ", ".join(wanted) + ".",
            f"Der Hinweis nennt etwas anderes, als eingestellt ist: {', '.join(wrong)}.",
        )
    ]


def _page(page: Page, seen: Published) -> list[Check]:
    if page.status != OK:
        return [
            check(well=False, kept="", broken=f"{page.url} wird nicht ausgeliefert (Status {page.status or 'keiner'}).")
        ]
    rest = page.text
    missing = []
    for sentence in seen.expected:
        if _plain(sentence) not in rest:
            missing.append(sentence)
        rest = rest.replace(_plain(sentence), "", 1)
    rest = " ".join(rest.split())
    wrong = [f"es fehlt: „{one}“" for one in missing] + ([f"es steht zusätzlich: „{rest[:200]}“"] if rest else [])
    built = page.language == "de" and page.to_top and page.scripts == 0
    return [
        check(
            not wrong and page.version == seen.version,
            f"{page.url} zeigt genau diese Sätze, Fassung {page.version}.",
            f"{page.url} zeigt etwas anderes (Fassung {page.version or 'keine'}): {'; '.join(wrong) or 'die Fassung'}",
        ),
        check(
            built,
            f"{page.url}: Sprache Deutsch, „nach oben“, ohne Skripte.",
            f"{page.url}: Sprache „{page.language}“, {'mit' if page.to_top else 'ohne'} „nach oben“, "
            f"{page.scripts} Skripte.",
        ),
    ]


def _named(evidence: Evidence) -> list[Check]:
    """That the notice claims an agreement for those processors that have one, and for no other."""
    seen, notice = evidence.agreements, evidence.published
    if seen is None or notice is None:
        return [unproven("Ob der Hinweis die Dienstleister richtig nennt, wurde nicht angesehen.")]
    claiming = " ".join(text for text in notice.expected if "eine Vereinbarung zur Verarbeitung im Auftrag" in text)
    wrong = [one.name for one in seen.processors if (one.name in claiming) != bool(one.covered)]
    return [
        check(
            not wrong,
            "Der Hinweis nennt genau die Dienstleister, mit denen eine Vereinbarung gilt.",
            f"Der Hinweis sagt über diese Dienstleister nicht die Wahrheit: {', '.join(wrong)}.",
        )
    ]


def _pages(evidence: Evidence) -> list[Page]:
    seen = evidence.published
    return [] if seen is None else [page for page in (seen.test, seen.live) if page is not None]


def _plain(text: str) -> str:
    return " ".join(text.split())
