"""The catalogue: what is shipped, where calls go, and what people are told about a file that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.departments import Action, Announcement, Catalogue, Target, load, shipped
from anruflotse.yamlshape import ShapeError

TUESDAY = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
NIGHT = datetime(2026, 3, 3, 23, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

FILE = """\
version: 1
bundesland: BE
oeffnungszeiten: {Mo-Fr: 8-18}
ueberlauf:
  - {ziel: "sip:ueberlauf@10.0.0.9", dienstleister: helfer}
mensch:
  ziele: ["sip:mensch@10.0.0.1", "sip:mensch@10.0.0.2"]
  oeffnungszeiten: {Mo-So: 7-20}
  notfall: ["sip:pforte@10.0.0.1"]
abteilungen:
  erste:
    name: "Erste"
    beschreibung: "Beiträge, Rentner"
    ziele: ["sip:1@10.0.0.1", {ziel: "sip:2@10.0.0.1;transport=tls", dienstleister: fremde}]
    geschlossen: {alternative: zweite}
  zweite:
    name: "Zweite"
    beschreibung: "Pflege"
    ziele: ["sip:3@10.0.0.1"]
    oeffnungszeiten: {Sa: 9-12}
    geschlossen: {alternative: dritte}
  dritte:
    name: "Dritte"
    beschreibung: "Alles"
    ziele: ["sips:4@haus.example:5061"]
    oeffnungszeiten: {So: 9-12}
    ueberlauf: ["sip:5@[::1]:5070"]
    bundesland: BY
  vierte:
    name: "Vierte"
    beschreibung: "Nachts"
    ziele: ["sip:6@10.0.0.1"]
    geschlossen: {alternative: mensch}
aktionen: {mensch: a, notfall: b, aufzeichnung_aus: c, nachfragen: d}
anliegen:
  geld: {abteilung: erste, name: "Rente", beschreibung: "ohne Beiträge zahlen", ansage: "Ihr Geld", stichworte: [Taler]}
  pflege: {abteilung: zweite, name: "Pflege", beschreibung: "Pflegegrad, Beiträge", ansage: "die Pflege"}
  mensch: {abteilung: mensch, aktion: mensch, name: "Mensch", beschreibung: "m", sonder: true}
  not: {abteilung: notfall, aktion: notfall, name: "Not", beschreibung: "n", sonder: true}
  aus: {abteilung: aufzeichnung_aus, aktion: aufzeichnung_aus, name: "Aus", beschreibung: "a", sonder: true}
  sonst: {abteilung: ausserhalb, aktion: nachfragen, name: "Sonst", beschreibung: "s", sonder: true}
"""


def everybody(_processor: str, _now: datetime) -> bool:
    return True


def uris(targets: tuple[Target, ...]) -> list[str]:
    return [target.uri for target in targets]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(FILE, permitted=everybody)


def test_shipped_catalogue_reaches_everybody_at_any_time() -> None:
    shipped_catalogue = load()
    for now in (TUESDAY, NIGHT, SUNDAY, datetime(2026, 12, 25, 3, 0, tzinfo=UTC)):
        for key in shipped_catalogue.departments:
            assert uris(shipped_catalogue.route(key, now).targets) == [f"sip:{key}@127.0.0.1:5090"]
        assert uris(shipped_catalogue.human(now).targets) == ["sip:mensch@127.0.0.1:5090"]
    assert shipped_catalogue.processors() == frozenset()


def test_shipped_catalogue_is_complete() -> None:
    shipped_catalogue = load()
    assert len(shipped_catalogue.departments) == 12
    ordinary = [concern for concern in shipped_catalogue.concerns.values() if concern.action is None]
    assert len(ordinary) == 27
    assert {concern.department for concern in ordinary} == set(shipped_catalogue.departments)
    assert all(concern.spoken and concern.keywords for concern in ordinary)
    special = {c.key: (c.department, c.action) for c in shipped_catalogue.concerns.values() if c.action is not None}
    assert special == {
        "mitarbeiter": ("mensch", Action.HUMAN),
        "notfall": ("notfall", Action.EMERGENCY),
        "aufzeichnung": ("aufzeichnung_aus", Action.OBJECTION),
        "ausserhalb": ("ausserhalb", Action.ASK_AGAIN),
    }


def test_a_copy_of_the_shipped_file_can_be_edited(tmp_path: Path) -> None:
    file = tmp_path / "abteilungen.yaml"
    file.write_text(shipped().replace("oeffnungszeiten: immer", "oeffnungszeiten: {Mo-Fr: 9-17}"), encoding="utf-8")
    edited = load(file)
    assert not edited.route("pflegekasse", NIGHT).open
    assert edited.route("pflegekasse", TUESDAY).open
    assert edited.hours_text("mensch") == "Montag bis Freitag von neun bis siebzehn Uhr"


def test_open_department_then_overflow(catalogue: Catalogue) -> None:
    route = catalogue.route("erste", TUESDAY)
    assert route.open
    assert uris(route.targets) == ["sip:1@10.0.0.1", "sip:2@10.0.0.1;transport=tls", "sip:ueberlauf@10.0.0.9"]
    assert (route.alternative, route.announcement, route.skipped) == (None, None, ())


def test_closed_department_goes_to_the_first_alternative_that_is_open(catalogue: Catalogue) -> None:
    route = catalogue.route("erste", SUNDAY)
    assert not route.open
    assert route.alternative == "dritte"
    assert route.announcement is Announcement.CLOSED_INSTEAD
    assert uris(route.targets) == ["sips:4@haus.example:5061", "sip:5@[::1]:5070"]


def test_closed_department_without_open_alternative_only_announces(catalogue: Catalogue) -> None:
    route = catalogue.route("erste", NIGHT)
    assert (route.open, route.targets, route.alternative) == (False, (), None)
    assert route.announcement is Announcement.CLOSED


def test_alternative_can_be_a_person(catalogue: Catalogue) -> None:
    route = catalogue.route("vierte", SUNDAY)
    assert (route.open, route.alternative, route.announcement) == (False, "mensch", Announcement.CLOSED_INSTEAD)
    assert uris(route.targets) == uris(catalogue.human(SUNDAY).targets)


def test_holiday_of_the_departments_own_state() -> None:
    bavarian = FILE.replace("    oeffnungszeiten: {So: 9-12}\n", "    oeffnungszeiten: {Do: 9-18}\n")
    corpus_christi = datetime(2026, 6, 4, 9, 0, tzinfo=UTC)
    found = load(bavarian)
    assert found.route("erste", corpus_christi).open
    assert not found.route("dritte", corpus_christi).open


def test_federal_state_from_the_settings_holds_where_the_file_names_none() -> None:
    text = FILE.replace("bundesland: BE\n", "")
    corpus_christi = datetime(2026, 6, 4, 9, 0, tzinfo=UTC)
    assert load(text, federal_state="BE").route("erste", corpus_christi).open
    assert not load(text, federal_state="NW").route("erste", corpus_christi).open


def test_person_in_and_out_of_hours(catalogue: Catalogue) -> None:
    day, night = catalogue.human(TUESDAY), catalogue.human(NIGHT)
    assert (day.open, uris(day.targets)) == (
        True,
        ["sip:mensch@10.0.0.1", "sip:mensch@10.0.0.2", "sip:pforte@10.0.0.1"],
    )
    assert (night.open, uris(night.targets), night.announcement) == (False, ["sip:pforte@10.0.0.1"], None)


def test_nobody_there_is_announced() -> None:
    route = load(FILE.replace('  notfall: ["sip:pforte@10.0.0.1"]\n', "")).human(NIGHT)
    assert (route.targets, route.announcement) == ((), Announcement.NOBODY)


def test_targets_of_processors_are_skipped_until_permitted() -> None:
    asked: list[tuple[str, datetime]] = []

    def only_helpers(processor: str, now: datetime) -> bool:
        asked.append((processor, now))
        return processor == "helfer"

    route = load(FILE, permitted=only_helpers).route("erste", TUESDAY)
    assert uris(route.targets) == ["sip:1@10.0.0.1", "sip:ueberlauf@10.0.0.9"]
    assert uris(route.skipped) == ["sip:2@10.0.0.1;transport=tls"]
    assert asked == [("fremde", TUESDAY), ("helfer", TUESDAY)]


def test_no_processor_is_permitted_by_default() -> None:
    assert uris(load(FILE).route("erste", TUESDAY).targets) == ["sip:1@10.0.0.1"]


def test_a_department_left_without_usable_target_counts_as_closed() -> None:
    text = FILE.replace('ziele: ["sip:6@10.0.0.1"]', 'ziele: [{ziel: "sip:6@10.0.0.1", dienstleister: fremde}]')
    route = load(text).route("vierte", TUESDAY)
    assert (route.open, route.alternative, route.announcement) == (False, "mensch", Announcement.CLOSED_INSTEAD)
    assert uris(route.skipped) == ["sip:6@10.0.0.1", "sip:ueberlauf@10.0.0.9"]


def test_targets_skipped_on_the_way_through_alternatives_are_told() -> None:
    overflow = 'ueberlauf: [{ziel: "sip:5@[::1]:5070", dienstleister: fremde}]'
    route = load(FILE.replace('ueberlauf: ["sip:5@[::1]:5070"]', overflow)).route("erste", SUNDAY)
    assert (route.alternative, uris(route.targets)) == ("dritte", ["sips:4@haus.example:5061"])
    assert uris(route.skipped) == ["sip:5@[::1]:5070"]


def test_processors_named(catalogue: Catalogue) -> None:
    assert catalogue.processors() == {"helfer", "fremde"}


def test_unknown_department_is_a_key_error(catalogue: Catalogue) -> None:
    with pytest.raises(KeyError):
        catalogue.route("fünfte", TUESDAY)


@given(st.integers(0, 60 * 24 * 366 * 2), st.sampled_from(["erste", "zweite", "dritte", "vierte"]))
def test_a_route_always_has_targets_or_an_announcement(minutes: int, key: str) -> None:
    found = WITHOUT_PROCESSORS
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    route = found.route(key, now)
    assert route.targets or route.announcement is not None
    assert route.open == (route.announcement is None)
    assert (route.alternative is not None) == (route.announcement is Announcement.CLOSED_INSTEAD)
    assert all(target.processor is None for target in route.targets)
    person = found.human(now)
    assert person.targets or person.announcement is Announcement.NOBODY


WITHOUT_PROCESSORS = load(FILE)


def test_vocabulary_is_fair_to_every_concern(catalogue: Catalogue) -> None:
    assert catalogue.vocabulary() == ("Rente", "Pflege", "Taler", "Pflegegrad", "Beiträge", "zahlen")


def test_shipped_vocabulary() -> None:
    words = load().vocabulary()
    assert len(words) > 250
    assert len({word.casefold() for word in words}) == len(words)
    first = set(words[:27])
    assert {"Krankengeld", "Hilfsmittel", "Pflege", "Gesundheitskarte", "Widerspruch"} <= first
    assert {"eAU", "ePA", "EHIC", "DMP", "E-Rezept"} <= set(words)
    assert not {"und", "die", "ohne"} & set(words)


WRONG: list[tuple[str, str, int, int, str]] = [
    ("version: 1", "version: 2", 1, 10, "from 1 to 1"),
    ("bundesland: BE", "bundesland: Berlin", 2, 13, "`Berlin` is not known"),
    ("bundesland: BE", "bundeslnad: BE", 2, 1, "Did you mean `bundesland`?"),
    ("{Mo-Fr: 8-18}", "{Mo-Fr: 8-18, Fr: 17-19}", 3, 36, "overlap"),
    ('{ziel: "sip:ueberlauf@10.0.0.9", dienstleister: helfer}', '{ziel: "sip:u@10.0.0.9"}', 5, 5, "`dienstleister`"),
    ("sip:ueberlauf@10.0.0.9", "tel:+4930123456", 5, 12, "does not begin with `sip:`"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@10.0.0.9:70000", 5, 12, "port 70000"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@10.0.0.9:0", 5, 12, "port 0"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@10.0.0.999", 5, 12, "not a SIP address"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@[::g]", 5, 12, "not a SIP address"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@-haus.example", 5, 12, "not a SIP address"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@haus..example", 5, 12, "not a SIP address"),
    ("sip:ueberlauf@10.0.0.9", "sip:u u@10.0.0.9", 5, 12, "not a SIP address"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@10.0.0.9>;x=<y", 5, 12, "not a SIP address"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@10.0.0.9\\r\\nVia: x", 5, 12, "not a SIP address"),
    ("sip:ueberlauf@10.0.0.9", "sip:u@10.0.0.9?Subject=x", 5, 12, "Headers"),
    ("sip:ueberlauf@10.0.0.9", "sip:u:geheim@10.0.0.9", 5, 12, "password"),
    ('["sip:mensch@10.0.0.1", "sip:mensch@10.0.0.2"]', "[]", 7, 10, "at least one target"),
    ('["sip:mensch@10.0.0.1", "sip:mensch@10.0.0.2"]', "sip:mensch@10.0.0.1", 7, 10, "expected a list"),
    ('"sip:mensch@10.0.0.2"]', '"sip:mensch@10.0.0.1"]', 7, 34, "stands twice"),
    ('  ziele: ["sip:mensch@10.0.0.1", "sip:mensch@10.0.0.2"]\n', "", 7, 3, "`ziele` is missing"),
    ("{Mo-So: 7-20}", "{Mo-So: 7-20, Feiertag: 7-20}", 8, 34, "`Feiertag` is not a day"),
    ("  erste:", "  Erste:", 11, 3, "cannot be a key"),
    ("  vierte:", "  notfall:", 29, 3, "special class"),
    ('    name: "Erste"\n', "", 12, 5, "`name` is missing"),
    ('    name: "Erste"', '    name: ""', 12, 11, "nothing between the quotes"),
    ("{alternative: zweite}", "{alternative: zweitte}", 15, 32, "Did you mean `zweite`?"),
    ("{alternative: zweite}", "{alternative: erste}", 15, 32, "circle: erste → erste"),
    ("{alternative: dritte}", "{alternative: erste}", 15, 32, "circle: erste → zweite → erste"),
    ("{alternative: dritte}", "{ansage: zu}", 21, 19, "unknown key `ansage`"),
    ("    bundesland: BY", "    bundesland: by", 28, 17, "`by` is not known"),
    ("nachfragen: d}", "nachfrage: d}", 34, 56, "Did you mean `nachfragen`?"),
    ("{abteilung: erste,", "{abteilung: ertse,", 36, 21, "Did you mean `erste`?"),
    (', ansage: "die Pflege"}', "}", 37, 11, "`ansage` is missing"),
    ("stichworte: [Taler]", "stichworte: Taler", 36, 113, "expected a list"),
    ("aktion: mensch, ", "", 38, 11, "belong together"),
    ('beschreibung: "n", sonder: true', 'beschreibung: "n"', 39, 8, "belong together"),
    ("{abteilung: notfall,", "{abteilung: erste,", 39, 20, "Allowed: `notfall`"),
    ("aktion: nachfragen", "aktion: auflegen", 41, 42, "`auflegen` is not known"),
    ("  sonst:", "  aus:", 41, 3, "stands twice; the first one is on line 40"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "column", "told"), WRONG)
def test_complaints(right: str, wrong: str, line: int, column: int, told: str) -> None:
    assert right in FILE
    with pytest.raises(ShapeError) as caught:
        load(FILE.replace(right, wrong, 1))
    assert told in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


def test_every_action_needs_a_concern() -> None:
    without = "".join(line for line in FILE.splitlines(keepends=True) if not line.startswith("  aus:"))
    with pytest.raises(ShapeError, match="line 35, column 1: anliegen: no concern has the action `aufzeichnung_aus`"):
        load(without)


def test_processors_must_be_in_the_register_when_it_is_given() -> None:
    with pytest.raises(ShapeError, match=r"line 14, column \d+: .*`fremde` is not known\. Allowed: `helfer`"):
        load(FILE, processors=["helfer"])
    assert load(FILE, processors=["helfer", "fremde"]).departments


@pytest.mark.parametrize(
    "uri",
    ["sip:10.0.0.1", "sips:a@b.example", "sip:+4930123@trunk.example;transport=tcp", "sip:a%20b@[2001:db8::1]:5060"],
)
def test_good_addresses(uri: str) -> None:
    found = load(FILE.replace("sip:ueberlauf@10.0.0.9", uri), permitted=everybody)
    assert found.route("erste", TUESDAY).targets[-1] == Target(uri, "helfer")
