from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from anruflotse.pcm import Pcm
from anruflotse.records.model import LEGAL_BASIS, Purpose, retention
from tests.records.conftest import MakeDraft


@pytest.mark.parametrize("days", [1, 14, 28])
def test_up_to_28_days_may_be_kept(days: int) -> None:
    assert retention(days) == timedelta(days=days)


@pytest.mark.parametrize(("days", "reason"), [(29, None), (29, ""), (3650, "  "), (0, None), (-1, "§ 1 Gesetz")])
def test_longer_without_a_named_reason_is_impossible(days: int, reason: str | None) -> None:
    with pytest.raises(ValueError, match="28"):
        retention(days, reason)


def test_a_named_legal_reason_allows_longer() -> None:
    assert retention(60, "§ 1 Beispielgesetz") == timedelta(days=60)


def test_a_draft_states_the_legal_basis_and_purpose_of_the_notice(make_draft: MakeDraft) -> None:
    draft = make_draft()
    assert draft.legal_basis == LEGAL_BASIS == "§ 284 SGB V i. V. m. Art. 6 Abs. 1 lit. e DSGVO"
    assert draft.purpose is Purpose.FORWARDING


def test_no_repr_of_a_draft_shows_what_was_said_or_who_called(make_draft: MakeDraft) -> None:
    shown = repr(make_draft(transcripts=("KANARIE",), caller="+4930999", evidence=("KANARIE",)))
    for secret in ("KANARIE", "4930999", "krankengeld", "pflege", "\\x"):
        assert secret not in shown


@pytest.mark.parametrize("reference", ["", "abc", "ABCDEF0123", "g" * 32, "a" * 65, "01234567\n"])
def test_a_reference_is_opaque_hex(make_draft: MakeDraft, reference: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        make_draft(reference=reference)


@pytest.mark.parametrize("recording", [None, Pcm(b"", 8000)])
def test_a_draft_without_anything_said_is_no_record(make_draft: MakeDraft, recording: Pcm | None) -> None:
    with pytest.raises(ValueError, match="count the call"):
        make_draft(recording=recording, transcripts=("", ""))


def test_times_need_a_zone(make_draft: MakeDraft) -> None:
    with pytest.raises(ValueError, match="time zone"):
        make_draft(recorded_at=datetime(2026, 3, 3))  # noqa: DTZ001 - that is the mistake
