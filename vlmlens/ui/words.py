"""The sentences over the charts, and what stands behind each `?`."""

import numpy as np

from vlmlens.attention import Budget, Contributions
from vlmlens.trace import Segment, Trace

RULERS = {
    "share": (
        "Attention share",
        "Mean over heads of the attention that the answering row gives to each segment; sums to 1 over segments. Shown "
        "only where picture and words compete in one softmax. *It cannot tell* whether what was attended to mattered: "
        "attention to the picture hardly correlates with its use. See the causal check, and the contribution.",
    ),
    "rate": (
        "Attention rate",
        "Share divided by the segment's part of the visible tokens. 1 means that a segment gets what its size would "
        "give it. A picture has many tokens; a large share can be a low rate.",
    ),
    "contribution": (
        "Contribution to the update",
        "How much of what attention wrote into the answering row came from each segment: the norm of the segment's "
        "summed value-weighted, output-projected vectors, as a fraction of the norms of all segments (Kobayashi et "
        "al., EMNLP 2020). Comparable between all wirings. Where the answer is pooled from a stream, the row is that "
        "stream's positions weighted by the readout. *Segments are told apart by position*, and positions mix as "
        "layers go by: a late word position carries picture too.",
    ),
}

CAUSAL = (
    "Causal check",
    "The region's tokens are knocked out: at every layer nothing but themselves may read them. The same is done for "
    "regions of the same shape at other places that do not touch it. Grey dots: the answer's probability with each of "
    "those hidden; grey band: 95 % bootstrap interval of their mean. *It mattered*: the interval lies more than 0.05 "
    "above the probability with the region hidden. *It cannot tell* what the vision encoder had already mixed into "
    "neighbouring patches.",
)


def budget_sentence(split: Budget, trace: Trace) -> str:
    """The most telling layer of a budget, with its number; or why there is none."""
    if not split.competes.any():
        return (
            f"n/a: in {trace.model} picture and words never compete in one softmax, so there is no share to split. "
            "Compare wirings by their contribution."
        )
    image = split.of(Segment.IMAGE)
    layer = int(np.nanargmax(image))
    rate = split.rate[layer, split.segments.index(Segment.IMAGE)]
    only = " (the only place where they compete)" if split.competes.sum() == 1 else ""
    return (
        f"The image gets **{100 * image[layer]:.0f} %** of attention at {_short(split.labels[layer])}{only}, "
        f"{rate:.2f} times its share of tokens."
    )


def contribution_sentence(parts: Contributions) -> str:
    """The layer that the image contributes most to."""
    image = parts.of(Segment.IMAGE)
    layer = int(np.nanargmax(image))
    return (
        f"**{100 * image[layer]:.0f} %** of what attention wrote at {_short(parts.labels[layer])} came from image "
        f"positions; over all layers it was {100 * np.nanmean(image):.0f} %."
    )


def _short(label: str) -> str:
    return label.split(":")[0]
