"""Contribution budget: from which segment the update of the answering row came, whatever the architecture.

Kobayashi et al. (EMNLP 2020), eq. 3, summed over a segment before the norm is taken: the vectors of a segment are
value-weighted and projected to the residual stream, so that they add up to what attention wrote there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.errors import NotWatched
from vlmlens.trace import Rows, Segment, Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Contributions:
    """Every row of `share` sums to 1, or is NaN where attention wrote nothing (a word asks nothing at a readout).

    Segments are told apart by position; positions mix as layers go by.
    """

    labels: tuple[str, ...]  # of layers
    segments: tuple[Segment, ...]
    share: np.ndarray  # [layer, segment], fraction of the norms of the segments' vectors
    norm: np.ndarray  # [layer, segment], in units of the residual stream
    update: np.ndarray  # [layer], norm of the whole update; less than the sum of norms where segments oppose

    def of(self, segment: Segment) -> np.ndarray:
        """Share of one segment, [layer]."""
        return self.share[:, self.segments.index(segment)] if segment in self.segments else 0 * self.update

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        table: dict[str, Any] = {"layer": self.labels, "update_norm": self.update}
        for index, segment in enumerate(self.segments):
            table[f"share_{segment.word}"] = self.share[:, index]
            table[f"norm_{segment.word}"] = self.norm[:, index]
        return pd.DataFrame(table)


def contributions(trace: Trace, rows: Rows = "last") -> Contributions:
    """Split the update that attention made to `rows` over segments, layer by layer.

    Self- and cross-attention of one layer are summed. Several rows are averaged after the norms are taken.

    Raises:
        NotWatched: the trace did not keep these rows, or not their contributions.
    """
    record = trace.record(rows)
    if not record.parts:
        raise NotWatched("This trace kept no contributions; inspect again with Watch(contributions=True).")
    present = trace.segments_of(rows)
    layers = sorted({place.layer for place in trace.places})
    norm, total, labels = [], [], []
    for layer in layers:
        here = [i for i, place in enumerate(trace.places) if place.layer == layer]
        parts = np.sum([record.parts[i] for i in here], axis=0, dtype=float)  # [row, segment, width]
        update = np.sum([record.update[i] for i in here], axis=0, dtype=float)  # [row, width]
        norm.append(np.linalg.norm(parts, axis=-1).mean(axis=0)[list(present)])
        total.append(np.linalg.norm(update, axis=-1).mean())
        labels.append(trace.places[here[0]].label)
    norms = np.array(norm, float)
    whole = norms.sum(axis=1, keepdims=True)
    share = np.divide(norms, whole, out=np.full_like(norms, np.nan), where=whole > 0)
    return Contributions(tuple(labels), present, share, norms, np.array(total, float))
