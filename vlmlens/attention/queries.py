"""What do learned queries look at, and which of them does the answer hang on?

    found = looks_of(vlm, picture, question)
    found.looks[layer, query, cell]

For models whose picture comes through learned queries (a Q-Former's, a resampler's latents) that stand in the sequence
as `Segment.LATENT`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.errors import NotApplicable
from vlmlens.models import VLM, Picture
from vlmlens.models.inside import branched, whole
from vlmlens.trace import Branch, Grid, Knockout, Segment

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class QueryLooks:
    """One picture and one question."""

    labels: tuple[str, ...]  # of the layers in which queries look at the picture
    looks: np.ndarray  # [layer, query, cell], mean over heads; sums to at most 1 over cells
    heads: np.ndarray  # [layer, head, cell]: of each head, the mean over queries
    read: np.ndarray  # [query], how much of the readout's attention each query gets; NaN where it reads others
    answer: str
    probability: float  # of the answer
    without: np.ndarray  # [query], the answer's probability where nobody reads that query
    grid: Grid

    @property
    def drop(self) -> np.ndarray:
        """[query]: how much of the answer's probability is lost without each query; below 0 where it rises."""
        return self.probability - self.without

    def on(self, cells: np.ndarray) -> np.ndarray:
        """[layer, query]: how much of each look at the picture falls on these cells (bool [cell])."""
        return self.looks[:, :, cells].sum(-1) / np.maximum(self.looks.sum(-1), 1e-12)

    @property
    def overlap(self) -> np.ndarray:
        """[layer]: how alike two queries look: sum over cells of the lesser share, mean over pairs; 1: all alike."""
        shares = self.looks / np.maximum(self.looks.sum(-1, keepdims=True), 1e-12)
        count = shares.shape[1]
        if count < 2:
            return np.ones(len(shares))
        common = np.minimum(shares[:, :, None], shares[:, None]).sum(-1)  # [layer, query, query]
        off = ~np.eye(count, dtype=bool)
        return np.asarray(common[:, off].mean(-1))

    def to_frame(self) -> "pd.DataFrame":
        """One row a layer, a query and a cell."""
        import pandas as pd

        layer, query, cell = (part.ravel() for part in np.indices(self.looks.shape))
        table: dict[str, Any] = {
            "layer": np.array(self.labels)[layer],
            "query": query + 1,
            "patch": cell + 1,
            "share": self.looks.ravel(),
        }
        return pd.DataFrame(table)


def looks_of(vlm: VLM, picture: Picture, question: str) -> QueryLooks:
    """One pass with all attention kept, and one more for each query with nobody reading it.

    Raises:
        NotApplicable: no learned query of this model looks at the picture.
    """
    prepared = vlm.prepare(vlm.image(picture), question)
    queries = np.flatnonzero(prepared.segments == Segment.LATENT).tolist()
    image = list(prepared.grid.positions)
    seen = whole(vlm, prepared)
    labels, looks, heads = [], [], []
    read = np.full(len(queries), np.nan)
    for site, flow in zip(seen.sites, seen.flows, strict=True):
        asking = [index for index, position in enumerate(site.queries) if position in set(queries)]
        weights = flow.weights.float().cpu().numpy()  # [head, query, key]
        if site.kind == "readout" and set(queries) <= set(site.keys):
            read = weights.mean(0)[0, [list(site.keys).index(position) for position in queries]]
        elif asking and set(image) <= set(site.keys):
            own = weights[:, asking][:, :, [list(site.keys).index(position) for position in image]]
            labels.append(site.label)
            looks.append(own.mean(0))
            heads.append(own.mean(1))
    if not looks:
        raise NotApplicable(f"{vlm.name} has no learned queries that look at the picture; choose lab:qformer.")
    hidden = np.eye(prepared.length, dtype=bool)[queries]
    clean, variants = branched(vlm, prepared, [Branch(0, (Knockout(keys),)) for keys in hidden])
    best = int(clean.argmax())
    return QueryLooks(
        tuple(labels),
        np.stack(looks),
        np.stack(heads),
        read,
        vlm.answer_text(best),
        float(clean.softmax(-1)[best]),
        variants.softmax(-1)[:, best].numpy(),
        prepared.grid,
    )
