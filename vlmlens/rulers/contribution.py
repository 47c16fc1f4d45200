"""From which side did the vectors come that attention wrote into the answering row?"""

from vlmlens.attention import contributions
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, Ruler
from vlmlens.rulers.shares import over_items, share_of
from vlmlens.trace import Segment, Trace


def image_contribution(trace: Trace, text: tuple[Segment, ...]) -> float:
    """The norms of the picture's vectors, of those of picture and words, all summed over layers; NaN for no vectors."""
    found = contributions(trace)
    norms = {segment: float(norm) for segment, norm in zip(found.segments, found.norm.sum(axis=0), strict=True)}
    return share_of(norms.get(Segment.IMAGE, 0.0), sum(norms.get(segment, 0.0) for segment in text))


def measure(bench: Bench) -> Reading:
    shares = [image_contribution(trace, bench.text) for trace in bench.traces]
    return over_items(bench, shares, "attention wrote nothing of picture or words into the answering row")


RULER = Ruler(
    "contribution budget",
    "wiring",
    "The norm of what attention wrote into the answering row from positions of the picture, of the norms from picture "
    "and words; norms summed over layers, shares averaged over items. Told for every wiring, gates included.",
    r"$\frac{\sum_l \lVert v_l(\text{image})\rVert}{\sum_l \lVert v_l(\text{image})\rVert + \lVert "
    r"v_l(\text{words})\rVert}$, $v$ summed over a side's keys before the norm",
    "Kobayashi et al. (EMNLP 2020), eq. 3.",
    "whose content a position holds after layers have mixed them: it knows positions only. What comes through learned "
    "latents counts for neither side.",
    "items",
    measure,
)
