"""`python -m anruflotse.understanding.finetune.calibrate`: recipe and thresholds, chosen on unheard people.

The encoder must have been fine-tuned on `--learn` only (or not at all). Both heads learn from `--learn`; everything
chosen is chosen on `--hold-out`, what other people say. The figures reported are crossed: what is chosen on one half of
the personas is measured on the other. The answer is JSON for the shipped encoder's card.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from anruflotse.understanding import corpus, costs, evaluation, training
from anruflotse.understanding import model as models
from anruflotse.understanding.classifier import SPECIAL, Fused
from anruflotse.understanding.encoder import OnnxEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_SHARES = tuple(round(0.1 * i, 1) for i in range(11))
_TEMPERATURES = tuple(round(0.3 + 0.05 * i, 2) for i in range(45))
_FREEDOMS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def main() -> None:
    """Read the arguments, print the answer."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.finetune.calibrate", description=__doc__)
    arguments = learning_arguments(parser).parse_args()
    encoder = training.Remembering(OnnxEncoder(arguments.encoder), arguments.memory)
    concerns = read_concerns(arguments.catalogue)
    held = corpus.read(arguments.hold_out)
    heads = Heads.learn(encoder, [*corpus.read(arguments.learn), *catalogue_lines(concerns)])
    asked = heads.ask(held)
    encoder.store()
    recipe = asked.best(np.arange(len(held)))
    crossed = np.empty_like(asked.words)
    half = halves(held)
    for part in (0, 1):
        found = asked.best(np.flatnonzero(half != part))
        crossed[half == part] = asked.fused(found)[half == part]
        tell(f"half {part} is measured with {found}")
    tell(f"chosen on all: {recipe}")
    departments = departments_of(concerns)
    answer: dict[str, Any] = {"recipe": asdict(recipe), "held_out": {"sentences": len(held)}}
    names = np.array([departments[concern] for concern in heads.model.concerns])
    answer["held_out"] |= crossed_figures(crossed, asked.labels, names)
    keywords = {key: entry.get("stichworte", ()) for key, entry in concerns.items() if "abteilung" in entry}
    classifier = Fused(heads.as_model(recipe), encoder, departments, keywords)
    if not arguments.no_thresholds:
        chosen = costs.choose_thresholds(held, classifier)
        answer["thresholds"] = asdict(chosen.thresholds)
        answer["dialogue"] = {"chosen_on_all": asdict(chosen.fitted), "crossed": asdict(chosen.crossed)}
    print(json.dumps(answer, indent=1))  # noqa: T201 - a developer's script


def learning_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """`parser` with what this command and `compare` share."""
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder, with its card")
    parser.add_argument("--learn", type=Path, nargs="+", default=list(corpus.SHIPPED), help="JSONL to learn from")
    parser.add_argument(
        "--hold-out", type=Path, nargs="+", default=[corpus.HELD_OUT, corpus.HELD_OUT_MISHEARD], help="JSONL by others"
    )
    parser.add_argument("--catalogue", type=Path, required=True, help="the department catalogue (YAML)")
    parser.add_argument("--memory", type=Path, required=True, help="folder in which vectors are remembered")
    parser.add_argument("--no-thresholds", action="store_true", help="calibrate only; thresholds take some minutes")
    return parser


def read_concerns(catalogue: Path) -> dict[str, dict[str, Any]]:
    """The YAML's `anliegen`."""
    concerns: dict[str, dict[str, Any]] = yaml.safe_load(catalogue.read_text(encoding="utf-8"))["anliegen"]
    return concerns


def departments_of(concerns: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Concern -> department, the special ones too."""
    return {key: entry["abteilung"] for key, entry in concerns.items() if "abteilung" in entry} | SPECIAL


def catalogue_lines(concerns: Mapping[str, Mapping[str, Any]]) -> list[corpus.Line]:
    """The sentences that `anruflotse train` makes of the catalogue's concerns."""
    handled = {key: entry for key, entry in concerns.items() if "aktion" not in entry}
    return training.lines_of_catalogue(
        {key: entry["name"] for key, entry in handled.items()},
        {key: entry["beschreibung"] for key, entry in handled.items()},
    )


@dataclass(frozen=True)
class Asked:
    """What the heads answered to some lines: log-probabilities (n, concerns), those of the sense by freedom."""

    words: NDArray[np.float32] = field(repr=False)
    senses: dict[float, NDArray[np.float32]] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)

    def fused(self, recipe: training.Recipe) -> NDArray[np.float32]:
        """The log-probabilities of both together."""
        return models.fuse(self.words, self.senses[recipe.freedom], recipe.share, recipe.temperature)

    def best(self, rows: NDArray[np.int64]) -> training.Recipe:
        """The recipe with the least log-loss on `rows`."""
        right, losses = self.labels[rows], {}
        for freedom, sense in self.senses.items():
            for share in _SHARES:
                for temperature in _TEMPERATURES:
                    scores = models.fuse(self.words[rows], sense[rows], share, temperature)
                    loss = -float(scores[np.arange(len(rows)), right].mean())
                    losses[training.Recipe(share, temperature, freedom)] = loss
        return min(losses, key=losses.__getitem__)


@dataclass(frozen=True)
class Heads:
    """The words' head, and the encoder's head by freedom."""

    model: models.Model
    senses: dict[float, models.Model]
    encoder: training.Remembering

    @classmethod
    def learn(cls, encoder: training.Remembering, lines: Sequence[corpus.Line]) -> Heads:
        """All heads on `lines`."""
        tell(f"embedding {len(lines)} sentences")
        vectors = encoder.encode([line.text for line in lines])
        labels = np.array([line.concern for line in lines])
        tell("learning")
        first = training.fit(lines, vectors, encoder.fingerprint, training.Recipe(0.5, 1.0, _FREEDOMS[0]))
        senses = {_FREEDOMS[0]: first}
        for freedom in _FREEDOMS[1:]:
            (sense, bias), centre, scale = training.sense_head(vectors, labels, freedom)
            senses[freedom] = replace(first, sense=sense, sense_bias=bias, centre=centre, scale=scale)
        return cls(first, senses, encoder)

    def ask(self, lines: Sequence[corpus.Line]) -> Asked:
        """What all heads say to `lines`."""
        vectors = self.encoder.encode([line.text for line in lines])
        return Asked(
            np.stack([self.model.log_words(line.text) for line in lines]),
            {freedom: head.log_sense(vectors) for freedom, head in self.senses.items()},
            np.array([self.model.concerns.index(line.concern) for line in lines]),
        )

    def as_model(self, recipe: training.Recipe) -> models.Model:
        """The heads with `recipe`."""
        return replace(self.senses[recipe.freedom], share=recipe.share, temperature=recipe.temperature)


def halves(lines: Sequence[corpus.Line]) -> NDArray[np.int64]:
    """0 or 1 for each line: every other persona, all lines of one together."""
    personas = sorted({line.persona for line in lines})
    return np.array([personas.index(line.persona) % 2 for line in lines])


def crossed_figures(
    scores: NDArray[np.float32], labels: NDArray[np.int64], names: NDArray[np.str_]
) -> dict[str, float | list[float]]:
    """Departments and concerns right, log-loss and calibration error; `names` are the concerns' departments."""
    chances = np.exp(scores.astype(np.float64))
    places = sorted(set(names))
    masses = np.stack([chances[:, names == place].sum(1) for place in places], 1)
    top, right = masses.max(1), np.array(places)[masses.argmax(1)] == names[labels]
    return {
        "departments_right": round(float(right.mean()), 4),
        "interval": [round(edge, 4) for edge in evaluation.wilson(int(right.sum()), len(right))],
        "concerns_right": round(float((scores.argmax(1) == labels).mean()), 4),
        "log_loss": round(-float(scores[np.arange(len(labels)), labels].mean()), 4),
        "calibration_error": round(evaluation.calibration_error(top, right), 4),
    }


def tell(line: str) -> None:
    """Tell the developer on stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a developer's script


if __name__ == "__main__":
    main()
