"""Vanishing gradients: does the loss reach the attention that joins picture and words, at every depth?"""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.lab.model import LabModel
from vlmlens.lab.pitfalls.joining import joining
from vlmlens.lab.questions import ANSWERS
from vlmlens.pitfalls.evidence import Evidence
from vlmlens.pitfalls.finding import Detector, Finding, judged, not_applicable, over_rows

LEAST = 1e-4
BATCHES = 6
NOTHING = 1e-12  # ratios below are this
BESIDE = "The gradient at the attention that joins picture and words is {} that of all other weights"
DEPTH = "The gradient at the first layer of the attention that joins picture and words is {} that at its last"


def grouped(model: LabModel) -> tuple[dict[int, list[nn.Parameter]], list[nn.Parameter]]:
    """Weight matrices of the joining attention by layer, and all others of fusion and readout.

    Biases and gates belong to neither: the loss reaches them even where nothing comes through the attention.
    """
    layers: dict[int, list[nn.Parameter]] = {}
    for _, layer, link in joining(model.fusion):
        layers.setdefault(layer, []).extend(p for p in link.attention.parameters() if p.ndim > 1)
    inside = {id(p) for group in layers.values() for p in group}
    every = [p for part in (model.fusion, model.readout) for p in part.parameters() if p.ndim > 1]
    return layers, [p for p in every if id(p) not in inside]


def size(parameters: list[nn.Parameter]) -> float:
    """Root mean square of the gradients of some weights."""
    squares = sum(float(p.grad.double().pow(2).sum()) for p in parameters if p.grad is not None)
    return float(np.sqrt(squares / max(1, sum(p.numel() for p in parameters))))


def sizes(model: LabModel, inputs: tuple[Tensor, Tensor, Tensor], answer: Tensor) -> tuple[dict[int, float], float]:
    """Size of the gradient of one batch's loss at the joining attention, by layer, and at the rest."""
    model.zero_grad()
    F.cross_entropy(model.fuse(*inputs), answer).backward()
    layers, rest = grouped(model)
    return {layer: size(group) for layer, group in layers.items()}, size(rest)


def find(evidence: Evidence) -> Finding:
    if evidence.lab is None:
        return not_applicable("Gradients of weights are taken of the lab's own wirings only.")
    if not grouped(evidence.lab)[0]:
        return not_applicable(f"In {evidence.vlm.name} no attention joins picture and words.")
    bench = evidence.bench
    model = copy.deepcopy(evidence.lab).eval().requires_grad_(False)  # another session may be asking the model itself
    for part in (model.fusion, model.readout):
        part.requires_grad_(True)
    items = bench.items[np.random.default_rng([37, evidence.seed]).permutation(len(bench.items))]
    vocabulary = evidence.probe.vocabulary
    truth = {(int(p), int(q)): vocabulary[t] for (p, q), t in zip(bench.items, bench.truth, strict=True)}
    batches = []
    for index in np.array_split(items, BATCHES):
        evidence.progress.check()
        with evidence.vlm.lock:
            batch = evidence.vlm.batch(
                [evidence.probe.pictures[p] for p, _ in index], [evidence.probe.questions[q] for _, q in index]
            )
        image, words, mask = (batch.inputs[name].clone() for name in ("image", "text", "mask"))
        answer = torch.tensor([ANSWERS.index(truth[int(p), int(q)]) for p, q in index])
        with evidence.vlm.listening(), torch.enable_grad():
            batches.append(sizes(model, (image, words, mask), answer))
    order = sorted(batches[0][0])
    by_layer = np.array([[found[layer] for layer in order] for found, _ in batches])  # [batch, layer]
    rest = np.array([other for _, other in batches])
    ratios = {BESIDE: _ratio(np.sqrt((by_layer**2).mean(axis=1)), rest)}
    if len(order) > 1:
        ratios[DEPTH] = _ratio(by_layer[:, 0], by_layer[:, -1])
    logs = {name: np.log10(found) for name, found in ratios.items()}
    worst = min(logs, key=lambda name: float(logs[name].mean()))
    low, high = (float(10**end) for end in over_rows(logs[worst], evidence.seed, least=-np.inf))
    number = float(10 ** logs[worst].mean())
    return Finding(
        judged((low, high), LEAST, ill_above=False),
        f"{worst.format(f'{number:.2g} times')} (95 % interval {low:.2g} to {high:.2g}).",
        number,
        (low, high),
        BATCHES,
        {
            "layers": [layer + 1 for layer in order],
            "by_layer": by_layer.mean(axis=0).tolist(),
            "rest": float(rest.mean()),
        },
    )


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[batch], at least NOTHING; where both are nothing, nothing vanishes there."""
    found: np.ndarray = np.maximum(one, NOTHING * 1e-6) / np.maximum(other, NOTHING * 1e-6)
    return np.maximum(found, NOTHING)


DETECTOR = Detector(
    "vanishing gradients",
    "Does the loss reach the attention that joins picture and words?",
    "times the other gradient, root mean square a weight",
    f"found where the gradient at the joining attention is below {LEAST:g} of the rest's, or at its first layer below "
    "that of its last",
    "Let the stream go past each layer, and let what is new learn faster.",
    ("skip connections", "higher rate"),
    find,
)
