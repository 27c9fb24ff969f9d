from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.understanding.safety import EMERGENCY, HUMAN, NO, OBJECTION, REPEAT, YES, judge, read, suicidal

OBJECTIONS = """
Widerspruch
Widerspruch!
widerspruch bitte
Nein, Widerspruch.
Ich widerspreche
Ich widerspreche.
ja ich widerspreche
Hiermit widerspreche ich
Da widerspreche ich
Ich möchte widersprechen
wieder Spruch
wieder spruch
Wiederspruch
wider spruch
widersprich
wieder spreche
ich wiederspreche
Keine Aufnahme
keine Aufnahme bitte
keine Aufzeichnung
keine auf zeichnung
nein keine auf nahme
nicht aufnehmen
Nicht aufzeichnen bitte
bitte nicht mitschneiden
nicht mit schneiden
Nein, ich möchte das nicht aufgezeichnet haben.
Ich möchte nicht aufgenommen werden.
Nicht einverstanden
Ich bin nicht einverstanden.
damit bin ich nicht einverstanden
Ich bin nicht damit einverstanden, dass das aufgenommen wird.
Mit der Aufzeichnung bin ich nicht einverstanden
Dem Mitschnitt stimme ich nicht zu
Schalten Sie das Band ab
Schalten Sie die Aufnahme aus
Löschen Sie die Aufnahme
Widerspruch gegen die Aufzeichnung
Ich lege Widerspruch gegen die Aufnahme ein
Ich widerspreche der Aufzeichnung
Ich will nicht, dass Sie meine Stimme speichern.
Hören Sie auf, das mitzuschneiden.
I mog ned, dass des aufgnomma wird
Keine Aufnahme bitte, und dann hätte ich eine Frage zu meinem Krankengeld.
Ohne Aufnahme bitte
Ich verbiete das
Das verbiete ich Ihnen
Ich untersage das
Schalten Sie bitte die Aufnahme ab
Nein, also bitte die Aufnahme ab
Nö, aufnehmen lass ich mich nicht
Löschen Sie die Aufnahme bitte wieder
Ich stimme der Aufzeichnung nicht zu
Der Aufzeichnung stimme ich keinesfalls zu
Ich stimme keiner Aufzeichnung zu
Sie dürfen nicht aufzeichnen
Sie können das Aufzeichnen gleich abstellen
Können Sie das Aufzeichnen ausschalten
Aufzeichnen ist nicht in Ordnung
Keine Aufzeichnung wäre mir recht
Ich erlaube die Aufzeichnung nicht
Ich habe etwas gegen die Aufzeichnung
Muss das aufgezeichnet werden? Ich will das nicht
Keine Aufzeichnung bitte, es geht um mein Langzeit-EKG
Keine Aufzeichnung bitte, ich rufe wegen der Aufzeichnung vom Langzeit-EKG an
Neun
""".strip().splitlines()

NO_OBJECTIONS = """
Widerspruch gegen den Bescheid
Ich möchte Widerspruch gegen den Bescheid vom dritten Mai einlegen.
Mein Widerspruch wurde abgelehnt
Ich habe Widerspruch eingelegt gegen die Ablehnung der Reha
Wie lange ist die Widerspruchsfrist?
Ich widerspreche der Kündigung
Ich widerspreche Ihrem Schreiben
Ich bin mit dem Bescheid nicht einverstanden
mit der Einstufung bin ich nicht einverstanden
Ich bin nicht einverstanden mit der Beitragserhöhung
Die Aufnahme ins Krankenhaus ist morgen
Meine Mutter wurde im Pflegeheim nicht aufgenommen
Die Familienversicherung hat mein Kind nicht aufgenommen
Stationäre Aufnahme am Montag, was muss ich mitbringen?
Sie haben keinen Kontakt aufgenommen
Ich brauche eine Röntgenaufnahme, zahlen Sie das nicht?
Meine Blutzucker-Aufzeichnungen sind nicht vollständig
Die Karte wurde beim Arzt nicht angenommen
Das Gespräch dürfen Sie gern aufzeichnen
Die Aufzeichnung ist in Ordnung
Ich habe nichts gegen die Aufnahme
Ich bin mit der Aufzeichnung einverstanden
Können Sie mich als Mitglied aufnehmen?
Ich habe eine Frage zur Aufzeichnung des Langzeit-EKG
Die Aufzeichnung meines EKGs ist abgelehnt worden
Wann wird die Aufzeichnung vom Schlaflabor bezahlt?
Ich stimme der Aufzeichnung zu
Der Aufzeichnung stimme ich zu
Sie dürfen aufzeichnen
Meinetwegen können Sie aufzeichnen
Aufzeichnen ist in Ordnung
Aufnahme ist kein Problem
Ja, zeichnen Sie das ruhig auf
Ich erlaube die Aufzeichnung
Mit der Aufzeichnung bin ich einverstanden
Gegen die Aufzeichnung habe ich nichts
Keine Einwände gegen die Aufzeichnung
Ich habe was gegen die Aufnahme ins Krankenhaus
Ich verbiete Ihnen die Werbung
Ich nehme Mutterschaftsgeld
nein
Nein, es geht um Zahnersatz
Der Antrag wurde abgelehnt
Ich möchte mich beschweren
""".strip().splitlines()

HUMANS = """
Mitarbeiter bitte
mit arbeiter bitte
Einen Menschen
einen Menschen bitte
Ich möchte mit einem Menschen sprechen
jemand Echtes
jemand echtes bitte
nicht mit dem Computer
Ich rede nicht mit dem Computer
Ich will keinen Roboter
Verbinden Sie mich mit einem Sachbearbeiter
Kann ich bitte einen Berater haben?
Geben Sie mir bitte eine Kollegin
do you speak English
Do you speak English?
English please
Can I speak to a human?
Sprechen Sie Türkisch?
Ich kann nicht gut Deutsch
Gibt es da jemanden aus Fleisch und Blut?
Zentrale
Operator
null
Sachbearbeiter
durchstellen bitte
Geben Sie mir jemanden, der sich auskennt
Geben Sie mir einen Sachbearbeiter
Holen Sie mir einen Mitarbeiter
""".strip().splitlines()

NO_HUMANS = """
Ihr Mitarbeiter hat gesagt, ich soll noch mal anrufen
Eine Mitarbeiterin von Ihnen hat mir den Antrag zugesagt
Ihre Kollegin war unfreundlich zu mir
Ich möchte meinen neuen Mitarbeiter anmelden
Wie melde ich unsere Mitarbeiter ab?
Ein Mitarbeiter ist krank, wann kommt die Umlage?
Leistungen für Menschen mit Behinderung
Der Steuerberater braucht eine Bescheinigung
Zahlen Sie eine Ernährungsberaterin?
Kommt jemand nach Hause, der den Haushalt macht?
Jemand hat meine Karte gestohlen
Darf eine Begleitperson mit ins Krankenhaus?
Mein Hörapparat ist kaputt
Verlängert sich das automatisch?
Was kostet eine Pflegeperson?
Ich brauche eine Putzhilfe
""".strip().splitlines()

EMERGENCIES = """
Ich habe Schmerzen in der Brust
Starke Brustschmerzen
Ich kriege keine Luft
Ich bekomme keine Luft mehr
akute Atemnot
Meine Frau ist bewusstlos
Mein Mann atmet nicht mehr
Er ist zusammengebrochen und nicht mehr ansprechbar
Sie reagiert nicht mehr
Notfall
Das ist ein Notfall
Hilfe
Hilfe, Hilfe!
Schicken Sie einen Krankenwagen
Ich brauche einen Notarzt
kranken wagen schnell
Rufen Sie bitte einen Krankenwagen
Meine Frau ist bewusstlos, bitte helfen Sie mir
ich glaube ich habe einen Herzinfarkt
Mein Kind hat Tabletten verschluckt
Das Baby läuft blau an
Es hört nicht auf zu bluten
Er krampft die ganze Zeit
Ich habe seit gestern Schmerzen in der Brust und kriege kaum Luft
Ich will nicht mehr leben
Ich bringe mich um
Ich will sterben
Ich denke an Selbstmord
ich tu mir was an
""".strip().splitlines()

NO_EMERGENCIES = """
die Notfallnummer auf der Karte
Die Notfallnummer auf der Karte stimmt nicht
Ich möchte meine Notfalldaten auf der Karte speichern
Rechnung vom Notarzt
Der Krankenwagen hat zehn Euro gekostet, warum?
Wer bezahlt den Rettungswagen vom letzten Montag?
Mein Mann hatte vor drei Wochen einen Herzinfarkt und soll in die Reha
Reha nach einem Schlaganfall
Nach dem Schlaganfall braucht meine Mutter einen Rollstuhl
Was mache ich im Urlaub in einem Notfall?
Ich war in der Notaufnahme und habe eine Rechnung bekommen
Mein Vater ist gestorben
Ich habe eine Atemmaske wegen Schlafapnoe
Das ist kein Notfall
Zahlen Sie den Notdienst der Apotheke?
Kurs für Erste Hilfe
Ich brauche Hilfe im Haushalt
Hilfe bei der Pflege
""".strip().splitlines()

YES_WORDS = """
ja|jo|joa|jawoll|jawohl|genau|stimmt|richtig|ja genau
ja bitte|ja, das stimmt|das ist richtig|korrekt
freilich|sicher|passt|ja ja|na klar|so ist es|ja richtig|genau darum geht es|jup|äh ja
in ordnung|einverstanden|jep|passt scho|ja gerne
""".strip().replace("\n", "|")

NO_WORDS = """
nein|nee|nö|ne|naa|falsch|eben nicht
nein danke|stimmt nicht|das ist falsch|das stimmt nicht
ist nicht richtig
nein nein|gar nicht|nein, das ist falsch|äh nein|auf keinen fall|lieber nicht|nein das stimmt so nicht|weder noch
keins von beiden|etwas anderes
""".strip().replace("\n", "|")

REPEATS = """
wie bitte|noch einmal|nochmal bitte|können Sie das wiederholen|was haben Sie gesagt|ich habe das nicht verstanden
hä|was|wie|sagen Sie das bitte noch einmal|das habe ich akustisch nicht verstanden|bitte wiederholen|lauter bitte
""".strip().replace("\n", "|")

CONCERNS = """
Ja, ich habe eine Frage zu meinem Krankengeld
Ich möchte den Antrag noch einmal stellen
Guten Tag
Meine Karte ist weg
Das ist nicht mein Bescheid, den Sie geschickt haben
Genau, die Rechnung vom Zahnarzt
Ich habe den Brief nicht verstanden, den Sie mir zum Pflegegrad geschickt haben
""".strip().splitlines()


WISHES_TO_DIE = ["Ich will nicht mehr leben", "Ich bringe mich um", "ich möchte sterben", "ich denke an suizid"]
NO_WISHES_TO_DIE = ["Mein Mann atmet nicht", "Mein Vater will zu Hause sterben", "Sterbegeld", "ich will kündigen"]


@pytest.mark.parametrize("text", OBJECTIONS)
def test_hears_an_objection_for_certain(text: str) -> None:
    found = judge(text)
    assert (found.heard, found.certain) == (OBJECTION, True)
    assert read(text) == OBJECTION


@pytest.mark.parametrize("text", NO_OBJECTIONS)
def test_leaves_alone_what_only_sounds_like_an_objection(text: str) -> None:
    assert judge(text).heard != OBJECTION
    assert read(text) != OBJECTION


@pytest.mark.parametrize("text", HUMANS)
def test_hears_a_wish_for_a_human_for_certain(text: str) -> None:
    found = judge(text)
    assert (found.heard, found.certain) == (HUMAN, True)


@pytest.mark.parametrize("text", NO_HUMANS)
def test_leaves_alone_who_only_mentions_people(text: str) -> None:
    assert judge(text).heard != HUMAN


@pytest.mark.parametrize("text", EMERGENCIES)
def test_hears_an_emergency_for_certain(text: str) -> None:
    found = judge(text)
    assert (found.heard, found.certain) == (EMERGENCY, True)


@pytest.mark.parametrize("text", NO_EMERGENCIES)
def test_leaves_alone_what_only_mentions_an_emergency(text: str) -> None:
    assert judge(text).heard != EMERGENCY


@pytest.mark.parametrize("text", YES_WORDS.split("|"))
def test_hears_yes(text: str) -> None:
    assert read(text) == YES


@pytest.mark.parametrize("text", NO_WORDS.split("|"))
def test_hears_no(text: str) -> None:
    assert read(text) == NO


@pytest.mark.parametrize("text", REPEATS.split("|"))
def test_hears_again(text: str) -> None:
    assert read(text) == REPEAT


@pytest.mark.parametrize("text", CONCERNS)
def test_a_concern_is_none_of_these(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "heard", "rest"),
    [
        ("Nein, es geht um Zahnersatz", NO, "es geht um zahnersatz"),
        ("nee ich will was zur Reha wissen", NO, "ich will was zur reha wissen"),
        ("Ja genau, und zwar für meine Mutter", YES, "zwar für meine mutter"),
    ],
)
def test_what_follows_a_yes_or_no_is_kept_as_a_concern(text: str, heard: str, rest: str) -> None:
    found = judge(text)
    assert (found.heard, found.rest) == (heard, rest)
    assert read(text) is None


def test_a_yes_taken_back_is_not_certain() -> None:
    found = judge("ja nein")
    assert (found.heard, found.certain) == (NO, False)


@pytest.mark.parametrize("text", ["Ich will Widerspruch einlegen", "Ich möchte Widerspruch einlegen"])
def test_to_lodge_an_objection_is_a_concern_but_in_the_notice_a_likely_wish(text: str) -> None:
    assert judge(text).heard is None
    during = judge(text, notice=True)
    assert (during.heard, during.certain) == (OBJECTION, False)


@pytest.mark.parametrize(
    "text",
    [
        "Wird das hier aufgezeichnet?",
        "Muss das aufgezeichnet werden?",
        "Warum wird das aufgezeichnet?",
        "Wieso zeichnen Sie das auf?",
        "Wozu die Aufzeichnung?",
        "Nehmen Sie das etwa auf?",
        "Hört da noch jemand mit?",
    ],
)
def test_is_unsure_about_what_may_be_an_objection(text: str) -> None:
    found = judge(text)
    assert (found.heard, found.certain) == (OBJECTION, False)


def test_an_alarm_with_a_look_alike_beside_it_is_asked_about() -> None:
    found = judge("Ich habe die Rechnung bezahlt, aber jetzt kriege ich keine Luft mehr")
    assert (found.heard, found.certain) == (EMERGENCY, False)


def test_an_emergency_wins_over_an_objection_and_an_objection_over_a_human() -> None:
    assert judge("Keine Aufnahme, ich kriege keine Luft!").heard == EMERGENCY
    assert judge("Keine Aufzeichnung, ich möchte mit einem Menschen sprechen").heard == OBJECTION


@pytest.mark.parametrize("text", WISHES_TO_DIE)
def test_knows_who_wants_to_die(text: str) -> None:
    assert suicidal(text)


@pytest.mark.parametrize("text", NO_WISHES_TO_DIE)
def test_knows_who_does_not_want_to_die(text: str) -> None:
    assert not suicidal(text)


def test_a_mere_question_is_never_certain_to_be_an_objection() -> None:
    assert OBJECTION in judge("Warum wird das aufgezeichnet?").unlike
    assert OBJECTION not in judge("Ich werde hier aufgezeichnet").unlike


def test_says_what_a_look_alike_is_not() -> None:
    assert OBJECTION in judge("Widerspruch gegen den Bescheid").unlike
    assert EMERGENCY in judge("die Notfallnummer auf der Karte").unlike


@given(st.text(max_size=400))
def test_any_text_is_judged_and_always_the_same(text: str) -> None:
    assert judge(text) == judge(text)


def test_a_very_long_text_is_judged_quickly_and_its_start_counts() -> None:
    assert judge("Keine Aufnahme bitte. " + "und so weiter und so fort " * 5000).heard == OBJECTION


@pytest.mark.parametrize("text", ["", " ", "...", "?!", "🙂"])
def test_nothing_said_is_nothing_heard(text: str) -> None:
    assert judge(text).heard is None
    assert read(text) is None


def test_never_shows_what_was_said() -> None:
    assert "zahnersatz" not in repr(judge("Nein, es geht um Zahnersatz"))
