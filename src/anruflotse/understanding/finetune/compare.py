"""`python -m anruflotse.understanding.finetune.compare`: departments right, words alone, encoder alone, and fused.

Heads learn from `--learn` and the catalogue and answer each `--exam`. How they are joined (share, freedom) is chosen on
`--hold-out`, for each encoder anew. One line an exam, with 95 % intervals.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from anruflotse.understanding import corpus, training
from anruflotse.understanding.encoder import OnnxEncoder
from anruflotse.understanding.evaluation import wilson
from anruflotse.understanding.finetune.calibrate import (
    Heads,
    catalogue_lines,
    departments_of,
    learning_arguments,
    read_concerns,
)


def main() -> None:
    """Read the arguments, print the table."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.finetune.compare", description=__doc__)
    parser.add_argument("--exam", type=Path, nargs="+", required=True, help="JSONL to answer")
    arguments = learning_arguments(parser).parse_args()
    concerns = read_concerns(arguments.catalogue)
    encoder = training.Remembering(OnnxEncoder(arguments.encoder), arguments.memory)
    heads = Heads.learn(encoder, [*corpus.read(arguments.learn), *catalogue_lines(concerns)])
    asked = heads.ask(corpus.read(arguments.hold_out))
    recipe = asked.best(np.arange(len(asked.labels)))
    # Alone, the encoder's head may have the freedom that suits it best.
    alone = min(
        asked.senses, key=lambda freedom: -asked.senses[freedom][np.arange(len(asked.labels)), asked.labels].mean()
    )
    departments = departments_of(concerns)
    places = np.array([departments[concern] for concern in heads.model.concerns])
    print(f"{arguments.encoder.name}: {recipe}, alone {alone}", flush=True)  # noqa: T201 - a developer's script
    for exam in arguments.exam:
        answers = heads.ask(corpus.read([exam], repeats=True))
        cells = []
        for name, scores in (
            ("words", answers.words), ("encoder", answers.senses[alone]), ("fused", answers.fused(recipe)),
        ):  # fmt: skip
            hits = int((places[scores.argmax(1)] == places[answers.labels]).sum())
            low, high = wilson(hits, len(scores))
            cells.append(f"{name} {hits / len(scores):.1%} ({low:.1%} to {high:.1%})")
        print(f"{exam.parent.name}/{exam.name}: {', '.join(cells)}, n = {len(scores)}", flush=True)  # noqa: T201
    encoder.store()


if __name__ == "__main__":
    main()
