"""What whole attention says of the way from the picture to the answering row.

Positions of all streams stand in one matrix, [position + 1, position + 1]; the last is the readout's own query.
"""

import numpy as np
import torch
from torch import Tensor

from vlmlens.models.inside import Whole
from vlmlens.trace import Site


def by_layer(sites: tuple[Site, ...]) -> list[list[int]]:
    """Indices of the sites of each layer and kind, in order: these happen at once, and so do all readouts."""
    layers: dict[tuple[int, str], list[int]] = {}
    for index, site in enumerate(sites):
        layers.setdefault((-1 if site.kind == "readout" else site.layer, site.kind), []).append(index)
    return list(layers.values())


def rollout(passed: Whole) -> np.ndarray:
    """Attention rollout (Abnar and Zuidema, ACL 2020): how much of each position reaches the answering row, [position].

    Per layer the head-mean attention and the residual stream weigh one half each; layers are multiplied. A readout has
    no residual stream; of several the mean is taken. Attention to a learned sink, which is no position, is left out.
    Sums to 1.
    """
    total = torch.eye(passed.length + 1, dtype=torch.float64)
    for layer in by_layer(passed.sites):
        step = torch.eye(passed.length + 1, dtype=torch.float64)
        for place, index in enumerate(layer):
            site, weights = passed.sites[index], passed.flows[index].weights.double().mean(0).cpu()
            rows, keys = torch.tensor(site.queries), torch.tensor(site.keys)
            residual = place / (place + 1) if site.kind == "readout" else 0.5  # a running mean over readouts
            weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-12)
            step[rows] *= residual
            step[rows[:, None], keys] += (1 - residual) * weights
        total = step @ total
    found: np.ndarray = total[passed.row, : passed.length].numpy()
    return found


def value_norms(passed: Whole) -> tuple[tuple[int, ...], np.ndarray]:
    """Norm of what each position wrote into the answering row at every layer (Kobayashi et al., EMNLP 2020, eq. 3).

    Returns the layers and norms [layer, position], in units of the residual stream. Where the answer is pooled from a
    stream, the row is the stream's positions weighted by the readout, head mean, as in a trace.
    """
    mix = torch.zeros(passed.length + 1)
    mix[passed.row] = 1.0
    readouts = [i for i, site in enumerate(passed.sites) if site.kind == "readout"]
    for i in readouts:
        mix[list(passed.sites[i].keys)] += passed.flows[i].weights[:, -1].mean(0).cpu() / len(readouts)
    layers: dict[int, Tensor] = {}
    for site, flow in zip(passed.sites, passed.flows, strict=True):
        rows = mix[list(site.queries)].to(flow.weights) * flow.writing.scale[0, :, 0]
        mixed = torch.einsum("q,hqk,hkd->khd", rows, flow.weights, flow.value.float()).flatten(1)
        written = torch.zeros(passed.length, len(flow.writing.gain))
        written[list(site.keys)] = flow.writing.project(mixed).cpu()
        layers[site.layer] = layers.get(site.layer, torch.zeros_like(written)) + written
    return tuple(layers), torch.stack([written.norm(dim=-1) for written in layers.values()]).numpy()
