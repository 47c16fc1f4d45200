"""Which segment every token reads, layer by layer: not the answer's row alone, but all of them.

found = every_row(vlm, picture, question)
found.share[layer, position]  # over found.segments, sums to 1
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.models import VLM, Picture
from vlmlens.models.inside import split
from vlmlens.trace import Segment

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class EveryRow:
    """Attention of all positions by segment, mean over heads."""

    labels: tuple[str, ...]  # of the places: a layer's attention of one kind
    tokens: tuple[str, ...]
    segments: tuple[Segment, ...]
    # float32 [place, position, segment], sums to 1 but for learned sinks; NaN for positions that ask nothing there
    share: np.ndarray

    def to_frame(self) -> "pd.DataFrame":
        """One row a place and a position."""
        import pandas as pd

        places, positions = (part.ravel() for part in np.indices(self.share.shape[:2]))
        table: dict[str, Any] = {
            "place": np.array(self.labels)[places],
            "position": positions,
            "token": np.array(self.tokens)[positions],
        }
        flat = self.share.reshape(-1, len(self.segments))
        return pd.DataFrame(table | {f"share_{s.word}": flat[:, i] for i, s in enumerate(self.segments)})


def every_row(vlm: VLM, picture: Picture, question: str) -> EveryRow:
    """Split the attention of every position over the segments, in one pass and in memory that grows with the length.

    A readout's own query is no token and is left out; see `budget` for the answering row.
    """
    prepared = vlm.prepare(vlm.image(picture), question)
    grouped: dict[tuple[int, str], tuple[str, np.ndarray]] = {}
    for site, share in split(vlm, prepared).items():
        asking = [i for i, position in enumerate(site.queries) if position < prepared.length]
        if not asking:
            continue
        nothing = np.full((prepared.length, len(Segment)), np.nan, np.float32)
        _, rows = grouped.setdefault((site.layer, site.kind), (site.label, nothing))
        rows[[site.queries[i] for i in asking]] = share[asking].numpy()
    present = tuple(segment for segment in Segment if (prepared.segments == segment).any())
    labels = tuple(label for label, _ in grouped.values())
    return EveryRow(labels, prepared.tokens, present, np.stack([rows[:, present] for _, rows in grouped.values()]))
