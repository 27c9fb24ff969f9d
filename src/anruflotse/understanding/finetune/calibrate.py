"""`python -m anruflotse.understanding.finetune.calibrate`: share, temperature, route threshold, on unheard people.

The encoder given must have been fine-tuned on `--learn` only (or not at all). Both heads learn from `--learn`, and all
that is chosen is chosen on `--hold-out`, sentences by other people. The answer is JSON for the shipped encoder's card.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from anruflotse.understanding import corpus, evaluation, model, policy, training
from anruflotse.understanding.classifier import Fused
from anruflotse.understanding.encoder import OnnxEncoder
from anruflotse.understanding.seams import DecisionKind, Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_WANTED_PRECISION = 0.97
_SHARES = np.arange(0.0, 1.01, 0.1)
_TEMPERATURES = np.arange(0.3, 2.51, 0.05)


def main() -> None:
    """Read the arguments, print the answer."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.finetune.calibrate", description=__doc__)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder, with its card")
    parser.add_argument("--learn", type=Path, nargs="+", required=True, help="JSONL the encoder may have seen")
    parser.add_argument("--hold-out", type=Path, nargs="+", required=True, help="JSONL by other people")
    parser.add_argument("--catalogue", type=Path, required=True, help="the department catalogue (YAML)")
    parser.add_argument("--freedom", type=float, default=0.1, help="inverse regularisation of the encoder's head")
    arguments = parser.parse_args()
    concerns = yaml.safe_load(arguments.catalogue.read_text(encoding="utf-8"))["anliegen"]
    encoder = OnnxEncoder(arguments.encoder)
    lines, held = corpus.read(arguments.learn), corpus.read(arguments.hold_out)
    extra = catalogue_lines(concerns)
    everything = [*lines, *extra]
    vectors = encoder.encode([line.text for line in everything])
    heads = training.fit(everything, vectors, encoder.fingerprint, training.Recipe(0.5, 1.0, arguments.freedom))
    labels = np.array([heads.concerns.index(line.concern) for line in held])
    words = np.stack([heads.log_words(line.text) for line in held])
    sense = heads.log_sense(encoder.encode([line.text for line in held]))
    share, temperature, loss = fitted(words, sense, labels)
    departments = {key: entry["abteilung"] for key, entry in concerns.items() if "abteilung" in entry}
    keywords = {key: entry.get("stichworte", ()) for key, entry in concerns.items() if "abteilung" in entry}
    classifier = Fused(replace(heads, share=share, temperature=temperature), encoder, departments, keywords)
    thresholds, precision, routed = route_threshold(held, classifier)
    answer = {
        "recipe": {"share": share, "temperature": temperature, "freedom": arguments.freedom},
        "thresholds": asdict(thresholds),
        "held_out": {
            "sentences": len(held), "log_loss": loss, "routed": routed, "precision": precision,
            "concerns_right": {
                "words": float((words.argmax(1) == labels).mean()), "sense": float((sense.argmax(1) == labels).mean()),
                "fused": float((model.fuse(words, sense, share, temperature).argmax(1) == labels).mean()),
            },
        },
    }  # fmt: skip
    print(json.dumps(answer, indent=1))  # noqa: T201 - a developer's script


def catalogue_lines(concerns: Mapping[str, Any]) -> list[corpus.Line]:
    """The sentences that `anruflotse train` makes of the catalogue's concerns (the YAML's `anliegen`)."""
    handled = {key: entry for key, entry in concerns.items() if "aktion" not in entry}
    return training.lines_of_catalogue(
        {key: entry["name"] for key, entry in handled.items()},
        {key: entry["beschreibung"] for key, entry in handled.items()},
    )


def fitted(
    words: NDArray[np.float32], sense: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[float, float, float]:
    """The share and temperature with the least log-loss on `labels`, and that loss."""
    rows = np.arange(len(labels))
    losses = {
        (share, temperature): -float(model.fuse(words, sense, share, temperature)[rows, labels].mean())
        for share in map(float, _SHARES)
        for temperature in map(float, _TEMPERATURES)
    }
    (share, temperature), loss = min(losses.items(), key=lambda item: item[1])
    return round(share, 2), round(temperature, 2), loss


@dataclass(frozen=True)
class _Remembering:
    """A classifier that looks its answers up: every threshold is tried on the same ones."""

    rankings: dict[str, Ranking]
    processor: None = None

    def rank(self, text: str) -> Ranking:
        return self.rankings[text]


def route_threshold(held: Sequence[corpus.Line], classifier: Fused) -> tuple[policy.Thresholds, float, float]:
    """The lowest route threshold at which 97 % of the routed calls are right, that precision, and the share routed."""
    first = policy.Thresholds()
    rankings = {line.text: classifier.rank(line.text) for line in held}
    found = (replace(first, route=0.99), 0.0, 0.0)
    for route in np.arange(0.98, first.confirm + 0.1, -0.02):
        thresholds = replace(first, route=round(float(route), 2))
        cases = evaluation.examine(held, _Remembering(rankings), policy.Policy(thresholds))
        ends = [case.ending == "correct" for case in cases if case.decision.kind is DecisionKind.ROUTE]
        precision = sum(ends) / max(1, len(ends))
        if precision < _WANTED_PRECISION:
            break
        found = thresholds, precision, len(ends) / len(cases)
    return found


if __name__ == "__main__":
    main()
