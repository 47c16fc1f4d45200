"""The attention function that every model here calls, and the recorder that listens to it.

    with recording(sites, segments, watch, edits) as recorder:
        logits = model(**inputs)
    recorder.kept[site]          # what the watched rows of that site did

Without a recorder `attend` is attention and nothing else: torch's own, where that can do what is asked. With one, the
output is computed by the very same call, and the softmax of the watched rows is computed beside it, so that watching
cannot change an answer. Recorders live in a ContextVar: two threads on one model never see each other's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.trace.rows import Call, by_head, by_segment, output_of, repeat_heads, row_attention, with_bias
from vlmlens.trace.segments import Segment
from vlmlens.trace.watch import Branch, Edit, Knockout, Scale, Site
from vlmlens.trace.writing import Writing


@dataclass(frozen=True, eq=False)
class Kept:
    """What the watched rows of one site did in one forward pass."""

    rows: Tensor  # [row], indices into the site's queries
    attention: Tensor  # [batch, head, row, key]
    visible: Tensor  # [batch, row, key], bool
    mixed: Tensor | None  # [batch, row, segment, heads]: what all heads read, told apart by the segment it came from
    read: Tensor | None  # [batch, row, heads]: what they read, from the output of attention
    writing: Writing | None  # how these rows write it to the residual stream; it waits until somebody asks
    sinks: bool = False  # whether learned sinks, which are no key, take a part of each row

    @property
    def parts(self) -> Tensor | None:
        """The update, told apart by the segment it came from, float32 [batch, row, segment, width]."""
        return None if self.writing is None or self.mixed is None else self.writing.write(self.mixed)

    @property
    def update(self) -> Tensor | None:
        """The update itself, without bias, float32 [batch, row, width]."""
        return None if self.writing is None or self.read is None else self.writing.write(self.read)


@dataclass(frozen=True, eq=False)
class Flow:
    """All that one site's attention did; its weights are part of the graph where gradients are kept."""

    weights: Tensor  # [batch, head, query, key]
    value: Tensor  # [batch, head, key, width of a head]
    writing: Writing


@dataclass(eq=False)
class Recorder:
    """Listens to one forward pass. Made by `recording`."""

    sites: Mapping[nn.Module, Site]
    segments: np.ndarray  # [position]
    rows: Mapping[str, Sequence[int]]  # site name -> watched token positions
    contributions: bool = True
    edits: Sequence[Edit] = ()
    branches: Sequence[Branch] = ()  # by layer, ascending; each joins the batch, which begins with the clean pass alone
    after: Mapping[nn.Module, nn.Module] = field(default_factory=dict)  # attention module -> norm of what it writes
    whole: bool = False  # keep every row of every site, at the price of its square
    split: bool = False  # keep how every row of every site falls on the segments, some rows at a time
    see: Callable[[int, Tensor], None] | None = None  # shown the states [batch, position, width] entering each layer
    kept: dict[str, Kept] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    shares: dict[str, Tensor] = field(default_factory=dict)  # site name -> [query, segment], mean over heads
    peaks: dict[int, Tensor] = field(default_factory=dict)  # layer -> [position], of the first variant
    step: int | None = None  # the position of the only query, where a cache holds what came before it

    @property
    def watching(self) -> bool:
        return bool(self.rows)  # also where no site has the rows that were asked for

    def following(self, step: int, watched: bool) -> "Recorder":
        """One for the pass that generates from position `step`; its row is kept where `watched`."""
        rows = {name: (step,) if watched else () for name in self.rows}
        return replace(self, rows=rows, step=step, kept={}, flows={}, peaks={})

    def placed(self, site: Site) -> Site:
        """A site with the positions that this pass has at it."""
        if self.step is None:
            return site
        keys = range(site.keys[0], self.step + 1) if site.kind == "self" else site.keys
        return replace(site, queries=(self.step,), keys=keys)

    def knockouts(self, site: Site, device: torch.device) -> Tensor | None:
        """Blocked edges of a site, bool [variant, query, key], or None where nothing is blocked."""
        if not self.branches:
            blocked = _blocked(self.edits, site)
            return None if blocked is None else torch.from_numpy(blocked).to(device)
        inside = [branch for branch in self.branches if branch.layer <= site.layer]
        found = [_blocked([*self.edits, *edits], site) for edits in ((), *(branch.edits for branch in inside))]
        if all(blocked is None for blocked in found):
            return None
        none = np.zeros((1, len(site.queries), len(site.keys)), bool)
        return torch.from_numpy(np.concatenate([none if b is None else b for b in found])).to(device)

    def entering(self, layer: int, states: Tensor, positions: Sequence[int]) -> Tensor:
        """Hidden states [batch, position, width] that enter a layer, with this layer's changes made."""
        states = _changed(states, self.edits, layer, positions)
        if self.branches:
            joining = sum(branch.layer == layer for branch in self.branches)
            states = torch.cat([states, states[:1].expand(joining, *states.shape[1:])])
            inside = self.branches[: len(states) - 1]
            changed = [_changed(states[[i + 1]], branch.edits, layer, positions) for i, branch in enumerate(inside)]
            states = torch.cat([states[:1], *changed])
        if self.see is not None:
            self.see(layer, states)
        return states

    def measure(self, layer: int, states: Tensor) -> None:
        """Keep how far the largest activation of each position stands out as it enters a layer."""
        size = states[0].float()
        self.peaks[layer] = (size.abs().amax(-1) / size.pow(2).mean(-1).sqrt().clamp_min(1e-12)).detach()


def _blocked(edits: Sequence[Edit], site: Site) -> np.ndarray | None:
    """Edges of a site that knock-outs block, bool [variant, query, key], or None where they block none."""
    total: np.ndarray | None = None
    for edit in edits:
        if not isinstance(edit, Knockout) or (edit.layers is not None and site.layer not in edit.layers):
            continue
        keys = np.atleast_2d(edit.keys)  # [variant, position]
        readers = np.concatenate([np.ones_like(keys), np.ones_like(keys[:, :1])], axis=1)  # [variant, position + 1]
        if isinstance(edit.rows, np.ndarray):
            readers &= edit.rows
        elif edit.rows == "others":
            readers[:, :-1] &= ~keys
        blocked = readers[:, list(site.queries), None] & keys[:, None, list(site.keys)]
        total = blocked if total is None else total | blocked
    return total if total is not None and total.any() else None


def _changed(states: Tensor, edits: Sequence[Edit], layer: int, positions: Sequence[int]) -> Tensor:
    """States [batch, position, width] after the edits that change those entering `layer`."""
    for edit in edits:
        if isinstance(edit, Knockout) or edit.layer != layer:
            continue
        where = {position: index for index, position in enumerate(positions)}
        chosen = [i for i, p in enumerate(edit.positions) if p in where]
        if not chosen:
            continue
        states = states.clone()
        index = [where[edit.positions[i]] for i in chosen]
        if isinstance(edit, Scale):
            states[:, index] *= edit.factor
            continue
        new = torch.as_tensor(edit.states, dtype=states.dtype, device=states.device)
        states[:, index] = new[chosen] if new.ndim else new
    return states


_active: ContextVar[Recorder | None] = ContextVar("vlmlens_recorder", default=None)
Hears = Callable[[nn.Module, Call], None]
_overheard: ContextVar[Hears | None] = ContextVar("vlmlens_overheard", default=None)


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Let `recorder` hear every attention call of this thread until the block ends, also by an error."""
    token = _active.set(recorder)
    try:
        yield recorder
    finally:
        _active.reset(token)


@contextmanager
def overhearing(hear: Hears) -> Iterator[None]:
    """Let `hear` be told of every attention call of this thread, whoever else records, until the block ends."""
    token = _overheard.set(hear)
    try:
        yield
    finally:
        _overheard.reset(token)


def recorded() -> Recorder | None:
    """The recorder that hears this thread, if any."""
    return _active.get()


def hand_over(recorder: Recorder) -> None:
    """From now on `recorder` hears this thread in place of the one before, until the block of `recording` ends."""
    _active.set(recorder)


def entering(layer: int, states: Tensor, positions: Sequence[int]) -> Tensor:
    """The states entering `layer`, changed by the active recorder's edits if there is one."""
    recorder = _active.get()
    if recorder is None:
        return states
    states = recorder.entering(layer, states, positions)
    if recorder.watching:
        recorder.measure(layer, states)
    return states


def leaving(layers: int, states: Tensor, positions: Sequence[int]) -> Tensor:
    """The states that leave the last of so many layers, which may be changed as if they entered one more."""
    recorder = _active.get()
    return states if recorder is None else recorder.entering(layers, states, positions)


def changed(layer: int, states: Tensor, positions: Sequence[int]) -> Tensor:
    """As `entering`, for states that have been shown before: only the active recorder's edits are made."""
    recorder = _active.get()
    return states if recorder is None else _changed(states, recorder.edits, layer, positions)


def listener(module: nn.Module) -> tuple[Recorder, Site] | None:
    """The active recorder and the site that it knows this module as; None where it listens to others only."""
    recorder = _active.get()
    site = recorder.sites.get(module) if recorder is not None else None
    return None if recorder is None or site is None else (recorder, site)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """Attention with the signature of transformers' attention interface.

    A sliding window needs no argument: it is in the mask.

    Args:
        query: [batch, head, query, width of a head].
        key, value: [batch, key head, key, width of a head]; fewer heads than `query` for grouped queries.
        attention_mask: None, bool (True: may look) or additive, broadcastable to [batch, head, query, key].
        softcap, s_aux: see `Call`.
        position_bias: added to the scores, broadcastable to [batch, head, query, key] (T5).

    Returns:
        output [batch, query, head, width of a head], and None where eager attention would return its weights.
    """
    if is_causal is None:
        is_causal = getattr(module, "is_causal", False)
    causal = bool(is_causal) and attention_mask is None and query.shape[2] > 1
    if attention_mask is not None:
        attention_mask = attention_mask[..., : key.shape[2]]
    if position_bias is not None:
        attention_mask, causal = with_bias(position_bias, attention_mask, causal), False
    call = Call(query, key, value, attention_mask, causal, scaling, softcap, s_aux)
    if (hear := _overheard.get()) is not None:
        hear(module, call)
    recorder = _active.get()
    site = recorder.sites.get(module) if recorder is not None else None
    if recorder is not None and site is not None and recorder.whole:
        return _whole(module, recorder, site, call), None
    output = output_of(call, dropout if module.training else 0.0)

    if recorder is not None and site is not None:
        site = recorder.placed(site)
        blocked = recorder.knockouts(site, query.device)
        if blocked is not None:
            blocked = blocked[..., -key.shape[2] :]  # a cache keeps the last keys that a sliding window reaches
            changed = blocked.any(dim=(0, 2)).nonzero().squeeze(1)  # rows that lose an edge in some variant
            weights, _visible = row_attention(call, changed, blocked)
            output = output.clone()
            output[:, :, changed] = weights.to(value.dtype) @ repeat_heads(value, query.shape[1])
        if recorder.split:
            recorder.shares[site.name] = by_segment(call, recorder.segments[list(site.keys)], blocked)
        positions = recorder.rows.get(site.name, ())
        if len(positions):
            place = {position: index for index, position in enumerate(site.queries)}
            rows = torch.tensor([place[p] for p in positions], device=query.device)
            weights, visible = row_attention(call, rows, blocked)
            recorder.kept[site.name] = keep(module, recorder, site, rows, weights, visible, call, output)
    return output.transpose(1, 2).contiguous(), None


def _whole(module: nn.Module, recorder: Recorder, site: Site, call: Call) -> Tensor:
    """The output computed from the weights of all rows, which are kept; a gradient can be taken by them."""
    weights, _ = row_attention(call, torch.arange(call.query.shape[2], device=call.query.device), None)
    if torch.is_grad_enabled() and not weights.requires_grad:
        weights.requires_grad_()  # the first site of a model without trainable parameters
    repeated = repeat_heads(call.value, call.query.shape[1])
    output = weights.to(call.value.dtype) @ repeated
    writing = Writing.of(module, recorder.after.get(module), output.detach())
    recorder.flows[site.name] = Flow(weights, repeated.detach(), writing)
    return output.transpose(1, 2).contiguous()


def keep(
    module: nn.Module,
    recorder: Recorder,
    site: Site,
    rows: Tensor,
    weights: Tensor,
    visible: Tensor,
    call: Call,
    output: Tensor,
) -> Kept:
    """Split the update of the watched rows by segment (Kobayashi et al., EMNLP 2020, eq. 3 summed over a segment).

    part[s] = sum over keys k in s and heads h of  weight[h, row, k] * value[h, k] @ W_O[h]

    and, where a norm stands between attention and the residual stream, what that norm makes of it.
    """
    keys = weights.shape[-1]
    mixed = written = writing = None
    if recorder.contributions:
        segment = torch.from_numpy(recorder.segments[list(site.keys)[-keys:]]).to(weights.device)
        member = F.one_hot(segment.long(), len(Segment)).to(weights.dtype)  # [key, segment]
        read = output[:, :, rows]
        writing = Writing.of(module, recorder.after.get(module), read)
        split = (weights[:, :, :, None] * member.T).flatten(2, 3)  # [batch, head, row * segment, key]
        mixed = by_head(split, call.value.float()).unflatten(2, (len(rows), len(Segment)))
        mixed = mixed.permute(0, 2, 3, 1, 4).flatten(3).detach()
        written = read.transpose(1, 2).flatten(2).detach()
    gone = len(site.keys) - keys  # of a sliding window, before the first key that its cache holds
    weights, visible = F.pad(weights.detach(), (gone, 0)), F.pad(visible, (gone, 0))
    return Kept(rows, weights, visible, mixed, written, writing, call.sinks is not None)
