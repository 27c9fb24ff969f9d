"""`python -m anruflotse.understanding.finetune.compare`: departments right, words alone, encoder alone, and fused.

Heads learn from `--learn` and the catalogue and answer `--exam`; one line an encoder, with 95 % intervals.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml

from anruflotse.understanding import corpus, model, training
from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.encoder import OnnxEncoder
from anruflotse.understanding.evaluation import wilson
from anruflotse.understanding.finetune.calibrate import catalogue_lines


def main() -> None:
    """Read the arguments, print the table."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.finetune.compare", description=__doc__)
    parser.add_argument("--encoder", type=Path, nargs="+", required=True, help="folders of encoders")
    parser.add_argument("--learn", type=Path, nargs="+", default=list(corpus.SHIPPED), help="JSONL to learn from")
    parser.add_argument("--exam", type=Path, required=True, help="JSONL to answer")
    parser.add_argument("--catalogue", type=Path, required=True, help="the department catalogue (YAML)")
    parser.add_argument("--share", type=float, default=0.5, help="weight of the encoder in the fusion")
    parser.add_argument("--freedom", type=float, default=0.1, help="inverse regularisation of the encoder's head")
    arguments = parser.parse_args()
    concerns = yaml.safe_load(arguments.catalogue.read_text(encoding="utf-8"))["anliegen"]
    departments = SPECIAL | {key: entry["abteilung"] for key, entry in concerns.items() if "abteilung" in entry}
    everything = [*corpus.read(arguments.learn), *catalogue_lines(concerns)]
    exam = corpus.read([arguments.exam], repeats=True)
    for folder in arguments.encoder:
        encoder = OnnxEncoder(folder)
        vectors = encoder.encode([line.text for line in everything])
        heads = training.fit(
            everything, vectors, encoder.fingerprint, training.Recipe(arguments.share, 1.0, arguments.freedom)
        )
        words = np.stack([heads.log_words(line.text) for line in exam])
        sense = heads.log_sense(encoder.encode([line.text for line in exam]))
        both = model.fuse(words, sense, arguments.share, 1.0)
        cells = []
        for name, scores in (("words", words), ("encoder", sense), ("fused", both)):
            found = [departments[heads.concerns[int(i)]] for i in scores.argmax(1)]
            hits = sum(a == departments[line.concern] for a, line in zip(found, exam, strict=True))
            low, high = wilson(hits, len(exam))
            cells.append(f"{name} {hits / len(exam):.1%} ({low:.1%} to {high:.1%})")
        print(f"{folder}: {', '.join(cells)}, n = {len(exam)}", flush=True)  # noqa: T201 - a developer's script


if __name__ == "__main__":
    main()
