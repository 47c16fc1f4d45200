"""Raw attention maps: the answering row's attention to every image cell, place by place."""

from collections.abc import Sequence

import numpy as np

from vlmlens.trace import Place, Rows, Trace


def image_maps(trace: Trace, rows: Rows = "last", without: Sequence[int] = ()) -> tuple[tuple[Place, ...], np.ndarray]:
    """The places whose rows see the image, and their attention to it: float32 [place, head, row, cell].

    Places are those where the answering row ("last") sees the image, whatever `rows` is asked for, so that maps of
    different rows can be laid side by side; a row that sees none there has zeros. Attention to the positions in
    `without` (sinks, say) is left out.
    """
    grid = trace.grid
    seeing = [i for i, visible in enumerate(trace.record("last").visible) if visible[:, grid.read].any()]
    record = trace.record(rows)
    places = tuple(trace.places[i] for i in seeing)
    if not seeing:
        return (), np.zeros((0, 1, len(record.positions), grid.cells), np.float32)
    kept = np.ones(trace.length, np.float32)
    kept[list(without)] = 0.0
    return places, np.stack([grid.spread(record.attention[i] * kept) for i in seeing])


def seen(trace: Trace) -> np.ndarray:
    """Which image tokens the answering row may look at, at `image_maps`' places: bool [place, token with a place].

    All of them, but where a sliding window ends within the picture.
    """
    visible = np.stack([visible[:, trace.grid.read].any(axis=0) for visible in trace.record("last").visible])
    found: np.ndarray = visible[visible.any(axis=1)]
    return found


def default_place(trace: Trace) -> int:
    """Which of `image_maps`' places to show first: the one whose map is the most concentrated, readouts last.

    Concentration is the largest share of the map's mass in one cell, head mean. A place that sees only a part of the
    picture comes after those that see more.
    """
    places, values = image_maps(trace)
    mean = values[:, :, 0].mean(axis=1)  # [place, cell]
    peak = mean.max(axis=1) / np.maximum(mean.sum(axis=1), 1e-12)
    peak[[place.kind == "readout" for place in places]] -= 1.0
    reach = seen(trace).mean(axis=1)  # [place]
    return int((peak + 2.0 * reach).argmax()) if len(places) else 0
