"""What needs more of a forward pass than a trace keeps: branches, whole attention, gradients, a lens at every patch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from vlmlens.errors import NotApplicable
from vlmlens.models.base import VLM
from vlmlens.models.record import Prepared
from vlmlens.progress import Progress
from vlmlens.trace import Branch, Edit, Knockout, Site
from vlmlens.trace.capture import Flow, Recorder, recording

Score = Callable[[Tensor], Tensor]  # logits [batch, candidate] to [batch]
NO_SEGMENTS = np.zeros(0)


def branched(
    vlm: VLM, prepared: Prepared, branches: Sequence[Branch], progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """Logits of the clean pass [candidate] and of every branch [branch, candidate], float32 on the CPU.

    A branch shares the clean pass up to the layer where it leaves it, and no layer is computed twice for one chunk of
    branches: L branches, one a layer, cost half of L passes.
    """
    if branches and vlm.causal and all(_only_last(branch, prepared.length) for branch in branches):
        return _at_the_end(vlm, prepared, branches, progress)
    if not vlm.branching or any(branch.layer < vlm.whole_from for branch in branches):
        return _one_by_one(vlm, prepared, branches, progress)
    sites = vlm.sites(prepared)
    order = sorted(range(len(branches)), key=lambda i: branches[i].layer)
    clean = torch.zeros(0)
    found: dict[int, Tensor] = {}
    starts = range(0, len(order), vlm.branches_at_once(prepared)) or range(1)
    for start in (progress or Progress()).over(starts, len(starts), "batch of layers"):
        chunk = order[start : start + vlm.branches_at_once(prepared)]
        recorder = Recorder(sites, prepared.segments, {}, branches=[branches[i] for i in chunk])
        with vlm.lock, torch.inference_mode(), vlm.listening(), recording(recorder):
            logits = vlm.logits(prepared).float().cpu()
        clean = logits[0]
        found |= dict(zip(chunk, logits[1:], strict=True))
    return clean, torch.stack([found[i] for i in range(len(branches))]) if found else clean[None][:0]


def _only_last(branch: Branch, length: int) -> bool:
    """Whether a branch's edits are knock-outs that concern no row but the last position's."""
    return all(
        isinstance(edit, Knockout)
        and isinstance(edit.rows, np.ndarray)
        and set(np.flatnonzero(edit.rows)) == {length - 1}
        for edit in branch.edits
    )


def _at_the_end(
    vlm: VLM, prepared: Prepared, branches: Sequence[Branch], progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """As `branched`, where only the last position differs, which nothing before it reads."""
    sites = {module: replace(site, queries=(prepared.length - 1,)) for module, site in vlm.sites(prepared).items()}
    variants = [Branch(0, ()), *branches]  # the first is the clean pass
    found = []
    with vlm.lock, torch.inference_mode():
        ending = vlm.ending(prepared)
        at_once = vlm.endings_at_once(prepared)
        starts = range(0, len(variants), at_once)
        for start in (progress or Progress()).over(starts, len(starts), "batch of layers"):
            chunk = variants[start : start + at_once]
            edits = []
            for own, branch in zip(np.eye(len(chunk), dtype=bool), chunk, strict=True):
                knockouts = (edit for edit in branch.edits if isinstance(edit, Knockout))
                edits += [replace(edit, keys=own[:, None] & edit.keys) for edit in knockouts]
            with recording(Recorder(sites, prepared.segments, {}, edits=edits)):
                found.append(ending(len(chunk)).float().cpu())
    logits = torch.cat(found)
    return logits[0], logits[1:]


def _one_by_one(
    vlm: VLM, prepared: Prepared, branches: Sequence[Branch], progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """As `branched`, a whole pass for each branch."""
    layers = max(site.layer for site in vlm.sites(prepared).values()) + 1
    found = []
    for branch in (progress or Progress()).over([Branch(0, ()), *branches], len(branches) + 1, "pass"):
        edits: list[Edit] = []
        for edit in branch.edits:
            if isinstance(edit, Knockout):
                among = range(layers) if edit.layers is None else edit.layers
                edits.append(replace(edit, layers=tuple(layer for layer in among if layer >= branch.layer)))
            elif edit.layer >= branch.layer:
                edits.append(edit)
        with vlm.lock:
            found.append(vlm.run(prepared, None, edits)[0])
    logits = torch.cat(found)
    return logits[0], logits[1:]


@dataclass(frozen=True, eq=False)
class Whole:
    """Attention of every row at every site, in the order of the forward pass."""

    sites: tuple[Site, ...]
    flows: tuple[Flow, ...]  # detached
    slopes: tuple[Tensor, ...]  # [head, query, key]: gradient of the score by the weights; empty without a score
    length: int  # of the sequence
    row: int  # the position that the answer is read from; `length` for a readout's own query


def whole(vlm: VLM, prepared: Prepared, score: Score | None = None) -> Whole:
    """One pass with all attention kept, and the gradient of a score of the answer's logits by it."""
    sites = vlm.sites(prepared)
    recorder = Recorder(sites, prepared.segments, {}, after=vlm.after, whole=True)
    with vlm.lock, torch.set_grad_enabled(score is not None), vlm.listening(), recording(recorder):
        logits = vlm.logits(prepared).float()
        ordered = [site for site in sites.values() if site.name in recorder.flows]
        flows = [recorder.flows[site.name] for site in ordered]
        slopes: list[Tensor] = []
        if score is not None:
            found = torch.autograd.grad(score(logits).sum(), [flow.weights for flow in flows], allow_unused=True)
            slopes = [torch.zeros_like(f.weights) if s is None else s for f, s in zip(flows, found, strict=True)]
    return Whole(
        tuple(ordered),
        tuple(Flow(flow.weights.detach()[0], flow.value[0], flow.writing) for flow in flows),
        tuple(slope.detach()[0] for slope in slopes),
        prepared.length,
        prepared.row,
    )


def split(vlm: VLM, prepared: Prepared) -> dict[Site, Tensor]:
    """How every row's attention falls on the segments, [query, segment] at each site, mean over heads.

    In one pass, some rows at a time: memory grows with the length and not with its square.
    """
    sites = vlm.sites(prepared)
    recorder = Recorder(sites, prepared.segments, {}, split=True)
    with vlm.lock, torch.inference_mode(), vlm.listening(), recording(recorder):
        vlm.logits(prepared)
    return {site: recorder.shares[site.name].cpu() for site in sites.values() if site.name in recorder.shares}


@dataclass(frozen=True, eq=False)
class Eyes:
    """A picture as the vision encoder gets it, and the differentiable way from there to the answer's logits."""

    pixels: Tensor  # float [1, ...]
    cells: Tensor  # int, broadcastable to `pixels`: which cell of the grid each belongs to
    logits: Callable[[Tensor], Tensor]  # pixels [batch, ...] to [batch, candidate]
    projector: nn.Module | None
    # Its output: the image tokens [batch, cell, width] as they enter the rest of the model. None where they are others.


@dataclass(frozen=True, eq=False)
class LensReading:
    """What the model would say if it ended at each layer and read one patch alone."""

    points: tuple[str, ...]
    best: np.ndarray  # int [point, cell]: the most probable candidate
    best_probability: np.ndarray  # [point, cell]
    log_probability: np.ndarray  # [point, cell, candidate asked for], nats


def lens(vlm: VLM, prepared: Prepared, candidates: Sequence[int]) -> LensReading:
    """The logit lens (nostalgebraist, 2020) at every image token.

    Raises:
        NotApplicable: the model never reads an answer from an image position.
    """
    if prepared.grid.through is not None:
        raise NotApplicable(
            f"The patches themselves enter no layer of {vlm.name}'s decoder; a lens there shows nothing."
        )
    positions = torch.as_tensor(prepared.grid.positions)
    found: list[tuple[Tensor, Tensor, Tensor]] = []

    def see(_layer: int, states: Tensor) -> None:
        logs = vlm.read_out(states[0, positions.to(states.device)]).float().log_softmax(-1)
        top = logs.max(-1)
        found.append((top.indices.cpu(), top.values.exp().cpu(), logs[:, list(candidates)].cpu()))

    with vlm.lock, torch.inference_mode(), vlm.listening(), recording(Recorder({}, NO_SEGMENTS, {}, see=see)):
        vlm.logits(prepared)
    best, probability, logs = (torch.stack(part).numpy() for part in zip(*found, strict=True))
    return LensReading(vlm.points, best, probability, logs)
