from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.understanding.answers import Choice, pick

CARE = Choice("die Pflegeversicherung", ("Pflegegrad", "Pflegegeld", "Heim"))
REHAB = Choice("Reha oder Kur", ("Anschlussheilbehandlung", "Mutter-Kind-Kur", "Rehasport"))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("das erste", 0),
        ("das zweite", 1),
        ("Das Erste bitte.", 0),
        ("ersteres", 0),
        ("letzteres", 1),
        ("das letzte", 1),
        ("eins", 0),
        ("zwei", 1),
        ("um die Pflege", 0),
        ("um Pflegegeld", 0),
        ("es geht um die Pflegeversicherung von meiner Mutter", 0),
        ("um die Reha", 1),
        ("um eine Kur", 1),
        ("Mutter-Kind-Kur", 1),
        ("Rehasport", 1),
        ("meine Oma soll ins Heim", 0),
        ("nicht das erste, sondern das zweite", 1),
        ("nicht um die Pflege", 1),
        ("nicht die Reha", 0),
        ("nicht die Reha, sondern die Pflege", 0),
        ("nein, um die Kur", 1),
    ],
)
def test_finds_the_one_that_is_meant(text: str, choice: int) -> None:
    assert pick(text, CARE, REHAB) == choice


@pytest.mark.parametrize(
    "text",
    ["", "keins von beiden", "weder noch", "beides", "etwas anderes", "ja", "äh", "um meine Karte", "Pflege und Reha"],
)
def test_does_not_guess(text: str) -> None:
    assert pick(text, CARE, REHAB) is None


def test_a_word_that_both_share_decides_nothing() -> None:
    money = Choice("Krankengeld", ("Geld",)), Choice("Kinderkrankengeld", ("Geld",))
    assert pick("um das Geld", *money) is None


@given(st.text(max_size=60))
def test_swapping_the_offer_swaps_the_answer_unless_it_counts(text: str) -> None:
    one, other = pick(text, CARE, REHAB), pick(text, REHAB, CARE)
    counted = {pick(text, Choice("x"), Choice("y"))} != {None}
    assert counted or (one is None) == (other is None)
    assert counted or one is None or one != other
