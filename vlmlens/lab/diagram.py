"""How is a model wired, read from one forward pass of its own modules and from no table?

    found = diagram(LabModel("gated"))
    found.edges                  # (layer, keys, queries): whose states who looks at

One pass of a copy, with hooks on every module and a Recorder that takes each of them for an attention. What calls
attention is an attention module. The gradient of what it was given, with respect to the states that entered its layer
and to the features that entered the fusion, tells which rows those are: a row of queries depends on the one position it
was taken from. Gates and sizes are those of the modules.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vlmlens.lab.fusion import STREAMS, Gate, Part, Wiring
from vlmlens.lab.model import LabModel
from vlmlens.lab.text import encode
from vlmlens.lab.vision import PATCHES, WIDTH
from vlmlens.trace import Site
from vlmlens.trace.capture import Recorder, recording

PARTS: tuple[Part, ...] = ("image", "question", "latents")
QUESTION = "what color is the star?"
Edge = tuple[int, Part, Part | None]  # layer, keys, queries; None for the query that the answer is read with


@dataclass(frozen=True)
class Group:
    """Heads of one attention that look at the same parts."""

    heads: int
    keys: tuple[Part, ...]
    positions: int  # how many keys


@dataclass(frozen=True)
class Attention:
    """One attention module as it was found at work."""

    module: str  # its dotted name
    layer: int  # as many as there are layers for the readout
    queries: tuple[Part, ...]  # none for a learned query of its own, which is no token
    rows: int  # how many queries
    groups: tuple[Group, ...]
    head_width: int
    gates: tuple[float, float] | None  # of attention and of the feed-forward behind it

    @property
    def heads(self) -> int:
        return sum(group.heads for group in self.groups)

    @property
    def keys(self) -> tuple[Part, ...]:
        return tuple(part for part in PARTS if any(part in group.keys for group in self.groups))


@dataclass(frozen=True)
class Diagram:
    """Streams as lanes, layers as columns."""

    lanes: Mapping[Part, int]  # the parts that there are, and how many positions each has
    layers: int
    width: int  # of the states
    attentions: tuple[Attention, ...]  # in the order in which they ran
    answers: int  # that the readout chooses from

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Whose states (keys) who (queries) looks at, by layer; the last layer is the readout."""
        return tuple(
            dict.fromkeys(
                (found.layer, key, query)
                for found in self.attentions
                for key in found.keys
                for query in (found.queries or (None,))
            )
        )

    @property
    def readout(self) -> Attention:
        return self.attentions[-1]

    def sentence(self) -> str:
        """The diagram in words, for who cannot see it."""
        sizes = ", ".join(f"{count} {PEOPLE_SAY[part]}" for part, count in self.lanes.items())
        looks = []
        for layer in range(self.layers):
            here = [found for found in self.attentions if found.layer == layer]
            told = " while ".join(f"{_named(found.queries)} look at {_them(found)}" for found in here)
            looks.append(f"layer {layer + 1}: {told}")
        pools = " and apart from them ".join(_named(group.keys) for group in self.readout.groups)
        return f"{sizes}. {'; '.join(looks)}. The answer is pooled from {pools}."

    def to_dict(self) -> dict[str, Any]:
        return {
            "lanes": dict(self.lanes),
            "layers": self.layers,
            "width": self.width,
            "attentions": [
                {
                    "module": found.module,
                    "layer": found.layer + 1,
                    "queries": list(found.queries),
                    "rows": found.rows,
                    "keys": [{"heads": g.heads, "parts": list(g.keys), "positions": g.positions} for g in found.groups],
                    "head_width": found.head_width,
                    "gates": found.gates,
                }
                for found in self.attentions
            ],
        }


PEOPLE_SAY: Mapping[Part, str] = {"image": "patches", "question": "words", "latents": "latents"}


def _named(parts: Sequence[Part]) -> str:
    return " and ".join(PEOPLE_SAY[part] for part in parts)


def _them(found: Attention) -> str:
    gate = "" if found.gates is None else f" through a gate of {found.gates[0]:.2f}"
    own = "themselves" if len(found.queries) == 1 else "each other and themselves"
    return (own if found.queries == found.keys else _named(found.keys)) + gate


def declared(wiring: Wiring) -> tuple[Edge, ...]:
    """The edges that the registry's table promises, to be held against those that are found."""
    looked = [
        (layer, key, query)
        for layer, looks in enumerate(wiring.layers)
        for look in looks
        for key in _in_order(STREAMS[look.keys])
        for query in _in_order(STREAMS[look.queries])
    ]
    read = [(len(wiring.layers), key, None) for key in _in_order(STREAMS[wiring.reads])]
    return tuple(dict.fromkeys([*looked, *read]))


def _in_order(parts: Sequence[Part]) -> list[Part]:
    return [part for part in PARTS if part in parts]


@dataclass(eq=False)
class _Call:
    """What one module was given, in the order of the pass."""

    module: nn.Module
    given: tuple[Tensor, ...]
    layer: int


def diagram(model: LabModel, question: str = QUESTION, patches: int = PATCHES) -> Diagram:
    """How `model` joins `patches` picture tokens and a question's words. The model itself is not touched.

    Raises QuestionError for a word that the lab does not know.
    """
    copied = copy.deepcopy(model).requires_grad_(True).eval()
    ids = encode([question])
    features = torch.randn(1, patches, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        words, mask = copied.words(ids)
    leaves: dict[Part, Tensor] = {"image": features.requires_grad_(), "question": words.detach().requires_grad_()}
    if copied.fusion.queries:
        leaves["latents"] = copied.fusion.latents
    entered: list[Tensor] = []
    calls: list[_Call] = []

    def hear(module: nn.Module, given: tuple[Any, ...]) -> None:
        tensors = tuple(each for each in given if isinstance(each, Tensor) and each.is_floating_point())
        calls.append(_Call(module, tensors, len(entered) - 1))

    names = {module: name for name, module in copied.named_modules() if name.startswith(("fusion", "readout"))}
    handles = [module.register_forward_pre_hook(hear) for module in names]
    sites = {module: Site(name, 0, "self", (), ()) for module, name in names.items()}
    recorder = Recorder(sites, np.zeros(0), {}, whole=True, see=lambda _, states: entered.append(states))
    try:
        with torch.enable_grad(), recording(recorder):
            logits = copied.fuse(leaves["image"], leaves["question"], mask)
    finally:
        for handle in handles:
            handle.remove()
    part_of = _parts(entered[0], leaves)
    attentions = [
        _attention(copied, names[call.module], call, entered, part_of, recorder.flows[names[call.module]].weights)
        for call in calls
        if names[call.module] in recorder.flows
    ]
    lanes = {part: part_of.count(part) for part in PARTS if part in part_of}
    return Diagram(lanes, len(entered) - 1, entered[0].shape[-1], tuple(attentions), logits.shape[-1])


def _attention(
    model: LabModel, name: str, call: _Call, entered: list[Tensor], part_of: list[Part], weights: Tensor
) -> Attention:
    """`weights` [1, head, query, key] are what the module computed; zero where it may not look."""
    states = entered[call.layer]
    sources = [_sources(given, states) for given in call.given[:2]]
    taken = sources[0] if len(sources) == 2 else [()] * weights.shape[2]  # one stream: the query is the module's own
    keys = sources[-1]
    looked = weights[0].detach().amax(1) > 0  # [head, key]
    groups: dict[tuple[bool, ...], int] = {}
    for row in looked.tolist():
        groups[tuple(row)] = groups.get(tuple(row), 0) + 1
    parent = model.get_submodule(name.rpartition(".")[0])
    gates = [float(module.alpha.detach().tanh()) for module in parent.modules() if isinstance(module, Gate)]
    return Attention(
        module=name,
        layer=call.layer,
        queries=_met(taken, part_of),
        rows=weights.shape[2],
        groups=tuple(
            Group(heads, _met([keys[i] for i, may in enumerate(row) if may], part_of), sum(row))
            for row, heads in groups.items()
        ),
        head_width=_head_width(model.get_submodule(name), weights.shape[1]),
        gates=(gates[0], gates[1]) if len(gates) == 2 else None,
    )


def _head_width(module: nn.Module, heads: int) -> int:
    """What one head reads: the output projection takes all heads side by side."""
    projection = next(m for name, m in module.named_modules() if name.endswith("out_proj"))
    return int(projection.in_features) // heads


def _met(sources: Sequence[tuple[int, ...]], part_of: list[Part]) -> tuple[Part, ...]:
    found = {part_of[position] for positions in sources for position in positions}
    return tuple(part for part in PARTS if part in found)


def _parts(states: Tensor, leaves: Mapping[Part, Tensor]) -> list[Part]:
    """Which part each position of the first states [1, position, width] was made from."""
    found: list[Part] = []
    made = {part: _depends(states, leaf).reshape(states.shape[1], -1).any(1) for part, leaf in leaves.items()}
    for position in range(states.shape[1]):
        found += [part for part in PARTS if part in made and made[part][position]]
    return found


def _sources(given: Tensor, states: Tensor) -> list[tuple[int, ...]]:
    """For each row of what a module was given, [batch, row, width], the positions of `states` that it comes from."""
    depends = _depends(given, states)[:, 0].any(-1)  # [row, position]
    return [tuple(np.flatnonzero(row).tolist()) for row in depends.numpy()]


def _depends(given: Tensor, source: Tensor) -> Tensor:
    """Whether each row of `given` [1, row, width] depends on each number of `source`: bool [row, *source.shape].

    By the gradient of a random mix of the row's numbers: of their plain sum a layer norm leaves none.
    """
    mixed = given[0] @ torch.randn(given.shape[-1], generator=torch.Generator().manual_seed(1))  # [row]
    if not mixed.requires_grad:
        return torch.zeros(len(mixed), *source.shape, dtype=torch.bool)
    gradient: Tensor | None = torch.autograd.grad(
        mixed, source, torch.eye(len(mixed)), retain_graph=True, allow_unused=True, is_grads_batched=True
    )[0]
    if gradient is None:
        return torch.zeros(len(mixed), *source.shape, dtype=torch.bool)
    found: Tensor = gradient != 0
    return found
