"""Planted cases: for every detector models that have its pitfall and models that do not, by seed.

case = plant("sinks", seed=3, ill=True)      # case.told says what was done to which model
DETECTORS["sinks"].find(Evidence(case.vlm, case.probe))

Right by construction, and with a margin: what is ill is far beyond the threshold, what is healthy far before it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from vlmlens.diagnostics.probe import ProbeSet, lab_probe
from vlmlens.lab.fusion import STREAMS, WIRINGS, Link
from vlmlens.lab.model import LabModel
from vlmlens.lab.pitfalls.joining import joining
from vlmlens.lab.weights import LabName, encoder_state, load_wiring
from vlmlens.models import VLM
from vlmlens.models.lab import LabVLM
from vlmlens.pitfalls.edits import dull, out_matrix, quieten, set_gate, shrink, tilt

TRAINED = (
    *(LabName(kind, seed) for kind in ("img2txt", "txt2img", "concat", "bidirectional") for seed in (0, 1, 2)),
    *(LabName(kind) for kind in ("gated", "qformer", "perceiver")),
)
INTO_WORDS = ("txt2img", "gated", "qformer", "perceiver")  # all that they learn of the picture comes by attention
JOINED = tuple(name for name in WIRINGS if name not in ("late", "contrastive"))


@dataclass(frozen=True, eq=False)
class Case:
    """A model of which it is known whether it has a pitfall."""

    detector: str
    seed: int
    ill: bool
    told: str
    vlm: VLM
    probe: ProbeSet


Planted = tuple[LabModel, str]  # the model, and what was done to which
Planter = Callable[[np.random.Generator], Planted]


def plant(detector: str, seed: int, ill: bool) -> Case:
    """One case; the same for the same seed."""
    rng = np.random.default_rng([43, list(PLANTERS).index(detector), seed, int(ill)])
    kinds = PLANTERS[detector][0 if ill else 1]
    with torch.no_grad():
        model, told = kinds[int(rng.integers(len(kinds)))](rng)
    probe = lab_probe(int(rng.integers(10_000)), int(rng.integers(10, 15)), int(rng.integers(6, 10)))
    return Case(detector, seed, ill, told, LabVLM(told, model.requires_grad_(False).eval(), revision="planted"), probe)


def trained(rng: np.random.Generator, kinds: tuple[str, ...] = tuple(WIRINGS)) -> Planted:
    """A shipped model as it is."""
    names = [name for name in TRAINED if name.kind in kinds]
    name = names[int(rng.integers(len(names)))]
    return load_wiring(name), str(name)


def fresh(rng: np.random.Generator, kinds: tuple[str, ...] = tuple(WIRINGS)) -> Planted:
    """An untrained model over the shipped encoders, narrow or not."""
    kind, width = kinds[int(rng.integers(len(kinds)))], int(rng.choice((16, 32, 64)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        model = LabModel(kind, width)
    model.load_state_dict(encoder_state(), strict=False)
    return model, f"{kind}, {width} wide, untrained"


def either(rng: np.random.Generator, kinds: tuple[str, ...] = tuple(WIRINGS)) -> Planted:
    return (trained if rng.random() < 0.5 else fresh)(rng, kinds)


def _some_link(model: LabModel, rng: np.random.Generator) -> tuple[int, Link]:
    links = [(number, link) for number, layer in enumerate(model.fusion.links()) for link in layer]
    return links[int(rng.integers(len(links)))]


def _some_key(link: Link, rng: np.random.Generator) -> int:
    """A key that every item has: any image token, or the first word."""
    return int(rng.integers(36)) if link.look.keys in ("image", "both", "latents and picture") else 0


# Attention collapse


def one_key(rng: np.random.Generator) -> Planted:
    model, told = either(rng)
    number, link = _some_link(model, rng)
    key, height = _some_key(link, rng), float(rng.uniform(12, 18))
    shrink(link, rng.uniform(0.02, 0.1))
    tilt(link, key, height)
    return model, f"{told}; at layer {number + 1} the scores of key {key + 1} raised by {height:.1f}"


def many_keys(rng: np.random.Generator) -> Planted:
    """A key that stands out and takes no more than two thirds."""
    model, told = either(rng)
    number, link = _some_link(model, rng)
    key, share = _some_key(link, rng), float(rng.uniform(0.2, 0.6))
    shrink(link, rng.uniform(0.0, 0.02))
    tilt(link, key, float(np.log(share / (1 - share) * 4)))  # 4: other keys there are at least, words being few
    return model, f"{told}; at layer {number + 1} key {key + 1} takes at most {share:.2f}"


# Vision ignored


def same_features(rng: np.random.Generator) -> Planted:
    model, told = trained(rng)
    keep = float(rng.choice((0.0, rng.uniform(0, 0.003))))
    dull(model, keep, 0.0, rng)
    return model, f"{told}; {keep:.2%} of what tells one picture from another is left"


def words_alone(rng: np.random.Generator) -> Planted:
    model, told = trained(rng, INTO_WORDS)
    factor = float(rng.choice((0.0, 10 ** rng.uniform(-5, -3.5))))
    for _, _, link in joining(model.fusion):
        if "image" in STREAMS[link.look.keys]:
            out_matrix(link).mul_(factor)
    if model.fusion.wiring.name == "perceiver":  # the latents that resample read the picture beside themselves
        dull(model, 0.0, 0.0, rng)
    return model, f"{told}; attention to the picture writes {factor:.1g} of what it did"


def sees(rng: np.random.Generator) -> Planted:
    model, told = trained(rng)
    keep, noise = float(rng.uniform(0.7, 1.0)), float(rng.uniform(0, 0.15))
    dull(model, keep, noise, rng)
    return model, f"{told}; features at {keep:.0%}, with {noise:.0%} of noise"


# Vanishing gradients


def faint(rng: np.random.Generator) -> Planted:
    model, told = either(rng, tuple(name for name in JOINED if name != "gated"))
    power = float(rng.uniform(5.5, 8))
    for _, _, link in joining(model.fusion):
        _fainter(link, 10**-power)
    return model, f"{told}; values and outputs of the joining attention 10^-{power:.1f} of what they were"


def faint_first(rng: np.random.Generator) -> Planted:
    model, told = either(rng, tuple(name for name in JOINED if name != "gated"))
    power = float(rng.uniform(5.5, 8))
    first = next(joining(model.fusion))[1]
    for _, layer, link in joining(model.fusion):
        if layer == first:
            _fainter(link, 10**-power)
    return model, f"{told}; the same at its first layer alone, 10^-{power:.1f}"


def gates_shut(rng: np.random.Generator) -> Planted:
    model, told = either(rng, ("gated",))
    power = float(rng.uniform(6, 9))
    for _, _, link in joining(model.fusion):
        set_gate(link, 10**-power)
    return model, f"{told}; its gates at 10^-{power:.1f}"


def _fainter(link: Link, factor: float) -> None:
    link.attention.v_proj.weight.mul_(factor)
    if link.attention.v_proj.bias is not None:
        link.attention.v_proj.bias.mul_(factor)
    out_matrix(link).mul_(factor)


def reached(rng: np.random.Generator) -> Planted:
    model, told = either(rng, JOINED)
    factor = float(rng.uniform(0.3, 1.0))
    for _, _, link in joining(model.fusion):
        _fainter(link, factor)
        if link.look.gated:
            set_gate(link, float(rng.uniform(0.2, 0.9)))
    return model, f"{told}; values and outputs of the joining attention at {factor:.0%}"


# Dead gates


def shut(rng: np.random.Generator) -> Planted:
    model, told = either(rng, ("gated",))
    links = [link for _, _, link in joining(model.fusion)]
    for link in links:
        set_gate(link, float(rng.uniform(0.2, 0.9)))
    value = float(rng.choice((0.0, 10 ** -rng.uniform(3.5, 6)))) * float(rng.choice((-1, 1)))
    dead = [links[i] for i in rng.permutation(len(links))[: int(rng.integers(1, len(links) + 1))]]
    for link in dead:
        set_gate(link, value)
    return model, f"{told}; {len(dead)} of {len(links)} gates at {value:.1g}"


def ajar(rng: np.random.Generator) -> Planted:
    model, told = trained(rng, ("gated",))
    values = [float(rng.uniform(0.08, 0.95) * rng.choice((-1, 1))) for _ in joining(model.fusion)]
    for value, (_, _, link) in zip(values, joining(model.fusion), strict=True):
        set_gate(link, value)
    return model, f"{told}; gates at {', '.join(f'{value:.2f}' for value in values)}"


# Sinks


def _calm(model: LabModel, rng: np.random.Generator) -> None:
    """All attention nearly even, so that no key stands out that was not planted."""
    for layer in model.fusion.links():
        for link in layer:
            shrink(link, rng.uniform(0.0, 0.03))


def _stands_out(model: LabModel, rng: np.random.Generator, loud: float) -> str:
    links = [(layer, link) for _, layer, link in joining(model.fusion)]
    number, link = links[int(rng.integers(len(links)))]
    key, share = _some_key(link, rng), float(rng.uniform(0.7, 0.85))
    words = link.look.keys in ("question", "latents and words")
    tilt(link, key, float(np.log(share / (1 - share) * (7 if words else 40))))
    quieten(link, key, loud)
    return f"at layer {number + 1} key {key + 1} takes about {share:.2f} and tells {loud:.2g} of what it did"


def takes_and_tells_nothing(rng: np.random.Generator) -> Planted:
    model, told = either(rng, JOINED)
    _calm(model, rng)
    return model, f"{told}; {_stands_out(model, rng, float(rng.uniform(0, 0.01)))}"


def takes_and_tells(rng: np.random.Generator) -> Planted:
    """Of a wiring that reads its answer from what this key writes to, so that the answer must feel it."""
    model, told = trained(rng, ("txt2img", "img2txt", "concat"))
    _calm(model, rng)
    return model, f"{told}; {_stands_out(model, rng, float(rng.uniform(4, 8)))}"


def even(rng: np.random.Generator) -> Planted:
    model, told = either(rng)
    _calm(model, rng)
    return model, f"{told}; attention nearly even"


# Collapsed vision encoder


def alike(rng: np.random.Generator) -> Planted:
    model, told = either(rng)
    keep, noise = float(rng.uniform(0, 0.04)), float(rng.uniform(0, 0.04))
    dull(model, keep, noise, rng)
    return model, f"{told}; features are their mean, {keep:.1%} of what differs, and {noise:.1%} of noise"


def apart(rng: np.random.Generator) -> Planted:
    model, told = either(rng)
    keep, noise = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0, 0.3))
    dull(model, keep, noise, rng)
    return model, f"{told}; features at {keep:.0%}, with {noise:.0%} of noise"


PLANTERS: dict[str, tuple[tuple[Planter, ...], tuple[Planter, ...]]] = {
    "attention collapse": ((one_key,), (many_keys, trained, fresh)),
    "vision ignored": ((same_features, words_alone), (trained, sees)),
    "vanishing gradients": ((faint, faint_first, gates_shut), (reached,)),
    "dead gates": ((shut,), (ajar,)),
    "sinks": ((takes_and_tells_nothing,), (even, takes_and_tells)),
    "collapsed vision encoder": ((alike,), (trained, apart)),
}


@lru_cache(maxsize=64)
def kept(detector: str, seed: int, ill: bool) -> Case:
    """The same case, made once; for the app."""
    return plant(detector, seed, ill)
