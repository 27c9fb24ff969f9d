"""The encoder as a torch module, its fine-tuning, and its export to an 8-bit ONNX file."""
# ruff: noqa: ANN401 - tensors have no type the checker can see without torch
# torch and onnx are not dependencies of the product, so the type checker does not see them.
# mypy: disable-error-code="import-not-found, import-untyped, misc, no-any-return, unused-ignore"

from __future__ import annotations

import copy
import itertools
import math
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from anruflotse.understanding.encoder import MAX_PIECES, PREFIX
from anruflotse.understanding.finetune.noise import disturb

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from anruflotse.understanding.finetune.weights import Shape, Weights

_DROPOUT = 0.1
_BATCH = 64
RATE, _HEAD_RATE = 2e-4, 1e-3
_SMOOTHING = 0.05
_CONTRAST, _CONTRAST_TEMPERATURE = 0.3, 0.1
_MASKED = -1e4
_TOLD = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to tune, from which seed, with how many threads, and how fast at most (learning rate)."""

    epochs: int
    seed: int = 1
    workers: int = 2
    rate: float = RATE


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q, self.k, self.v, self.ao = (nn.Linear(shape.hidden, shape.hidden) for _ in range(4))
        self.fi, self.fo = nn.Linear(shape.hidden, shape.inner), nn.Linear(shape.inner, shape.hidden)
        self.aln, self.oln = (nn.LayerNorm(shape.hidden, shape.epsilon) for _ in range(2))
        self.drop = nn.Dropout(_DROPOUT)

    def forward(self, x: Any, mask: Any) -> Any:
        batch, length, hidden = x.shape

        def split(t: Any) -> Any:
            return t.view(batch, length, self.heads, hidden // self.heads).transpose(1, 2)

        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        scores = torch.softmax(q @ k.transpose(-1, -2) * (hidden // self.heads) ** -0.5 + mask, -1)
        seen = (self.drop(scores) @ v).transpose(1, 2).reshape(batch, length, hidden)
        x = self.aln(x + self.drop(self.ao(seen)))
        return self.oln(x + self.drop(self.fo(functional.gelu(self.fi(x)))))


class Encoder(nn.Module):
    """BERT with mean pooling: (batch, pieces) ids and mask -> (batch, hidden)."""

    def __init__(self, weights: Weights, keep: Sequence[int]) -> None:
        """Take the weights, with the word embedding's rows picked and ordered by `keep`; it stays frozen."""
        super().__init__()
        shape = weights.shape
        self.word = nn.Embedding(len(keep), shape.hidden)
        self.position = nn.Embedding(shape.positions, shape.hidden)
        self.kind = nn.Parameter(torch.zeros(shape.hidden))
        self.norm = nn.LayerNorm(shape.hidden, shape.epsilon)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.drop = nn.Dropout(_DROPOUT)
        tensors = dict(weights.tensors)
        tensors["word.weight"] = tensors["word.weight"][list(keep)]
        self.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
        self.word.weight.requires_grad_(requires_grad=False)

    def forward(self, ids: Any, mask: Any) -> Any:
        """Mean of the last layer over the unmasked pieces."""
        x = self.drop(self.norm(self.word(ids) + self.position.weight[: ids.shape[1]][None] + self.kind))
        hidden = (1 - mask[:, None, None, :].to(x.dtype)) * _MASKED
        for layer in self.layers:
            x = layer(x, hidden)
        weight = mask[:, :, None].to(x.dtype)
        return (x * weight).sum(1) / weight.sum(1)


def batch(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[Any, Any]:
    """Ids and mask of `texts`, padded to the longest."""
    rows = [encoding.ids[:MAX_PIECES] for encoding in tokenizer.encode_batch([PREFIX + text for text in texts])]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [1] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def embed(encoder: Encoder, tokenizer: Tokenizer, texts: Sequence[str]) -> NDArray[np.float32]:
    """Embeddings (n, hidden) of `texts`, without dropout, computed in bfloat16."""
    encoder = copy.deepcopy(encoder).bfloat16().eval()
    order = np.argsort([len(text) for text in texts], kind="stable")
    found = []
    with torch.no_grad():
        for start in range(0, len(texts), 64):
            rows = [texts[i] for i in order[start : start + 64]]
            found += [encoder(*batch(tokenizer, rows)).float().numpy()]
    answer = np.empty((len(texts), found[0].shape[1]), np.float32)
    answer[order] = np.concatenate(found)
    return answer


def tune(
    encoder: Encoder,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    *,
    head: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32], float],
    words: Collection[str],
    plan: Plan,
    report: Callable[[str], None],
) -> None:
    """Fine-tune `encoder` in place to tell `labels` apart.

    `head` is what to start from: coefficients, intercepts, and the vectors' centre and scale. Threads share each batch
    and compute in bfloat16 (four times as fast as float32 where the processor knows it); weights and loss are float32.
    The threads draw their dropout from one generator, so two runs differ in the last digits.
    """
    torch.manual_seed(plan.seed)
    torch.set_num_threads(1)
    chance = random.Random(plan.seed)  # noqa: S311 - augmentation, not a secret
    coefficients, intercepts, centre, scale = head
    classes = len(intercepts)
    linear = nn.Linear(coefficients.shape[1], classes)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(coefficients).float())
        linear.bias.copy_(torch.from_numpy(intercepts).float())
    middle = torch.from_numpy(centre)
    counts = np.bincount(labels, minlength=classes)
    weight = torch.tensor((counts.mean() / np.maximum(counts, 1)) ** 0.5, dtype=torch.float32)
    learnt = [p for p in encoder.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": learnt, "lr": plan.rate}, {"params": linear.parameters(), "lr": _HEAD_RATE}],
        weight_decay=0.01, fused=True)  # fmt: skip
    steps = plan.epochs * math.ceil(len(texts) / _BATCH)

    def ramp(step: int) -> float:
        return min((step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, ramp)
    team = _Team(encoder, tokenizer, plan.workers)
    for epoch in range(plan.epochs):
        started, total = time.monotonic(), 0.0
        order = _alike_lengths(texts, chance)
        for number, rows in enumerate(order, 1):
            vectors = team.forward([disturb(texts[i], chance, words) for i in rows])
            target = torch.from_numpy(labels[rows])
            x = (vectors - middle) / scale
            loss = functional.cross_entropy(linear(x), target, weight=weight, label_smoothing=_SMOOTHING)
            loss = loss + _CONTRAST * _contrast(x, target)
            optimiser.zero_grad()
            loss.backward()
            team.backward(vectors.grad)
            nn.utils.clip_grad_norm_(learnt, 1.0)
            optimiser.step()
            schedule.step()
            team.follow()
            total += float(loss.detach())
            if number % _TOLD == 0:
                report(f"  {number}/{len(order)}: loss {total / number:.3f}, {time.monotonic() - started:.0f} s")
        report(f"epoch {epoch + 1}/{plan.epochs}: loss {total / len(order):.3f}, {time.monotonic() - started:.0f} s")


class _Team:
    """Copies of an encoder that each compute a part of a batch, in threads of their own."""

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, workers: int) -> None:
        self._master, self._tokenizer = encoder, tokenizer
        self._copies = [copy.deepcopy(encoder).bfloat16().train() for _ in range(workers)]
        self._pool = ThreadPoolExecutor(workers)
        self._parts: list[Any] = []

    def forward(self, texts: Sequence[str]) -> Any:
        """Vectors of `texts`; its gradient is what `backward` wants."""
        ends = [len(texts) * i // len(self._copies) for i in range(len(self._copies) + 1)]
        shares = [texts[start:end] for start, end in itertools.pairwise(ends) if end > start]
        self._parts = list(self._pool.map(self._encode, self._copies, shares))
        return torch.cat([part.detach().float() for part in self._parts]).requires_grad_()

    def backward(self, gradient: Any) -> None:
        """Leave the gradients of the encoder's weights in the encoder."""
        ends = np.cumsum([0, *map(len, self._parts)])
        shares = [gradient[start:end].bfloat16() for start, end in itertools.pairwise(ends)]
        list(self._pool.map(lambda part, share: part.backward(share), self._parts, shares))
        for mine, *others in self._weights():
            found = [other.grad.float() for other in others if other.grad is not None]
            mine.grad = torch.stack(found).sum(0)
            for other in others:
                other.grad = None

    def follow(self) -> None:
        """Take over the encoder's new weights."""
        with torch.no_grad():
            for mine, *others in self._weights():
                for other in others:
                    other.copy_(mine)

    def _encode(self, encoder: Encoder, texts: Sequence[str]) -> Any:
        return encoder(*batch(self._tokenizer, texts))

    def _weights(self) -> list[tuple[Any, ...]]:
        rows = zip(self._master.parameters(), *(replica.parameters() for replica in self._copies), strict=True)
        return [row for row in rows if row[0].requires_grad]


def _alike_lengths(texts: Sequence[str], chance: random.Random) -> list[list[int]]:
    """Random batches of roughly equal lengths, so that little time goes into padding."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]) * chance.uniform(0.9, 1.1))
    batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    chance.shuffle(batches)
    return batches


def _contrast(x: Any, target: Any) -> Any:
    """Supervised contrastive loss (Khosla et al. 2020): sentences of one concern together, others apart."""
    x = functional.normalize(x, dim=1)
    alike = x @ x.T / _CONTRAST_TEMPERATURE
    own = torch.eye(len(x), dtype=torch.bool)
    log = alike - torch.logsumexp(alike.masked_fill(own, _MASKED), 1, keepdim=True)
    same = (target[:, None] == target[None]) & ~own
    paired = same.sum(1)
    each = (log * same).sum(1) / paired.clamp(min=1)
    return -(each * (paired > 0)).sum() / (paired > 0).sum().clamp(min=1)


def save(encoder: Encoder, path: Path) -> None:
    """Write what tuning changes (all but the word embeddings) in float32, for `load`."""
    tuned = {name: p.detach().numpy() for name, p in encoder.named_parameters() if p.requires_grad}
    np.savez(path, **tuned)


def load(encoder: Encoder, path: Path) -> None:
    """Take over what `save` has written; word embeddings stay, so the vocabulary may have grown since."""
    with np.load(path) as tuned:
        encoder.load_state_dict({name: torch.from_numpy(tuned[name]) for name in tuned.files}, strict=False)


def export(encoder: Encoder, path: Path) -> None:
    """Write `encoder` as ONNX with 8-bit weights (inputs `ids`, `mask` int64; output `embedding` float32)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - only here

    encoder.eval()
    ids = torch.ones((2, 9), dtype=torch.int64)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        torch.onnx.export(
            encoder, (ids, torch.ones_like(ids)), str(plain), input_names=["ids", "mask"], output_names=["embedding"],
            dynamic_axes={"ids": {0: "n", 1: "pieces"}, "mask": {0: "n", 1: "pieces"}, "embedding": {0: "n"}},
            opset_version=17, dynamo=False,
        )  # fmt: skip
        quantize_dynamic(plain, path, per_channel=True, weight_type=QuantType.QInt8,
                         op_types_to_quantize=["MatMul", "Gather"])  # fmt: skip
