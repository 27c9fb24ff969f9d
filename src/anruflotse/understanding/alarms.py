"""How many alarms are heard and how many raised for nothing: by the rules, by the classifier, by both together.

`python -m anruflotse.understanding.alarms --catalogue … --file …` prints the table for a model and for several
thresholds; it is how `likely` and `sure` are chosen anew whenever encoder, corpus or rules change.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from anruflotse.understanding import classifier, corpus, safety
from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.evaluation import Interval, wilson
from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.seams import DecisionKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from anruflotse.understanding.corpus import Line
    from anruflotse.understanding.seams import Classifier, Ranking

ALARMS: Final = {
    "notfall": (safety.EMERGENCY, DecisionKind.EMERGENCY),
    "aufzeichnung": (safety.OBJECTION, DecisionKind.OBJECTION),
    "mitarbeiter": (safety.HUMAN, DecisionKind.HUMAN),
}
"""The concerns that are alarms, with their finding and their decision."""

LIKELY: Final = (0.05, 0.1, 0.15, 0.2, 0.3)
SURE: Final = (0.9, 0.95, 0.98)
"""What `main` tries."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alarm by one of `rules`, `model` and `both`: how many were acted upon, asked about, missed or false."""

    concern: str
    by: str
    certain: int
    asked: int
    missed: int
    false_certain: int
    false_asked: int
    others: int
    """How many sentences were not this alarm."""

    @property
    def recall(self) -> tuple[float, Interval]:
        """Acted upon or asked about, of those that are this alarm, with its 95 % Wilson interval."""
        heard, of = self.certain + self.asked, self.certain + self.asked + self.missed
        return heard / of, wilson(heard, of)

    @property
    def false(self) -> tuple[float, Interval]:
        """Acted upon or asked about for nothing, of all other sentences, with its 95 % Wilson interval."""
        raised = self.false_certain + self.false_asked
        return raised / self.others, wilson(raised, self.others)


def rank(lines: Sequence[Line], model: Classifier) -> list[Ranking]:
    """The rankings of `lines`, to be used with `alarms` for several thresholds."""
    return [model.rank(line.text) for line in lines]


def alarms(lines: Sequence[Line], rankings: Sequence[Ranking], thresholds: Thresholds) -> list[Row]:
    """A row for every alarm that `lines` hold, by the rules alone, the classifier alone and both as the policy has it.

    A sentence whose `second` concern is the alarm counts as neither: either answer is right.
    """
    policy = Policy(thresholds)
    findings = [safety.judge(line.text) for line in lines]
    decisions = [policy.decide(line.text, ranking) for line, ranking in zip(lines, rankings, strict=True)]
    rows = []
    for concern, (heard, kind) in ALARMS.items():
        masses = [_mass(ranking, SPECIAL[concern]) for ranking in rankings]
        likely = thresholds.likely_of(SPECIAL[concern])[1]
        # None for no alarm, else whether it is certain.
        answers: dict[str, list[bool | None]] = {
            "rules": [found.certain if found.heard == heard else None for found in findings],
            "model": [mass >= thresholds.sure if mass >= likely else None for mass in masses],
            "both": [decision.certain if decision.kind is kind else None for decision in decisions],
        }
        if any(line.concern == concern for line in lines):
            rows += [_row(concern, by, lines, given) for by, given in answers.items()]
    return rows


def _row(concern: str, by: str, lines: Iterable[Line], given: Iterable[bool | None]) -> Row:
    right: list[bool | None] = []
    wrong: list[bool | None] = []
    for line, answer in zip(lines, given, strict=True):
        if line.concern == concern:
            right.append(answer)
        elif line.second != concern:
            wrong.append(answer)
    return Row(
        concern, by, right.count(True), right.count(False), right.count(None),
        wrong.count(True), wrong.count(False), len(wrong),
    )  # fmt: skip


def _mass(ranking: Ranking, department: str) -> float:
    return sum(ranked.probability for ranked in ranking.concerns if ranked.department == department)


def table(rows: Iterable[Row]) -> str:
    """`rows` as text, a line each."""

    def share(of: tuple[float, Interval]) -> str:
        value, (low, high) = of
        return f"{value:6.1%} ({low:.1%}-{high:.1%})"

    return "\n".join(
        f"{row.concern:13}{row.by:6} certain {row.certain:4} asked {row.asked:4} missed {row.missed:4} "
        f"recall {share(row.recall)} | false: certain {row.false_certain:3} asked {row.false_asked:4} "
        f"of {row.others} {share(row.false)}"
        for row in rows
        if row.others
    )


def main(arguments: Sequence[str] | None = None, tell: Callable[[str], None] = print) -> None:
    """Read the arguments, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.alarms", description=__doc__)
    parser.add_argument("--catalogue", type=Path, required=True, help="the department catalogue (YAML)")
    parser.add_argument("--file", type=Path, nargs="+", required=True, help="JSONL the model has not learnt from")
    parser.add_argument("--model", type=Path, help="folder of the model; without it the shipped one")
    chosen = parser.parse_args(arguments)
    concerns = yaml.safe_load(chosen.catalogue.read_text(encoding="utf-8"))["anliegen"]
    handled = {key: entry for key, entry in concerns.items() if "abteilung" in entry}
    model = classifier.load(
        None,
        {key: entry["abteilung"] for key, entry in handled.items()},
        {key: entry.get("stichworte", ()) for key, entry in handled.items()},
        model=chosen.model,
    )
    lines = corpus.read(chosen.file)
    rankings = rank(lines, model)
    usual = Thresholds()
    for likely in LIKELY:
        for sure in SURE if likely == LIKELY[0] else SURE[:1]:
            tell(f"\nlikely {likely}, sure {sure}, {len(lines)} sentences")
            tell(table(alarms(lines, rankings, replace(usual, likely=likely, likely_wish=likely, sure=sure))))


if __name__ == "__main__":
    main()
