"""What rows of an attention call look at, and what they read: the arithmetic, without anybody listening."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vlmlens.trace.segments import Segment

ROWS_AT_ONCE = 256  # where attention is not torch's own


@dataclass(frozen=True, eq=False)
class Call:
    """What one attention module asks for."""

    query: Tensor  # [batch, head, query, width of a head]
    key: Tensor  # [batch, key head, key, width of a head]
    value: Tensor  # [batch, key head, key, width of a head]
    mask: Tensor | None  # bool or additive, broadcastable to [batch, head, query, key]
    causal: bool = False  # without a mask: a query reads no key after its own
    scaling: float | None = None
    softcap: float | None = None  # scores are bent to lie within it on both sides (Gemma 2)
    sinks: Tensor | None = None  # [head]: the score of a place that is no key and holds nothing (gpt-oss)


def with_bias(bias: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """A mask that also adds to the scores; the lowest number stands for what may not be looked at."""
    if causal:
        mask = torch.ones(bias.shape[-2:], dtype=torch.bool, device=bias.device).tril()
    if mask is None or mask.dtype != torch.bool:
        return bias if mask is None else bias + mask
    return torch.where(mask, bias, torch.finfo(bias.dtype).min)


def output_of(call: Call, dropout: float) -> Tensor:
    """What every query reads, [batch, head, query, width of a head]."""
    heads = call.query.shape[1]
    if call.softcap is None and call.sinks is None:
        return F.scaled_dot_product_attention(
            call.query,
            call.key,
            call.value,
            call.mask,
            dropout,
            call.causal,
            scale=call.scaling,
            enable_gqa=call.key.shape[1] != heads,
        )
    # Torch's fused attention has neither; some rows at a time, so that memory does not grow with the square.
    value = repeat_heads(call.value, heads)
    chunks = torch.arange(call.query.shape[2], device=value.device).split(ROWS_AT_ONCE)
    return torch.cat([row_attention(call, rows, None)[0].to(value.dtype) @ value for rows in chunks], dim=2)


def by_segment(call: Call, segments: np.ndarray, blocked: Tensor | None) -> Tensor:
    """How much of each row's attention falls on each segment, mean over heads, float32 [query, segment]."""
    member = F.one_hot(torch.from_numpy(segments).long(), len(Segment)).float().to(call.query.device)
    chunks = torch.arange(call.query.shape[2], device=call.query.device).split(ROWS_AT_ONCE)
    return torch.cat([row_attention(call, rows, blocked)[0][0].mean(dim=0) @ member for rows in chunks]).detach()


def by_head(rows: Tensor, states: Tensor) -> Tensor:
    """Rows [batch, head, row, x] times key or value heads [batch, key head, x, y], each with its own, none copied."""
    batch, heads, count, width = rows.shape
    grouped = rows.reshape(batch, states.shape[1], heads // states.shape[1] * count, width)
    return (grouped @ states).view(batch, heads, count, states.shape[-1])


def repeat_heads(states: Tensor, heads: int) -> Tensor:
    """Key or value heads repeated so that every query head has its own (grouped queries)."""
    return states.repeat_interleave(heads // states.shape[1], dim=1)


def row_attention(call: Call, rows: Tensor, blocked: Tensor | None) -> tuple[Tensor, Tensor]:
    """Softmax of some query rows, in float32.

    Returns weights [batch, head, row, key] and what each row may look at, bool [batch, row, key]. A row with nothing to
    look at has weights of zero. With learned sinks a row's weights sum to less than 1.
    """
    query = call.query[:, :, rows]
    scale = query.shape[-1] ** -0.5 if call.scaling is None else call.scaling
    scores = by_head(query, call.key.transpose(-1, -2)).float() * scale  # [batch, head, row, key]
    if call.softcap is not None:
        scores = call.softcap * torch.tanh(scores / call.softcap)
    batch, heads, _, keys = scores.shape
    visible = torch.ones(batch, 1, len(rows), keys, dtype=torch.bool, device=scores.device)
    if call.causal:
        visible &= torch.arange(keys, device=scores.device) <= rows[:, None]
    if call.mask is not None:
        of_rows = call.mask[:, :, rows] if call.mask.shape[2] > 1 else call.mask
        if of_rows.dtype == torch.bool:
            visible = visible & of_rows
        else:
            scores = scores + of_rows
            visible = visible & (of_rows > torch.finfo(of_rows.dtype).min / 2)
    if blocked is not None:
        visible = visible & ~blocked[:, None, rows]
    scores = scores.masked_fill(~visible, -torch.inf)
    if call.sinks is not None:
        sinks = call.sinks.float().view(1, heads, 1, 1).expand(*scores.shape[:3], 1)
        scores = torch.cat([scores, sinks], dim=-1)
    weights = scores.softmax(dim=-1)[..., :keys]
    return weights.nan_to_num(0.0), visible.any(dim=1)
