"""Who may see what for which purpose, on a real store; every access and every refusal is in the trail."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.records.access import NAME_LENGTH, Accessor, Kind, Role, allowed, purposes
from anruflotse.records.model import AccessRefusedError, DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from tests.records.conftest import OFFICER, MakeDraft

STATEMENT = "Ich warte auf mein Krankengeld."

# Written down a second time on purpose, as a person would read it out of the notice; everything else is refused.
MAY = {
    ("sprachverarbeitung", "weiterleitung"): {"list", "text", "audio", "find_reference"},
    ("fachabteilung", "weiterleitung"): {"concern"},
    ("datenschutz", "betroffenenrechte"): {
        "list", "text", "audio", "number", "find_reference", "find_number", "find_window", "trail", "restrict",
        "rectify", "object", "case", "destroy",
    },
    ("datenschutz", "datenschutzkontrolle"): {
        "list", "text", "find_reference", "find_window", "statistics", "trail",
    },
    ("leitung", "statistik"): {"statistics"},
    ("technik", "betrieb"): {"statistics", "rotate"},
}  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """Somebody who wants something of the record `one`, whose reference is `reference`."""

    store: Records
    one: str
    reference: str
    who: Accessor
    purpose: str


DAY = (datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
"""Around what the clock of the tests says."""
TRIES: dict[Kind, Callable[[Attempt], object]] = {
    Kind.LIST: lambda its: its.store.list(its.who, its.purpose),
    Kind.TEXT: lambda its: its.store.open(its.one, its.who, its.purpose),
    Kind.AUDIO: lambda its: its.store.open(its.one, its.who, its.purpose, audio=True),
    Kind.CONCERN: lambda its: its.store.concern(its.reference, its.who, its.purpose),
    Kind.FIND_REFERENCE: lambda its: its.store.find_reference(its.reference, its.who, its.purpose),
    Kind.FIND_NUMBER: lambda its: its.store.find_caller("030 123456", its.who, its.purpose),
    Kind.FIND_WINDOW: lambda its: its.store.find_window(*DAY, its.who, its.purpose),
    Kind.STATISTICS: lambda its: its.store.statistics(its.who, its.purpose),
    Kind.TRAIL: lambda its: its.store.trail(its.who, its.purpose),
}
"""Every kind of read that has a method of its own; the number comes with the text."""


def anna(role: Role) -> Accessor:
    return Accessor("Anna Amt", role, frozenset({"krankengeld"}))


def entries(store: Records) -> list[tuple[str, str, str, str, str, str]]:
    """The trail, without our own looks at it."""
    told = store.trail(Accessor("Revision", Role.PRIVACY), Purpose.SUPERVISION)
    return [
        (one.entry.accessor, one.entry.role, one.entry.purpose, one.entry.act, one.entry.subject, one.entry.result)
        for one in told
        if one.entry.accessor != "Revision"
    ]


def test_every_role_for_every_purpose_gets_just_what_the_notice_says(store: Records, make_draft: MakeDraft) -> None:
    draft = make_draft(department="krankengeld", caller="+49 30 123456")
    one = store.seal(draft)
    for role, purpose, kind in itertools.product(Role, Purpose, TRIES):
        before = len(entries(store))
        attempt = f"{role} {purpose} {kind}"
        if kind in MAY.get((role, purpose), set()):
            seen = TRIES[kind](Attempt(store, one, draft.reference, anna(role), purpose))
            if kind in {Kind.TEXT, Kind.AUDIO, Kind.CONCERN}:
                assert STATEMENT in repr(getattr(seen, "transcripts", "")), attempt
            else:
                assert STATEMENT not in repr(seen), attempt
            result = "granted"
        else:
            with pytest.raises(AccessRefusedError, match=f"role {role} may not do this for the purpose {purpose}"):
                TRIES[kind](Attempt(store, one, draft.reference, anna(role), purpose))
            result = "refused_role"
        (last,) = entries(store)[before:]
        assert last[:4] == ("Anna Amt", role, purpose, kind), attempt
        assert last[5] == result, attempt


def test_the_number_is_shown_to_nobody_but_who_may_see_it(store: Records, make_draft: MakeDraft) -> None:
    one = store.seal(make_draft(caller="+49 30 123456"))
    for (role, purpose), kinds in MAY.items():
        if "text" in kinds:
            record = store.open(one, anna(Role(role)), purpose)
            assert record.caller == ("+49 30 123456" if "number" in kinds else None)


def test_the_table_is_the_one_written_down_here() -> None:
    for role, purpose, kind in itertools.product(Role, Purpose, Kind):
        assert allowed(role, purpose, kind) == (kind in MAY.get((role, purpose), set()))
    assert purposes(Role.PRIVACY) == (Purpose.RIGHTS, Purpose.SUPERVISION)


@pytest.mark.parametrize(("role", "purpose"), [*itertools.product(Role, Purpose)])
def test_changing_is_for_rights_handling_only(
    store: Records, make_draft: MakeDraft, role: Role, purpose: Purpose
) -> None:
    one = store.seal(make_draft())
    if purpose is not Purpose.RIGHTS:
        return  # these acts state their purpose themselves
    for act in (
        lambda: store.restrict(one, anna(role), Ground.CONTESTED),
        lambda: store.lift(one, anna(role)),
        lambda: store.rectify(one, anna(role), 0, "Ich warte auf mein Kinderkrankengeld."),
        lambda: store.object_number("030 123456", anna(role), until=DAY[1]),
        lambda: store.withdraw_objection("030 123456", anna(role)),
        lambda: store.case(store.file_case({}, anna(role), expires_at=DAY[1]), anna(role)),
        lambda: store.cases(anna(role)),
        lambda: store.recipients(one, anna(role)),
        lambda: store.destroy(one, DestroyReason.ERASED, anna(role)),
    ):
        if role is Role.PRIVACY:
            act()
        else:
            with pytest.raises(AccessRefusedError):
                act()
    if role is Role.PRIVACY:
        told = [(entry[3], entry[4], entry[5]) for entry in entries(store)]
        case = told[5][1]
        assert told == [
            ("restrict", one, "restricted"),
            ("restrict", one, "lifted"),
            ("rectify", one, "rectified"),
            ("object", "-", "objected"),
            ("object", "-", "withdrawn"),
            ("case", case, "filed"),
            ("case", case, "granted"),
            ("case", "-", "listed"),
            ("trail", one, "granted"),
            ("destroy", one, "granted"),
        ]
    else:
        assert [entry[5] for entry in entries(store)] == ["refused_role"] * 9
        assert store.open(one, OFFICER, Purpose.RIGHTS).transcripts


@pytest.mark.parametrize("purpose", ["training", "", "Weiterleitung", "marketing"])
def test_purposes_that_are_not_on_the_list_are_refused(store: Records, make_draft: MakeDraft, purpose: str) -> None:
    one = store.seal(make_draft())
    for kind, attempt in TRIES.items():
        with pytest.raises(AccessRefusedError, match=r"not on the list\. Purposes are: weiterleitung, "):
            attempt(Attempt(store, one, "ab" * 16, anna(Role.PRIVACY), purpose))
        assert entries(store)[-1][2:4] == ("-", kind)
        assert entries(store)[-1][5] == "refused_purpose"


class TestDepartments:
    def test_their_own_calls_only(self, store: Records, make_draft: MakeDraft) -> None:
        draft = make_draft(department="pflegekasse")
        one = store.seal(draft)
        carer = Accessor("Paul", Role.DEPARTMENT, frozenset({"pflegekasse", "stationaer"}))
        seen = store.concern(draft.reference, carer)
        assert (seen.concern, seen.department, seen.transcripts) == (draft.concern, "pflegekasse", (STATEMENT,))
        assert "123456" not in repr(seen)
        for other in (frozenset({"krankengeld"}), frozenset[str]()):
            with pytest.raises(AccessRefusedError, match="another department"):
                store.concern(draft.reference, Accessor("Paul", Role.DEPARTMENT, other))
        assert [(entry[3], entry[4], entry[5]) for entry in entries(store)] == [
            ("concern", one, "granted"),
            ("concern", one, "refused_department"),
            ("concern", one, "refused_department"),
        ]

    def test_the_human_desk_sees_what_was_handed_to_it(self, store: Records, make_draft: MakeDraft) -> None:
        draft = make_draft(department=None, concern=None, decision="not_understood")
        store.seal(draft)
        desk = Accessor("Mia", Role.DEPARTMENT, frozenset({"mensch"}))
        assert store.concern(draft.reference, desk).transcripts == (STATEMENT,)
        with pytest.raises(AccessRefusedError):
            store.concern(draft.reference, Accessor("Paul", Role.DEPARTMENT, frozenset({"pflegekasse"})))

    @pytest.mark.parametrize("reference", ["ab" * 16, "", "' OR 1=1 --", "030 123456"])
    def test_a_reference_nobody_knows(self, store: Records, make_draft: MakeDraft, reference: str) -> None:
        store.seal(make_draft())
        with pytest.raises(NotFoundError):
            store.concern(reference, anna(Role.DEPARTMENT))
        assert entries(store)[-1][4:] == ("-", "not_found")


class TestNames:
    @pytest.mark.parametrize("name", ["", "  ", "\n\t", "\x00\x1b"])
    def test_nobody_reads_without_one(self, name: str) -> None:
        with pytest.raises(AccessRefusedError, match="name"):
            Accessor(name, Role.PRIVACY)

    @given(name=st.text(min_size=1, max_size=300))
    def test_they_are_kept_in_one_short_line(self, name: str) -> None:
        try:
            kept = Accessor(name, Role.PRIVACY).name
        except AccessRefusedError:
            assert not [letter for letter in name if letter.isprintable() and not letter.isspace()]
            return
        assert 0 < len(kept) <= NAME_LENGTH
        assert kept.isprintable()
        assert Accessor(kept, Role.PRIVACY).name == kept.strip()

    def test_they_are_logged_as_they_are_kept(self, store: Records) -> None:
        store.list(Accessor("  Frau \n Müller\x1b[31m ", Role.PRIVACY), Purpose.RIGHTS)
        assert entries(store)[0][0] == "Frau Müller [31m"

    def test_a_role_nobody_has_is_refused(self) -> None:
        with pytest.raises(ValueError, match="chef"):
            Accessor("Anna", "chef")  # type: ignore[arg-type]


def test_what_was_typed_as_an_id_does_not_get_into_the_trail(store: Records) -> None:
    for typed in ("030 123456", "Frau Müller", "A" * 32, "ab" * 17):
        with pytest.raises(NotFoundError):
            store.open(typed, OFFICER, Purpose.RIGHTS)
        assert not store.destroy(typed, DestroyReason.ERASED, OFFICER)
        with pytest.raises(NotFoundError):
            store.restrict(typed, OFFICER, Ground.CONTESTED)
    assert {entry[4] for entry in entries(store)} == {"-"}


def test_nothing_is_told_when_the_trail_cannot_be_written(
    store: Records, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_draft(department="krankengeld")
    one = store.seal(draft)
    trail = store._opener.stores().trail

    def broken(*_: object) -> None:
        message = "The trail is away."
        raise StoreError(message)

    monkeypatch.setattr(type(trail), "append", broken)
    for (role, purpose), kinds in MAY.items():
        for kind in set(TRIES) & {Kind(name) for name in kinds}:
            with pytest.raises(StoreError, match="The trail is away"):
                TRIES[kind](Attempt(store, one, draft.reference, anna(Role(role)), Purpose(purpose)))
    for refused in (
        lambda: store.restrict(one, OFFICER, Ground.CONTESTED),
        lambda: store.destroy(one, DestroyReason.ERASED, OFFICER),
    ):
        with pytest.raises(StoreError, match="The trail is away"):
            refused()
    monkeypatch.undo()
    assert not store.open(one, OFFICER, Purpose.RIGHTS).summary.restricted


def test_every_read_of_a_record_that_is_gone_is_in_the_trail(store: Records, make_draft: MakeDraft) -> None:
    one = store.seal(make_draft())
    assert store.destroy(one, DestroyReason.ERASED)  # by the software itself, as in an objection: no accessor
    with pytest.raises(NotFoundError):
        store.open(one, OFFICER, Purpose.RIGHTS, audio=True)
    assert [entry[3:] for entry in entries(store)] == [("audio", one, "not_found")]
