"""Who calls, and where to transfer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.lines.line import Outcome
from anruflotse.lines.sip.addresses import caller_number, failed_transfer, is_target, refer_to


@pytest.mark.parametrize(
    ("asserted", "sender", "number"),
    [
        ('"Anna" <sip:+4930123456@trunk.example>', "sip:999@x", "+4930123456"),
        ("<tel:+49-30-123456;phone-context=x>", None, "+4930123456"),
        ("tel:+4930(123)456", None, "+4930123456"),
        ("<sip:+4930123456;npdi=yes@trunk;user=phone>", None, "+4930123456"),
        ("<sip:%2B4930123456@trunk>", None, "+4930123456"),
        ("<sips:030123456:secret@trunk:5061>", None, "030123456"),
        (None, "sip:4711@127.0.0.1:5060", "4711"),
        ("<sip:anonymous@anonymous.invalid>", "sip:4711@x", "4711"),
        (None, "sip:anonymous@anonymous.invalid", None),
        (None, "sip:anna@example.de", None),
        (None, "sip:127.0.0.1", None),
        (None, "nonsense", None),
        (None, None, None),
        ("<sip:" + "1" * 99 + "@x>", None, None),
    ],
)
def test_the_number_comes_from_the_asserted_identity_else_from(
    asserted: str | None, sender: str | None, number: str | None
) -> None:
    headers = {} if asserted is None else {"p-asserted-identity": asserted}
    assert caller_number(headers, sender) == number


@pytest.mark.parametrize(
    ("privacy", "number"), [("id", None), ("critical; ID", None), ("user", None), ("none", "+4930")]
)
def test_who_withholds_the_number_does_not_give_it(privacy: str, number: str | None) -> None:
    assert caller_number({"p-asserted-identity": "<sip:+4930@x>", "privacy": privacy}, "sip:1@x") == number


@given(st.dictionaries(st.sampled_from(["p-asserted-identity", "privacy"]), st.text()), st.none() | st.text())
def test_strange_headers_give_a_number_or_none(headers: dict[str, str], sender: str | None) -> None:
    number = caller_number(headers, sender)
    assert number is None or set(number) <= set("+0123456789*#")


def test_the_reference_travels_as_user_to_user() -> None:
    wanted = "<sip:x@y?User-to-User=56a390f3%3Bencoding%3Dhex>"
    assert refer_to("sip:x@y", "56a390f3") == wanted


@pytest.mark.parametrize(
    "target",
    ["sip:mensch@127.0.0.1:5090", "sips:+4930@pbx.example;user=phone", "sip:pbx.example", "sip:a%20b@[::1]:5060"],
)
def test_plain_sip_uris_are_targets(target: str) -> None:
    assert is_target(target)
    assert refer_to(target, "00").startswith(f"<{target}?")


@pytest.mark.parametrize(
    "target",
    [
        "", "mensch", "tel:+4930", "http://x", "sip:", "sip:a@", "sip:a@b?X=1", "sip:a@b>", "<sip:a@b>", "sip:a b@c",
        "sip:a@b\r\nX: 1", "sip:a@b\n", 'sip:a@b;x="1"', "sip:a@b:5060:1", "sip:a@-", "sip:" + "a" * 300 + "@b",
        "sip:ä@b",
    ],
)  # fmt: skip
def test_anything_that_could_carry_more_than_a_target_is_refused(target: str) -> None:
    assert not is_target(target)
    with pytest.raises(ValueError, match="plain SIP URI"):
        refer_to(target, "00")


@pytest.mark.parametrize("reference", ["", "0", "xy", "00;encoding=x", "00" * 65, "00\n"])
def test_a_reference_is_hexadecimal(reference: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        refer_to("sip:a@b", reference)


@pytest.mark.parametrize(
    ("status", "timed_out", "outcome"),
    [
        (486, False, Outcome.BUSY),
        (600, False, Outcome.BUSY),
        (408, False, Outcome.NO_ANSWER),
        (480, False, Outcome.NO_ANSWER),
        (None, True, Outcome.NO_ANSWER),
        (None, False, Outcome.REFUSED),
        (603, False, Outcome.REFUSED),
        (404, True, Outcome.REFUSED),
        (503, False, Outcome.REFUSED),
    ],
)
def test_what_a_failed_transfer_came_to(status: int | None, timed_out: bool, outcome: Outcome) -> None:
    assert failed_transfer(status, timed_out=timed_out) is outcome
