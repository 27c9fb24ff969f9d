"""Two concerns in one utterance: which clauses count, and what the policy makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.seams import Decision, DecisionKind, Ranked, Ranking
from anruflotse.understanding.second import two_concerns

DEPARTMENTS = {"karte": "service", "adresse": "service", "zahn": "leistungen", "pflege": "pflegekasse",
               "mitarbeiter": "mensch", "ausserhalb": "ausserhalb"}  # fmt: skip
WORDS = {"Karte": "karte", "umgezogen": "adresse", "Zahn": "zahn", "Pflege": "pflege", "Mensch": "mitarbeiter"}
POLICY = Policy(Thresholds(route=0.8, confirm=0.45, choose=0.6, second=0.15, outside=0.45))


def ranking(**sure: float) -> Ranking:
    rest = (1 - sum(sure.values())) / (len(DEPARTMENTS) - len(sure))
    ranked = [Ranked(concern, department, sure.get(concern, rest)) for concern, department in DEPARTMENTS.items()]
    return Ranking(tuple(sorted(ranked, key=lambda one: -one.probability)))


class Ear:
    """Hears a concern by its word; two words share what is left between them, no word is nothing of ours."""

    def __init__(self, sure: float = 0.96) -> None:
        self.sure = sure
        self.asked: list[str] = []

    def __call__(self, text: str) -> Ranking:
        self.asked.append(text)
        said = [concern for word, concern in WORDS.items() if word.lower() in text.lower()]
        return ranking(**{concern: self.sure / len(said) for concern in said}) if said else ranking(ausserhalb=0.9)


def named(text: str, ear: Ear | None = None) -> tuple[str, str] | None:
    ear = ear or Ear()
    found = two_concerns(text, ear(text), ear)
    return found and (found[0].concern, found[1].concern)


@pytest.mark.parametrize(
    ("text", "concerns"),
    [
        ("Ich brauche eine neue Karte und dann noch was wegen dem Zahn", ("karte", "zahn")),
        ("Pflege beantragen, außerdem die Karte", ("pflege", "karte")),
        ("Der Zahn. Ach, und die Pflege auch", ("zahn", "pflege")),
    ],
)
def test_both_are_named_in_the_order_they_were_said(text: str, concerns: tuple[str, str]) -> None:
    assert named(text) == concerns


@pytest.mark.parametrize(
    "text",
    [
        "Ich brauche eine neue Karte",
        "Meine Karte und die Karte von meinem Mann",
        "Meine Karte und das Wetter",
        "Meine Karte, und dann geben Sie mir bitte einen Menschen",
        "und die Karte",
        "",
        "und und und",
    ],
)
def test_one_concern_stays_one(text: str) -> None:
    assert named(text) is None


def test_in_a_long_story_a_conjunction_alone_proves_little() -> None:
    story = "also gestern war ich beim Arzt wegen dem Zahn und der hat gesagt das ist für die Pflege ganz normal so"
    assert named(story, Ear(0.7)) is None
    assert named(story.replace("und der hat", "und dann noch der hat"), Ear(0.9)) == ("zahn", "pflege")


def test_what_neither_clause_is_sure_of_is_not_named() -> None:
    assert named("Karte und noch Zahn", Ear(0.45)) is None


@given(st.text(max_size=200))
def test_any_text_asks_about_a_few_clauses_at_most(text: str) -> None:
    ear = Ear()
    two_concerns(text, ranking(zahn=0.5, pflege=0.4), ear)
    assert len(ear.asked) <= 8


ZAHN, PFLEGE = Ranked("zahn", "leistungen", 0.9), Ranked("pflege", "pflegekasse", 0.9)


def test_of_two_named_concerns_the_clear_first_is_routed_and_the_second_handed_over() -> None:
    unsure = Decision(DecisionKind.CHOOSE, (ZAHN, PFLEGE))
    decided = POLICY.naming(unsure, ranking(zahn=0.45, pflege=0.4), (ZAHN, PFLEGE))
    assert (decided.kind, decided.concerns, decided.second) == (DecisionKind.ROUTE, (ZAHN,), PFLEGE)


def test_a_first_that_is_not_clear_is_asked_about_and_the_other_remembered() -> None:
    first = Ranked("zahn", "leistungen", 0.6)
    unsure = Decision(DecisionKind.CONFIRM, (PFLEGE,))
    decided = POLICY.naming(unsure, ranking(zahn=0.4, pflege=0.5), (first, PFLEGE))
    assert (decided.kind, decided.concerns, decided.second) == (DecisionKind.CONFIRM, (PFLEGE,), first)


@pytest.mark.parametrize(
    "decision",
    [
        Decision(DecisionKind.EMERGENCY, certain=False),
        Decision(DecisionKind.OBJECTION),
        Decision(DecisionKind.ASK_AGAIN),
        Decision(DecisionKind.HUMAN, (ZAHN,), certain=False),
    ],
)
def test_an_alarm_and_what_is_out_of_scope_stay_what_they_are(decision: Decision) -> None:
    assert POLICY.naming(decision, ranking(zahn=0.45, pflege=0.4), (ZAHN, PFLEGE)) == decision


def test_what_was_offered_for_another_reason_is_left_alone() -> None:
    weak = Ranked("zahn", "leistungen", 0.6)
    other = Decision(DecisionKind.CONFIRM, (Ranked("karte", "service", 0.6),))
    assert POLICY.naming(other, ranking(karte=0.6), (weak, PFLEGE)) == other


def test_nothing_named_changes_nothing() -> None:
    decision = Decision(DecisionKind.ROUTE, (ZAHN,))
    assert POLICY.naming(decision, ranking(zahn=0.9), None) == decision
