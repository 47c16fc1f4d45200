"""How much of the answering row's attention goes to the picture?"""

import numpy as np

from vlmlens.attention import budget
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, Ruler
from vlmlens.rulers.shares import over_items, share_of
from vlmlens.trace import Segment, Trace


def image_attention(trace: Trace, text: tuple[Segment, ...]) -> float:
    """Mean over heads and layers of the picture's part of what goes to picture and words; NaN where none compete."""
    found = budget(trace)
    image, words = found.of(Segment.IMAGE), np.sum([found.of(segment) for segment in text], axis=0)
    layers = [share_of(float(i), float(w)) for i, w in zip(image, words, strict=True) if i == i and w == w]
    known = [share for share in layers if share == share]
    return float(np.mean(known)) if known else float("nan")


def measure(bench: Bench) -> Reading:
    shares = [image_attention(trace, bench.text) for trace in bench.traces]
    return over_items(bench, shares, "picture and words share no softmax on the way to the answer")


RULER = Ruler(
    "attention",
    "wiring",
    "The answering row's attention to the picture, of its attention to picture and words; mean over heads, over the "
    "layers where both compete in one softmax, and over items.",
    r"$\frac{1}{|L|}\sum_{l \in L} \frac{a_l(\text{image})}{a_l(\text{image}) + a_l(\text{words})}$",
    "Attention as a share: Jain and Wallace (NAACL 2019) on why it is no explanation.",
    "whether what was attended to mattered: a value of zero can be attended to. Where a wiring never lets picture and "
    "words compete, there is no such share at all.",
    "items",
    measure,
)
