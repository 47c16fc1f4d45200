"""Attention budget: how a layer's attention is split over bos, instruction, image, question, answer.

Definitions: docs/definitions.md, "Attention budget".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.trace import Rows, Segment, Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Budget:
    """Attention by segment.

    Every row of `share` sums to 1, or is NaN where image and text share no softmax, so that nothing is split.
    `rate` is 1 where a segment gets its size's worth.
    """

    labels: tuple[str, ...]  # of layers
    segments: tuple[Segment, ...]
    share: np.ndarray  # [layer, segment], fraction of attention mass
    rate: np.ndarray  # [layer, segment], share / fraction of visible tokens
    entropy: np.ndarray  # [layer], bits, over keys, mean over rows
    competes: np.ndarray  # [layer], bool
    nowhere: np.ndarray  # [layer], attention that went to a learned sink and so to no token; shares are of the rest

    def of(self, segment: Segment) -> np.ndarray:
        """Share of one segment, [layer]; zeros where the trace has no such token."""
        return self.share[:, self.segments.index(segment)] if segment in self.segments else 0 * self.entropy

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        table: dict[str, Any] = {"layer": self.labels, "entropy_bits": self.entropy}
        for index, segment in enumerate(self.segments):
            table[f"share_{segment.word}"] = self.share[:, index]
            table[f"rate_{segment.word}"] = self.rate[:, index]
        if self.nowhere.any():
            table["nowhere"] = self.nowhere
        return pd.DataFrame(table)


def budget(trace: Trace, rows: Rows = "last", without: Sequence[int] = ()) -> Budget:
    """Split the attention of `rows` over segments, layer by layer.

    Args:
        trace: must have watched `rows`.
        rows: "last", "question" or "answer".
        without: key positions to leave out (sinks, say); shares are renormalised over the rest.

    Raises:
        NotWatched: the trace did not keep these rows.

    Only places where image and text compete in one softmax have a share; elsewhere use `contributions`, which compares
    all wirings.
    """
    record = trace.record(rows)
    places = [i for i, place in enumerate(trace.places) if place.kind != "cross"]
    present = trace.segments_of(rows)
    member = np.stack([trace.segments == s for s in present], axis=1).astype(float)  # [position, segment]
    share = np.full((len(places), len(present)), np.nan)
    rate, entropy, nowhere = share.copy(), np.full(len(places), np.nan), np.zeros(len(places))
    for line, i in enumerate(places):
        visible = record.visible[i].copy()  # [row, position]
        visible[:, list(without)] = False
        whole = record.attention[i].mean(axis=0)  # [row, position]
        attention = whole * visible
        asked = attention.sum(axis=1) > 0  # a row may see nothing here, or put nothing on what is left
        if not asked.any():
            continue
        if trace.places[i].sinks:
            nowhere[line] = 1 - whole[asked].sum(axis=1).mean()
        visible, attention = visible[asked], attention[asked].astype(float)
        attention = attention / attention.sum(axis=1, keepdims=True)
        surprise = -np.log2(attention, out=np.zeros_like(attention), where=attention > 0)
        entropy[line] = (attention * surprise).sum(axis=1).mean()
        if not trace.places[i].competes:
            continue
        share[line] = (attention @ member).mean(axis=0)
        size = (visible @ member / visible.sum(axis=1, keepdims=True)).mean(axis=0)
        # A segment with every token left out has no size: its rate is undefined, not zero.
        rate[line] = np.divide(share[line], size, out=np.full(len(size), np.nan), where=size > 0)
    return Budget(
        labels=tuple(trace.places[i].label for i in places),
        segments=present,
        share=share,
        rate=rate,
        entropy=entropy,
        competes=np.array([trace.places[i].competes for i in places], bool),
        nowhere=nowhere,
    )
