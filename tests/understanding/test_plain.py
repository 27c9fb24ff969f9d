"""The shipped model on what most callers say first: a plain sentence, or a single word."""

from __future__ import annotations

import pytest

from anruflotse import departments
from anruflotse.understanding import classifier, corpus
from anruflotse.understanding.policy import Policy
from anruflotse.understanding.seams import DecisionKind

PLAIN = """
krankengeld: Ich möchte gerne mein Krankengeld
krankengeld: Guten Morgen, ich rufe wegen dem Krankengeld an
krankengeld: Unser Kind ist krank und ich konnte nicht arbeiten
mitgliedschaft: Ich möchte bei Ihnen eintreten
mitgliedschaft: Ich will meine Krankenkasse kündigen
mitgliedschaft: Hallo, es geht um meine Kündigung
mitgliedschaft: Kündigen
mitgliedschaft: Ich bräuchte mal eine Bescheinigung von Ihnen
mitgliedschaft: Ich will meine Tochter mitversichern
beitraege: Ich wollte etwas zu meinem Beitrag fragen
beitraege: Ich habe da eine Mahnung von Ihnen
beitraege: Ich kann nicht zahlen
leistungen: Ich bekomme eine Brücke
leistungen: Rollator
leistungen: Ich will Physio machen
leistungen: Wer bezahlt mir die Fahrt zum Arzt?
leistungen: Ich möchte eine Rechnung abgeben
leistungen: Ich will befreit werden
stationaer: Kann ich eine Haushaltshilfe bekommen?
stationaer: Ich gehe nächste Woche ins Krankenhaus
stationaer: Ich möchte zur Kur
pflegekasse: Meine Oma braucht einen Pflegegrad
kundenservice: Karte
kundenservice: Ich finde meine Karte nicht mehr
kundenservice: Ich habe eine neue Anschrift
kundenservice: Ich hatte einen Anruf von Ihnen
digital: Ihre App funktioniert nicht
praevention: Ich möchte einen Gesundheitskurs machen
ausland: Ich brauche eine Auslandsversicherung
firmenkunden: Hier ist das Lohnbüro
recht: Ich will mich über Sie beschweren
recht: Löschen Sie meine Daten
""".strip().splitlines()

STRANGE = """
Ich möchte meine EC-Karte sperren
Ich will meinen Handyvertrag kündigen
Ich möchte meinen Internetvertrag kündigen
Wo bleibt der Bescheid vom Finanzamt?
Ich habe einen Strafzettel
Mein Chef hat mir gekündigt
""".strip().splitlines()


@pytest.fixture(scope="module")
def shipped() -> classifier.Fused:
    """The shipped model with the shipped catalogue and its keywords."""
    concerns = departments.load().concerns
    return classifier.load(
        None,
        {key: concern.department for key, concern in concerns.items()},
        {key: concern.keywords for key, concern in concerns.items()},
    )


@pytest.mark.parametrize("line", PLAIN)
def test_a_plain_sentence_is_routed_or_confirmed(shipped: classifier.Fused, line: str) -> None:
    department, text = line.split(": ", 1)
    decision = Policy().decide(text, shipped.rank(text))
    assert decision.kind in (DecisionKind.ROUTE, DecisionKind.CONFIRM)
    assert decision.concerns[0].department == department


@pytest.mark.parametrize("text", STRANGE)
def test_the_same_words_about_something_else_are_not_routed(shipped: classifier.Fused, text: str) -> None:
    assert Policy().decide(text, shipped.rank(text)).kind is DecisionKind.ASK_AGAIN


def test_none_of_these_was_learnt_from() -> None:
    learnt = {corpus.plain(line.text) for line in corpus.read(corpus.SHIPPED)}
    said = {corpus.plain(line.split(": ", 1)[1]) for line in PLAIN} | set(map(corpus.plain, STRANGE))
    assert not said & learnt
