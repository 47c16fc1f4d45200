"""The sentences over the charts, and what stands behind each `?`."""

import re

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

TRUST = (
    "Can this map be trusted?",
    "The hottest patches are taken away, a few at a time up to a sixth of them, and put back on an empty picture in "
    "the same order (deletion and insertion, Petsiuk et al., BMVC 2018), in four ways: mean colour, blur, another "
    "picture, knock-out of their tokens. The same is done in the order of 49 random maps with this map's power "
    "spectrum, which makes them as smooth. *Better than random*: at most one of them scores as high (p ≤ .04). Dots: "
    "the answer's probability with the hottest tenth knocked out, grey with what random maps mark. *It cannot tell* "
    "that a map is complete, and half-removed pictures are unlike any that the model was trained on.",
)

MODES = {"knockout": "knock-out", "zero": "zero"}
MODES_TOLD = (
    "- **knock-out**: the edges of the route are blocked in this layer alone; what is lost was read there.\n"
    "- **zero**: the picture's states are set to 0 as they enter this layer; what is lost would be read from there on, "
    "so the curve is a staircase. It is blind to what words have taken over from the picture before."
)
SWEEP_ITEMS = (
    "One question has no interval and no test. Over many, a layer counts if its drop is beyond the noise floor and "
    "beyond chance (sign flips, all layers together)."
)
SWEEP = (
    "Masking sweep",
    "How the probability of the model's own answer changes when the picture is masked at one layer (Geva et al., "
    "EMNLP 2023; Song et al., arXiv 2601.08151). Grey band: what invisible noise, the batch and the place in it "
    "change. *Fusion layer*: masking it lowers the answer by more than that. *Review layer*: one of those, late and "
    "alone: the model looks again. *It cannot tell* where in the picture; see the layer's map.",
)
AGREEMENT = (
    "Rank agreement",
    "Spearman's correlation of the two maps over patches. p: how often a random map with the first one's power "
    "spectrum correlates as strongly with the second, either way. Smooth maps agree by chance more than rough ones "
    "do.",
)
CONTRAST = (
    "Contrastive attention",
    "Attention of the answering row to the picture, head mean, renormalised over the picture: a late layer's less an "
    "early one's (Song et al., arXiv 2601.08151). Red: the late layer looks there more. The late layer is the review "
    "layer if the sweep found one, else the last; the early one is the fusion layer farthest from it by Hellinger "
    "distance. Choose others by hand to see what that changes.",
)
REFINE = (
    "Refining the answer",
    "Two published forms, no training. *Soft suppression*: states of the lowest-contrast patches are scaled down as "
    "they enter the late layer. *Second pass*: the high-contrast crop is given as a second picture. Whether that "
    "helps is an empirical matter: the table says what it did on held-out questions, beside the same done at random.",
)

TRUTH = (
    "Ground truth",
    "On lab scenes the things that a question speaks of are known. Dots: how often the hottest patch of a map, as it "
    "is shown first, lies on one of them (the pointing game), with 95 % bootstrap intervals over questions; dashed: "
    "chance. *It cannot tell* which map is faithful: a model may read its answer beside the thing.",
)

CAUSAL = (
    "Causal check",
    "The region's tokens are knocked out: at every layer nothing but themselves may read them. The same is done for "
    "regions of the same shape at other places that do not touch it. Grey dots: the answer's probability with each of "
    "those hidden; grey band: 95 % bootstrap interval of their mean. *It mattered*: the interval lies more than 0.05 "
    "above the probability with the region hidden. *It cannot tell* what the vision encoder had already mixed into "
    "neighbouring patches.",
)


STEPS = (
    "The answer, token by token",
    "A model writes its answer one token at a time, and looks anew for each. Behind every token: the probability that "
    "the model gave it, with what it had already said before it. Pick one: map and budget are then those of the step "
    "that produced it. Its attention to what was already said is the green segment.",
)


def step_sentence(trace: Trace, step: int) -> str:
    """Which step is shown, and what is not."""
    token = trace.steps[step].token
    return (
        f"Token {step + 1} of {len(trace.steps)}, “{markdown(token.text)}”: where the step that produced it looked. "
        "Other maps, the verdict, the folds below and the downloads speak of the answer's first token; pick it to see "
        "them."
    )


def markdown(text: str) -> str:
    """Any text, to be read as it stands where Markdown is read."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


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
