"""Numbers are one however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.records.vault.numbers import normalised, telephone


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


@pytest.mark.parametrize(
    "written",
    [
        "030 123456", "030/12 34-56", "(030) 123456", "030 - 12 34 56", "030.123456", "0 30 / 12 34 56", "030123456",
        "+49 30 123456", "+49 (0)30 123-456", "+490 30 123456", "+49-30-123456", "+49/30/123456", "(+49) 30 123456",
        "0049 30/123456", "0049 (0) 30 123456", "(0049) 30 123456", "00 49 30 123456", "+0049 30 123456",
        "4930123456", "49 30 123456", "49 (0)30 123456",
        "+49\u00a030\u00a0123\u2013456", "\u202a+49 30 123456\u202c", "\uff0b\uff14\uff19 30 123456", "\t030 123456\n",
        "Tel. 030 123456", "Tel.: 030/123456", "Telefon: +49 30 123456", "tel 030 123456", "Tel: 030 123456",
        "tel:+49-30-123456", "tel:030 123456;phone-context=+49", "tel:+4930123456;ext=7", "TEL:+4930123456",
        "sip:+4930123456@trunk.example", "<sip:030123456@10.0.0.1:5060;user=phone>", "sips:004930123456@x",
        '"Erika" <sip:%2B4930123456@x>', "sip:+4930123456;phone-context=+49@x;user=phone", "sip:4930123456:word@x",
    ],
)  # fmt: skip
def test_whatever_an_officer_types_is_the_number_a_network_sends(written: str) -> None:
    assert telephone(written) == "+4930123456"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0171 1234567", "+491711234567"),
        ("0171-123 45 67", "+491711234567"),
        ("491711234567", "+491711234567"),
        ("0043 664 1234567", "+436641234567"),
        ("+41 44 668 18 00", "+41446681800"),
        ("+1 (212) 555-0100", "+12125550100"),
        ("0090 212 555 01 00", "+902125550100"),
        # No range of this beginning exists yet, but a trunk may write it without a plus as it does all others.
        ("49 1990 1234567", "+4919901234567"),
        ("01990 1234567", "+4919901234567"),
    ],
)
def test_mobile_and_foreign_numbers_are_whole_numbers(written: str, number: str) -> None:
    assert telephone(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "unknown", "restricted", "Unbekannt",
        "0", "00", "000000000", "+490000000000", "+49", "0000", "110", "112", "115", "4711", "*31#", "alice", "123456",
        "030", "+4930", "0" * 60, "+" + "9" * 40, "030 123456 oder 030 123457 oder 030 123458", "-", "+", "%", "%00",
        "030 123456 App. 7", "<script>", "'; DROP TABLE objections; --", "=1+1", "../../etc/passwd", "tel:", "sip:@",
        "\u0663\u0660",
    ],
)  # fmt: skip
def test_what_is_no_whole_telephone_number_is_none(written: str) -> None:
    assert telephone(written) is None


@given(number=st.text(max_size=40))
def test_a_whole_number_is_its_own_only_form(number: str) -> None:
    whole = telephone(number)
    if whole is not None:
        assert whole.startswith("+")
        assert telephone(whole) == normalised(whole) == whole
