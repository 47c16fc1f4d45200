"""What does a token do that takes attention and tells nothing? A sink planted in a corner of the board."""

from functools import lru_cache

import numpy as np
import torch

from vlmlens import charts
from vlmlens.attribution.ground_truth import Mean
from vlmlens.lab.vision import PATCHES
from vlmlens.lab.weights import LabName, load_wiring
from vlmlens.lessons.figures.common import asked, bar, declared, hits, numbers, scenes, share, shares, texts, within
from vlmlens.lessons.figures.figure import Amount, LessonFigure, Load, Settings, Shown
from vlmlens.models.lab import LabVLM
from vlmlens.pitfalls.edits import quieten, tilt
from vlmlens.progress import Progress
from vlmlens.trace import Watch

ITEMS, LOOKED = 80, 16
CORNER = PATCHES - 1  # the last patch: the lower right corner


@lru_cache(maxsize=8)
def planted(height: float) -> LabVLM:
    """lab:concat with `height` added to every score of the corner, whose values are set to nothing."""
    model = load_wiring(LabName.parse("lab:concat"))
    with torch.no_grad():
        for layer in model.fusion.links():
            for link in layer:
                tilt(link, CORNER, height)
                quieten(link, CORNER, 0.0)
    return LabVLM(f"lab:concat with a sink of {height:g}", model, revision="planted")


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    clean, vlm = load("lab:concat"), planted(float(settings["height"]))
    items = asked(ITEMS)
    before = hits(clean, clean.probabilities(scenes(items), texts(items)), items)
    after = hits(vlm, vlm.probabilities(scenes(items), texts(items)), items)
    taken: list[float] = []
    clean_taken: list[float] = []
    hottest: list[float] = []
    for item in progress.over(items[:LOOKED], LOOKED, "board"):
        for which, kept in ((clean, clean_taken), (vlm, taken)):
            trace = which.inspect(item.scene, item.question.text, watch=Watch(("question",), False), new_tokens=0)
            # Where the words ask: the fusion's layers, not the readout, which has a query of its own.
            layers = [a.mean(axis=(0, 1)) for a in trace.record("question").attention if a.shape[2] and a.any()]
            weights = np.mean(layers, axis=0)
            kept.append(float(weights[CORNER]))
            if which is vlm:
                hottest.append(float(weights[:PATCHES].argmax() == CORNER))
    look, usual = Mean.of(np.array(taken)), Mean.of(np.array(clean_taken))
    loss = Mean.of(before.astype(float) - after)
    one, two = share(before), share(after)
    bars = [
        bar("attention to the corner", look, "image"),
        bar("right with the sink", two, "after"),
        bar("right without it", one, "before"),
    ]
    return Shown(
        f"The corner takes {within(look)} of the words' attention; {within(two)} of the answers are right, without the "
        f"sink {within(one)}.",
        {
            **numbers("taken", look),
            "usual": usual.value,
            "hottest": float(np.mean(hottest)),
            "even": 1 / trace.length,
            "times": look.value * trace.length,
            **numbers("right", two),
            **numbers("right_without", one),
            **numbers("loss", loss),
        },
        charts.named_bars(bars, "share"),
        table=shares(bars),
    )


FIGURE = LessonFigure(
    "sink",
    "a sink planted in a corner: what it takes, and what becomes of the answers",
    (Amount("height", "Added to the corner's scores", 0, 12, 1, 4),),
    {
        **declared("taken", "the corner's share of the words' attention, mean over layers"),
        "usual": "the same without a sink",
        "hottest": "share of the maps whose hottest patch is the corner",
        "even": "a token's share if all got alike",
        "times": "taken, in units of that",
        **declared("right", "share of right answers with the sink"),
        **declared("right_without", "share of right answers without"),
        **declared("loss", "accuracy lost, question by question"),
    },
    "A sink is a token that takes much attention and tells nothing (Xiao et al., ICLR 2024; Kang et al., ICLR 2025). "
    "Here it is planted: a number is added to all scores of the lower right patch, and its values are set to zero. "
    f"Attention over {LOOKED}, accuracy over {ITEMS} held-out questions; intervals are bootstrap and Wilson, 95 %. *It "
    "cannot tell* what sinks of large models are good for: those were learned, this one was not.",
    run,
    lambda settings: ("lab:concat",),
)
