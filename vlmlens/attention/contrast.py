"""Contrastive attention: where a late layer looks and an early one did not (Song et al., arXiv 2601.08151).

Attention of the answering row to the picture, head mean, renormalised over the picture; map = A[late] - A[early]. The
early layer is the one of the fusion layers that lies farthest from the late one by Hellinger distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vlmlens.attention.distances import hellinger, over_image
from vlmlens.attention.maps import image_maps, seen
from vlmlens.errors import NotApplicable
from vlmlens.trace import Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Contrast:
    """A signed map over the cells; sums to 0."""

    labels: tuple[str, ...]  # of the places whose answering row sees the picture
    early: int  # place
    late: int
    candidates: tuple[int, ...]  # places that the early one was chosen from
    distances: np.ndarray  # Hellinger, [place, place]
    values: np.ndarray  # [cell]

    def to_dict(self) -> dict[str, Any]:
        return {
            "early": self.labels[self.early],
            "late": self.labels[self.late],
            "candidates": [self.labels[place] for place in self.candidates],
            "hellinger": self.distances.tolist(),
            "values": self.values.tolist(),
        }

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame({"cell": range(len(self.values)), "contrast": self.values})


def contrast(
    trace: Trace,
    early: int | Literal["auto"] = "auto",
    late: int | Literal["auto"] = "auto",
    fusion: Sequence[int] = (),
    review: int | None = None,
) -> Contrast:
    """The contrastive map of a trace.

    Args:
        early, late: places among `image_maps`', or "auto".
        fusion: layers that a masking sweep found to fuse; where there are none before the late one, all are candidates
            that see the same part of the picture (a sliding window may end within it).
        review: the layer that reads the picture again, if the sweep found one; it is the late one, else the last layer.
            A readout is late only where there is no second layer: it gathers what layers wrote, wherever they did.

    Raises:
        NotApplicable: fewer than two places see the picture, or the same part of it.
    """
    places, values = image_maps(trace)
    if len(places) < 2:
        raise NotApplicable("Contrast needs two layers whose answering row sees the picture; here is one at most.")
    maps = over_image(values[:, :, 0].mean(axis=1))
    distances = hellinger(maps)
    layers = [place.layer for place in places]
    visible = seen(trace)  # [place, token]
    most = visible.sum(axis=1).max()
    reading = [p for p, where in enumerate(places) if where.kind != "readout" and visible[p].sum() == most]
    last = reading[-1] if len(reading) > 1 else len(places) - 1
    if review is not None and review in layers:
        last = max(1, layers.index(review))
    later = last if late == "auto" else late
    for name, place in (("early", 0 if early == "auto" else early), ("late", later)):
        if not 0 <= place < len(places):
            raise NotApplicable(f"There is no {name} layer {place}; the picture is seen at {len(places)} places.")
    alike = [p for p in range(len(places)) if p != later and np.array_equal(visible[p], visible[later])]
    if early == "auto" and not alike:
        raise NotApplicable("Contrast needs two layers whose answering row sees the same part of the picture.")
    before = [p for p in alike if p < later]
    candidates = [p for p in before if layers[p] in fusion] or before
    others = candidates or alike
    earlier = max(others, key=lambda p: float(distances[p, later])) if early == "auto" else early
    labels = tuple(place.label for place in places)
    return Contrast(labels, earlier, later, tuple(candidates), distances, maps[later] - maps[earlier])
