"""Whatever is done to the trail by somebody without the key is found; see the words in `verification`."""
# ruff: noqa: S608 - the names in the statements are constants of this file

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from anruflotse.records.audit import verification
from anruflotse.records.audit.entry import FIRST, Entry, digest
from tests.records.audit.conftest import Installation, Tamper, entry, loosen

Copied = Callable[[], Installation]

TABLES = {
    "audit": ("seq", "at", "accessor", "role", "purpose", "act", "subject", "result", "previous", "hash"),
    "audit_tip": ("id", "seq", "hash"),
    "heads": ("day", "seq", "hash", "at", "signature"),
}
FIELDS = ("at", "accessor", "role", "purpose", "act", "subject", "result")

often = settings(
    max_examples=40,
    deadline=None,
    # Some flips hit bytes that mean nothing: they are drawn again.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve entries on four pages and an empty one; the other tests have all of theirs on one."""
    monkeypatch.setattr(verification, "_PAGE", 3)


def test_an_untouched_trail_is_intact(copied: Copied) -> None:
    verified = copied().verify()
    assert verified.intact
    assert (verified.entries, verified.head, verified.first_broken, verified.wrong) == (12, 12, None, None)
    # The accesses began on 2 March; 5 March is not over yet.
    assert verified.days == 3


def test_a_new_store_is_intact_and_verifying_it_makes_no_key(tmp_path: Path) -> None:
    new = Installation(tmp_path, Ed25519PrivateKey.generate())
    new.make()
    assert new.verify().intact
    with new.tampering() as tamper:
        assert tamper.keys.execute("SELECT count(*) FROM secrets").fetchone() == (0,)


@st.composite
def changed(draw: st.DrawFn, value: object) -> object:
    """Another value in place of this one: a bit flipped, or the same in another type."""
    kind = draw(st.sampled_from(["bit", "bit", "bit", "type", "null", "other"]))
    if kind == "null":
        return None
    if kind == "other":
        return draw(
            st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5), st.binary(max_size=5))
        )
    if isinstance(value, int):
        return value ^ (1 << draw(st.integers(0, 62))) if kind == "bit" else draw(st.sampled_from([f"{value}x", b"1"]))
    raw = value.encode() if isinstance(value, str) else value
    assert isinstance(raw, bytes)
    if kind == "type":
        return raw if isinstance(value, str) else raw.hex()
    at = draw(st.integers(0, len(raw) * 8 - 1))
    flipped = bytearray(raw)
    flipped[at // 8] ^= 1 << at % 8
    # Text as `Raw`, for it may be no text any more.
    return Raw(bytes(flipped)) if isinstance(value, str) else bytes(flipped)


class Raw(bytes):
    """The bytes of a text, whether they are UTF-8 or not."""


@often
@given(data=st.data())
def test_a_changed_value_is_found_wherever_it_lies(copied: Copied, original: Installation, data: st.DataObject) -> None:
    copy = copied()
    table = data.draw(st.sampled_from(sorted(TABLES)))
    column = data.draw(st.sampled_from(TABLES[table]))
    with copy.tampering() as tamper:
        connection = tamper.of(table)
        loosen(connection, table)
        rows = connection.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()
        rowid, value = data.draw(st.sampled_from(rows))
        new = data.draw(changed(value))
        place = "CAST(? AS TEXT)" if isinstance(new, Raw) else "?"
        connection.execute(f"UPDATE {table} SET {column} = {place} WHERE rowid = ?", (new, rowid))
    assume(copy.contents() != original.contents())
    verified = copy.verify()
    assert not verified.intact
    assert verified.first_broken is not None
    assert verified.wrong in {"changed", "order", "gap", "truncated", "unsigned", "tip", "head"}


@often
@given(data=st.data())
def test_a_flipped_bit_in_the_file_is_found(copied: Copied, original: Installation, data: st.DataObject) -> None:
    copy = copied()
    path = data.draw(st.sampled_from([copy.rows, copy.keys]))
    contents = bytearray(path.read_bytes())
    # The pages the entries or heads lie on, so that most flips hit something.
    needle = b"betroffenenrechte" if path == copy.rows else b"latest"
    pages = sorted({at // 4096 for at in range(len(contents)) if contents.startswith(needle, at)})
    at = data.draw(st.sampled_from(pages)) * 4096 + data.draw(st.integers(0, 4095))
    contents[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(contents)
    assume(copy.contents() != original.contents())
    assert copy.found()


@often
@given(
    doomed=st.sets(st.integers(1, 12), min_size=1),
    tables=st.sampled_from([("audit",), ("audit", "audit_tip"), ("audit", "audit_tip", "heads")]),
)
def test_removed_entries_are_found(copied: Copied, doomed: set[int], tables: tuple[str, ...]) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        for seq in doomed:
            tamper.rows.execute("DELETE FROM audit WHERE seq = ?", (seq,))
        fit_tip(tamper, drop="audit_tip" in tables)
        if "heads" in tables:
            tamper.keys.execute("DELETE FROM heads")
    verified = copy.verify()
    assert not verified.intact
    assert verified.first_broken == (0 if "heads" in tables else min(doomed))


def fit_tip(tamper: Tamper, *, drop: bool = False) -> None:
    tamper.rows.execute("DELETE FROM audit_tip")
    if not drop:
        tamper.rows.execute(
            "INSERT INTO audit_tip SELECT 1, seq, hash FROM (SELECT seq, hash FROM audit UNION SELECT 0, ?) "
            "ORDER BY seq DESC LIMIT 1",
            (FIRST,),
        )


@pytest.mark.parametrize("left", range(12))
def test_a_cut_end_is_truncated(copied: Copied, left: int) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.rows.execute("DELETE FROM audit WHERE seq > ?", (left,))
        fit_tip(tamper)
    verified = copy.verify()
    assert (verified.wrong, verified.first_broken, verified.entries) == ("truncated", left + 1, left)


def write(tamper: Tamper, entries: list[Entry], first: int = 1) -> None:
    """What somebody writes who knows how the chain is made, and has no key."""
    before = tamper.rows.execute("SELECT hash FROM audit WHERE seq = ?", (first - 1,)).fetchone()
    previous = before[0] if before else FIRST
    tamper.rows.execute("DELETE FROM audit WHERE seq >= ?", (first,))
    for seq, one in enumerate(entries, first):
        hashed = digest(seq, one, previous)
        values = asdict(one)
        tamper.rows.execute(
            f"INSERT INTO audit (seq, {', '.join(FIELDS)}, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, *(values[name] for name in FIELDS), previous, hashed),
        )
        previous = hashed
    fit_tip(tamper)


def read(tamper: Tamper) -> list[Entry]:
    rows = tamper.rows.execute(f"SELECT {', '.join(FIELDS)} FROM audit ORDER BY seq")
    return [Entry(**dict(zip(FIELDS, row, strict=True))) for row in rows]


@often
@given(data=st.data())
def test_a_trail_written_anew_from_somewhere_on_is_found(copied: Copied, data: st.DataObject) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        entries = read(tamper)
        at = data.draw(st.integers(0, 11))
        match data.draw(st.sampled_from(["remove", "insert", "change", "swap", "duplicate"])):
            case "remove":
                del entries[at]
            case "insert":
                entries.insert(at, entry(77))
            case "duplicate":
                entries.insert(at, entries[at])
            case "change":
                entries[at] = entry(at + 1, accessor="niemand")
            case "swap":
                other = data.draw(st.integers(0, 11).filter(lambda one: one != at))
                entries[at], entries[other] = entries[other], entries[at]
        write(tamper, entries)
    verified = copy.verify()
    assert not verified.intact
    assert verified.wrong in {"head", "truncated", "unsigned"}


@pytest.mark.parametrize("number", [1, 2, 5])
def test_entries_added_at_the_end_are_unsigned(copied: Copied, number: int) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        write(tamper, [entry(20 + one) for one in range(number)], first=13)
    verified = copy.verify()
    assert (verified.wrong, verified.first_broken) == ("unsigned", 13)


def test_rows_swapped_or_doubled_as_they_are_are_found(copied: Copied) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.rows.execute("UPDATE audit SET seq = -4 WHERE seq = 4")
        tamper.rows.execute("UPDATE audit SET seq = 4 WHERE seq = 7")
        tamper.rows.execute("UPDATE audit SET seq = 7 WHERE seq = -4")
    assert (copy.verify().wrong, copy.verify().first_broken) == ("changed", 4)
    for seq in range(1, 13):
        copy = copied()
        with copy.tampering() as tamper:
            loosen(tamper.rows, "audit")
            tamper.rows.execute("INSERT INTO audit SELECT * FROM audit WHERE seq = ?", (seq,))
        assert not copy.verify().intact


@pytest.mark.parametrize("day", ["latest", "next", "days", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"])
def test_a_removed_head_is_found(copied: Copied, day: str) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        assert tamper.keys.execute("DELETE FROM heads WHERE day = ?", (day,)).rowcount == (day != "2026-03-01")
    verified = copy.verify()
    assert verified.intact == (day == "2026-03-01")
    if not verified.intact:
        assert (verified.wrong, verified.first_broken) == ("head", 0)


@pytest.mark.parametrize("day", ["latest", "2026-03-04"])
def test_an_earlier_head_in_another_place_is_found(copied: Copied, day: str) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.keys.execute(
            "UPDATE heads SET (seq, hash, at, signature) = "
            "(SELECT seq, hash, at, signature FROM heads WHERE day = '2026-03-02') WHERE day = ?",
            (day,),
        )
    assert copy.verify().wrong == "head"


@pytest.mark.parametrize("what", [("rows",), ("keys",), ("rows", "heads")])
def test_what_another_installation_signed_is_found(
    copied: Copied, original: Installation, tmp_path: Path, what: tuple[str, ...]
) -> None:
    other = Installation(tmp_path / "other", Ed25519PrivateKey.generate())
    other.make()
    other.append(range(2, 14))
    assert other.verify().intact
    copy = copied()
    if "rows" in what:
        copy.rows.write_bytes(other.copy(tmp_path / "closed").rows.read_bytes())
    if "keys" in what:
        copy.keys.write_bytes(other.copy(tmp_path / "closed").keys.read_bytes())
    if "heads" in what:
        with copy.tampering() as tamper:
            tamper.keys.execute("DELETE FROM heads")
            tamper.keys.execute("ATTACH ? AS other", (str(other.copy(tmp_path / "closed").keys),))
            tamper.keys.execute("INSERT INTO heads SELECT * FROM other.heads")
    verified = copy.verify()
    assert not verified.intact
    assert verified.wrong == "head"


def test_removing_everything_is_found(copied: Copied) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        for table in TABLES:
            tamper.of(table).execute(f"DELETE FROM {table}")
    verified = copy.verify()
    assert (verified.entries, verified.wrong, verified.first_broken) == (0, "head", 0)


def test_a_trail_whose_signing_key_went_with_the_heads_is_found(copied: Copied) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        tamper.keys.execute("DELETE FROM heads")
        tamper.keys.execute("DELETE FROM secrets")
    assert copy.verify().wrong == "head"


def test_many_damages_are_counted_and_the_first_is_told(copied: Copied) -> None:
    copy = copied()
    copy.append(range(13, 60))
    with copy.tampering() as tamper:
        tamper.rows.execute("UPDATE audit SET at = at + 1 WHERE seq >= 5")
    verified = copy.verify()
    assert (verified.first_broken, len(verified.damage), verified.found) == (5, 20, 55)


def test_a_file_that_pages_in_a_circle_does_not_hang(copied: Copied) -> None:
    copy = copied()
    contents = bytearray(copy.rows.read_bytes())
    # In its cell the number of an entry stands before the length of a header (13) whose first column is empty.
    # Entry 6, the end of a page of three, becomes entry 2.
    text = contents.index(f"{6:032x}".encode())
    at = contents.rindex(bytes([6, 13, 0]), text - 80, text)
    contents[at] = 2
    copy.rows.write_bytes(contents)
    with closing(sqlite3.connect(copy.rows)) as connection:
        assert [seq for (seq,) in connection.execute("SELECT seq FROM audit ORDER BY seq")][5] == 2
    assert copy.found()


def test_an_entry_with_a_fitting_hash_that_the_next_one_does_not_know_is_found(copied: Copied) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        # No head speaks for entry 5.
        (previous,) = tamper.rows.execute("SELECT hash FROM audit WHERE seq = 4").fetchone()
        other = entry(5, accessor="niemand")
        tamper.rows.execute(
            "UPDATE audit SET accessor = 'niemand', hash = ? WHERE seq = 5", (digest(5, other, previous),)
        )
    verified = copy.verify()
    assert (verified.wrong, verified.first_broken) == ("order", 6)


@pytest.mark.parametrize("day", ["latest", "next", "days", "2026-03-02"])
def test_a_doubled_head_is_found(copied: Copied, day: str) -> None:
    copy = copied()
    with copy.tampering() as tamper:
        loosen(tamper.keys, "heads")
        tamper.keys.execute("INSERT INTO heads SELECT * FROM heads WHERE day = ?", (day,))
    assert copy.verify().wrong == "head"


@pytest.mark.parametrize("number", [1, 2])
def test_entries_in_place_of_one_that_was_announced_and_never_written_are_unsigned(
    copied: Copied, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    copy = copied()

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("anruflotse.records.audit.trail._insert", die)
        with pytest.raises(KeyboardInterrupt):
            copy.append(range(13, 14))
    assert copy.verify().intact
    with copy.tampering() as tamper:
        write(tamper, [entry(20 + one) for one in range(number)], first=13)
    verified = copy.verify()
    assert (verified.wrong, verified.first_broken) == ("unsigned", 13)
