"""Numbers are one however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.records.vault.numbers import normalised


@pytest.mark.parametrize(
    "written",
    [
        "030 123456", "030/12 34-56", "(030) 123456", "+49 30 123456", "+49 (0)30 123-456", "+490 30 123456",
        "0049 30/123456", "4930123456", "+4930123456", "+49\u00a030\u00a0123\u2013456", " 030.123456 ",
    ],
)  # fmt: skip
def test_all_ways_to_write_a_german_number_are_one(written: str) -> None:
    assert normalised(written) == "+4930123456"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0171 1234567", "+491711234567"),
        ("491711234567", "+491711234567"),
        ("0043 664 1234567", "+436641234567"),
        ("+43 1 5879", "+4315879"),
        ("+1 (212) 555-0100", "+12125550100"),
        ("0800 111 0 111", "+498001110111"),
        ("4711", "4711"),
        ("110", "110"),
        ("*31#", "*31#"),
        ("Anonymous", "anonymous"),
        (" alice ", "alice"),
        ("", ""),
        ("\u0663\u0660", "\u0663\u0660"),
        ("0" * 60, "0" * 60),
    ],
)
def test_other_numbers_and_what_is_none(written: str, number: str) -> None:
    assert normalised(written) == number


@given(number=st.text(max_size=40))
def test_whatever_a_network_sends_has_one_form_that_stays(number: str) -> None:
    once = normalised(number)
    assert normalised(once) == once
