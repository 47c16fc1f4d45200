"""Gradient-weighted attention (Chefer, Gur and Wolf, ICCV 2021, "Generic Attention-model Explainability").

Relevancies of all streams stand in one matrix R, which begins as the identity. With A' = E_heads[(dA o A)+] (eq. 5):
self-attention of a stream s adds A' R[s] to its rows (eq. 6, 7); attention of s to another stream q adds
N(R[s, s])' A' N(R[q, q]) to R[s, q] (eq. 10) and A' R[q, s] to R[s, s] (eq. 11), where N normalises what was added to
the identity by row (eq. 8, 9). The readout's query takes A' R of what it pools.
"""

import torch
from torch import Tensor

from vlmlens.attention.rollout import by_layer
from vlmlens.attribution.case import Case, Map, single
from vlmlens.models.inside import Whole, whole
from vlmlens.progress import Progress


def chefer(case: Case, progress: Progress) -> Map:
    progress.step(0, "gradients by attention")
    found = relevance(whole(case.vlm, case.prepared, case.score))
    return single("chefer", case.trace.grid.spread(found.numpy()), "of relevance", signed=False)


def relevance(passed: Whole) -> Tensor:
    """How relevant each position is to the answering row, [position], float64."""
    total = torch.eye(passed.length + 1, dtype=torch.float64)
    for layer in by_layer(passed.sites):
        new = total.clone()
        for index in layer:
            site, flow, slope = passed.sites[index], passed.flows[index], passed.slopes[index]
            weights = (flow.weights.double() * slope.double()).clamp_min(0).mean(0).cpu()
            rows, keys = torch.tensor(site.queries), torch.tensor(site.keys)
            if site.kind != "cross":
                new[rows] += weights @ total[keys]
                continue
            own, other = normalised(total[rows[:, None], rows]), normalised(total[keys[:, None], keys])
            new[rows[:, None], keys] += own.T @ weights @ other
            new[rows[:, None], rows] += weights @ total[keys[:, None], rows]
        total = new
    return total[passed.row, : passed.length]


def normalised(block: Tensor) -> Tensor:
    """Eq. 8, 9: what self-attention added, each row summing to 1, on top of the identity."""
    identity = torch.eye(len(block), dtype=block.dtype)
    added = block - identity
    mass = added.sum(dim=1, keepdim=True)
    return torch.where(mass > 0, added / mass.clamp_min(1e-300), torch.zeros_like(added)) + identity
