"""What does pruning save: by the published formula, by PyTorch's count of operations, on this device's clock?"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from vlmlens.models.base import VLM
from vlmlens.models.huggingface import HuggingFaceVLM
from vlmlens.models.record import Prepared
from vlmlens.progress import Progress
from vlmlens.tokens.prune import count, prune

WARM = 2  # passes of each before the clock runs
LEAST = 6  # pairs: with fewer, no interval of a median covers 95 %


@dataclass(frozen=True)
class Decoder:
    """The sizes that the published formula knows."""

    layers: int
    width: int  # d
    inner: int  # m, of the perceptron

    @classmethod
    def of(cls, vlm: HuggingFaceVLM) -> "Decoder":
        text = vlm.model.config.get_text_config()
        inner = getattr(text, "intermediate_size", None) or getattr(text, "ffn_dim", None) or 4 * text.hidden_size
        return cls(len(vlm.layers), int(text.hidden_size), int(inner))


def layer_cost(tokens: int, decoder: Decoder) -> int:
    """Multiply-adds of a layer on n tokens: 4 n d^2 + 2 n^2 d + 2 n d m (FastV, section 4.2).

    A gated perceptron has three matrices, not two, and some models fewer key heads: see `counted`.
    """
    n, d, m = tokens, decoder.width, decoder.inner
    return 4 * n * d**2 + 2 * n**2 * d + 2 * n * d * m


def formula(decoder: Decoder, tokens: int, image: int, share: float, layer: int) -> float:
    """The part of the decoder's cost that is left: K layers on all tokens, the rest without those that leave.

    Args:
        tokens: of the whole prompt.
        image: those of them that are the picture's.
        share: of these, who stays.
        layer: K.
    """
    left = tokens - image + count(share, image)
    full = layer_cost(tokens, decoder)
    return (layer * full + (decoder.layers - layer) * layer_cost(left, decoder)) / (decoder.layers * full)


def counted(vlm: HuggingFaceVLM, prepared: Prepared, how: AbstractContextManager[object] | None = None) -> int:
    """Operations of the decoder's layers in one pass, by PyTorch's counter: two for a multiply-add, ranking included.

    `how`: the block of `prune` to count in; the full pass without.
    """
    kernels = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attended}  # which it does not know
    counter = FlopCounterMode(display=False, custom_mapping=kernels)
    with vlm.lock, how or nullcontext(), counter:
        vlm.run(prepared, None)
    found = counter.get_flop_counts()
    names = {f"{type(vlm.model).__name__}.{vlm.family.layer.format(i=i)}" for i in range(len(vlm.layers))}
    return sum(sum(found[name].values()) for name in names if name in found)


def _attended(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object) -> int:
    """Operations of a call of attention, from the shapes of what it is given."""
    return int(sdpa_flop_count(query, key, value))


@dataclass(frozen=True)
class Timing:
    """Wall time of a full pass and of a pruned one beside it, pair by pair; tower, ranking and all else included."""

    full: tuple[float, ...]  # seconds
    pruned: tuple[float, ...]

    @property
    def ratios(self) -> np.ndarray:
        """Sorted, [pair]."""
        return np.sort(np.array(self.pruned) / np.array(self.full))

    @property
    def ratio(self) -> float:
        """The median of pruned over full."""
        return float(np.median(self.ratios))

    @property
    def interval(self) -> tuple[float, float]:
        """At least 95 % for the median, by order statistics: no assumption about the noise. NaN for too few pairs."""
        pairs, below, rank = len(self.full), 0.0, 0
        while below + comb(pairs, rank) / 2**pairs <= 0.025:
            below += comb(pairs, rank) / 2**pairs
            rank += 1
        return (float(self.ratios[rank - 1]), float(self.ratios[-rank])) if rank else (np.nan, np.nan)

    @property
    def verdict(self) -> str:
        low, high = self.interval
        return "faster" if high < 1 else "slower" if low > 1 else "inconclusive"


def timed(
    vlm: VLM,
    prepared: Prepared,
    share: float,
    layer: int,
    by: str = "attention",
    pairs: int = 15,
    seconds: float = 20.0,
    progress: Progress | None = None,
) -> Iterator[Timing]:
    """Full and pruned passes in turn, who goes first changing; yields what there is after every pair.

    After `seconds` it ends with the pairs it has, at least `LEAST`.
    """

    def full() -> float:
        began = time.perf_counter()
        vlm.run(prepared, None)
        return time.perf_counter() - began

    def less() -> float:
        with prune(vlm, share, layer, by):  # its hooks are put in place before the clock runs
            return full()

    progress = progress or Progress()
    contestants: tuple[Callable[[], float], ...] = (full, less)
    took: dict[Callable[[], float], list[float]] = {full: [], less: []}
    began = time.monotonic()
    for number in progress.over(range(-WARM, pairs), pairs + WARM, "pair of passes"):
        for contestant in contestants[:: 1 if number % 2 else -1]:
            with vlm.lock:
                seen = contestant()
            if number >= 0:
                took[contestant].append(seen)
        if number >= 0:
            yield Timing(tuple(took[full]), tuple(took[less]))
        if number + 1 >= LEAST and time.monotonic() - began > seconds:
            return
