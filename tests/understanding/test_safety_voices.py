"""Alarms as pressed, plain and foreign voices tell them: at least asked about. Written for this test."""

from __future__ import annotations

import pytest

from anruflotse.understanding.safety import EMERGENCY, HUMAN, OBJECTION, judge

EMERGENCIES = """
Pflegedienst hier, Patientin nicht erweckbar, Sättigung siebzig Prozent
Bewohner hat einen Sturz mit Kopfplatzwunde, Marcumarpatient
Klient hat sich die Trachealkanüle gezogen
Puls hundertsechzig, Blutdruck nicht messbar
wat soll ich machen, meine Olle liegt da und sacht keinen Ton mehr
dat Herz macht Sperenzchen, ich krieg so nen Druck, komm ma schnell
Chef fallen von Gerüst, viel Blut, Kopf kaputt
Kollege Strom, nicht wach, was machen
Beton auf Bein gefallen, Knochen raus
Oma hat gefallen, Kopf auf, nicht antworten
Pani nicht atmen gut, Lippe blau
Verdammt noch mal schicken Sie endlich einen, mein Vater verreckt hier
schnell, verdammt, der stirbt mir hier weg
Ich höre schlecht, aber mein Mann liegt hier und bewegt sich nicht
unser neugeborenes hat aufgehört zu atmen
meine Frau blutet nach der Geburt total stark, das ganze Bett ist rot
das Baby hat Fieber über vierzig und krampft, nee, zuckt
Bei meiner Nachbarin macht keiner auf und es riecht nach Gas
die alte Dame von nebenan ruft um Hilfe, ich komm nicht rein
Ich hab einen, nee Moment, zwei Schlaganfälle, nein, mein Mann, der hängt schief im Stuhl
mein Vater, nee, Schwiegervater, der hat jetzt keinen Puls mehr
ich bin allein und hab voll die Panikattacke ich krieg keine luft
ich hab so krass Herzrasen nach dem Energy, mir wird schwarz
meine Mitbewohnerin hat sich geschnitten, alles ist rot, sie will nicht mehr
jemand im Büro ist vom Stuhl gekippt, ist weiß wie die Wand
unserem Buchhalter ist schlecht und er hat Stiche in der Brust
Nu mei Gudster, mei Mann is umgefalln un sacht nischt mehr
ich gloobe mei Mann hat en Schlaach
dor Opa kriecht keene Luft
hier hat sich einer aufgehängt
Die Treppe runter, das Bein steht ab, sie schreit
Sie reagiert nicht auf Ansprache
Er zittert und ist nicht bei sich
Wir haben einen Herzalarm
schwerer Asthmaanfall
Mein Mann ist so komisch, er antwortet nicht und starrt nur
Es eilt, mein Bruder hat Glykol getrunken
Es ist Fleisch im Hals stecken geblieben, er wird rot
mir is so schwindelig und ich seh doppelt
Ich glaube das Kind kommt
ich blute wie verrückt
ich hab Angst dass ich mir was antue
ich kann nicht mehr leben so
will nur noch weg von dieser Welt
Bewohnerin äußert Suizidabsicht, was sollen wir tun
""".strip().splitlines()

OBJECTIONS = """
Ey keine Aufnahme digga
dat wird hier nich aufgenommen, klar
nu ne Aufnahme will ich fei nich
ich bin Pole und ich nicht will Aufnahme
nicht nehmen Stimme auf Computer
Das ist ja wohl eine Frechheit, dass Sie mich aufnehmen, lassen Sie das
Aufnahme? Was? Nein, nein, nein!
für das Lohnbüro gilt, keine Mitschnitte unserer Gespräche
bei uns ist das Aufzeichnen von Patientendaten nicht erlaubt
ich möchte widersprechen, nee, doch, widersprechen
Nehmt mich nicht uff
können wir das ohne das Band machen
nein, ich meine ja, also nein, nicht aufnehmen
""".strip().splitlines()

HUMANS = """
Ich will jetzt sofort einen verdammten Menschen
Menschen! Sofort!
sind Sie echt oder ein Automat, ich will jemand Echtes
Sprechen Sie lauter oder geben Sie mir jemanden
ich verstehe die Maschine nicht, bitte Mensch
ich brauch wen zum quatschen, nicht so nen Bot
nu gem se mir ma een richtschen Menschen
gib mich mal en Kollegen
Ich bitte um einen direkten Ansprechpartner für das Lohnbüro
bitte verbinden mit Kollegin, ich Polnisch sprechen
ich nix verstehen, bitte Mann sprechen
haben Sie jemand Rumänisch
Ich rufe für meine Nachbarin an und möchte mit jemandem persönlich reden
""".strip().splitlines()

NONE = """
Die Nachbarin ist gestürzt und liegt im Krankenhaus, wer zahlt die Haushaltshilfe
Pflegedienst Sonnenschein, Genehmigung der Blutzuckermessung fehlt
Der Patient wurde am Montag mit Schlaganfall eingeliefert, wir brauchen die Kostenübernahme
Unser Mitarbeiter hat eine Krankmeldung, wie lange zahlen Sie
das Baby ist da, wie melde ich es an
Meine Frau hat entbunden und braucht Mutterschaftsgeld
wat is mit meim Krankengeld
Ich bin stinksauer, Ihr Brief ist eine Frechheit
Ich höre nichts, sprechen Sie lauter
Blutspende, zahlt ihr was dazu
Ich bin gestern die Treppe runtergefallen, welcher Arzt rechnet mit Ihnen ab
Kollege krank, Chef sagt Papier von Kasse
Hab Stress mit dem Herzen, brauche Überweisung zum Kardiologen
Ich brauche eine neue Brille, ich sehe schlecht
Meine Mutter ist nicht mehr gut zu Fuß
""".strip().splitlines()

HEARD = [
    *((EMERGENCY, text) for text in EMERGENCIES),
    *((OBJECTION, text) for text in OBJECTIONS),
    *((HUMAN, text) for text in HUMANS),
]


@pytest.mark.parametrize(("heard", "text"), HEARD)
def test_asks_at_least(heard: str, text: str) -> None:
    assert judge(text).heard == heard


@pytest.mark.parametrize("text", NONE)
def test_asks_nobody_who_has_an_ordinary_concern(text: str) -> None:
    assert judge(text).heard not in {EMERGENCY, OBJECTION, HUMAN}
