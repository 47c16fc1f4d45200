"""At which layer does a model read the picture? Every layer knocked out in turn."""

from vlmlens import charts
from vlmlens.attention import masking_sweep
from vlmlens.lessons.figures.common import asked, scenes, texts
from vlmlens.lessons.figures.figure import Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress

ITEMS = 16
COUNT = 3  # layers of lab:llava
ROUTES = ("image to last", "image to question", "question to last")


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm, items = load("lab:llava"), asked(ITEMS)
    found = masking_sweep(vlm, scenes(items), texts(items), "knockout", str(settings["route"]), progress=progress)
    low, high = found.interval()
    numbers: dict[str, float | str] = {}
    for layer in range(COUNT):
        numbers |= {
            f"lost_{layer + 1}": -float(found.change[layer]),
            f"lost_{layer + 1}_low": -float(high[layer]),
            f"lost_{layer + 1}_high": -float(low[layer]),
            f"stay_{layer + 1}": float(found.accuracy[layer]),
        }
    fusion = [layer for layer in found.fusion_layers if layer < COUNT]
    return Shown(
        found.sentence(),
        {
            **numbers,
            "noise": found.noise,
            "count": float(len(fusion)),
            "fusion": " and ".join(str(layer + 1) for layer in fusion) or "none",
            "items": float(len(items)),
            "route": found.route,
        },
        charts.sweep(found),
        table=tuple({"layer": layer + 1, "change": round(float(found.change[layer]), 3)} for layer in range(COUNT)),
    )


FIGURE = LessonFigure(
    "layers",
    "the layers of lab:llava, knocked out one after the other",
    (Choice("route", "What is blocked", ROUTES, "image to last"),),
    {
        **{
            key: told
            for layer in range(1, COUNT + 1)
            for key, told in {
                f"lost_{layer}": f"part of the answer's probability that is lost with layer {layer} knocked out",
                f"lost_{layer}_low": "lower end of its 95 % interval",
                f"lost_{layer}_high": "upper end of it",
                f"stay_{layer}": "share of the answers that stay what they were",
            }.items()
        },
        "noise": "largest change by what must not matter, relative",
        "count": "how many fusion layers there are",
        "fusion": "which ones, in words",
        "items": "how many questions this is the mean of",
        "route": "which edges are blocked, in words",
    },
    "Masking sweep by knock-out (Geva et al., EMNLP 2023; Zhang et al., arXiv 2411.18620): at one layer the edges of "
    "the "
    "route are blocked, and the probability of the model's own answer is followed. 95 % bootstrap over questions; a "
    "*fusion layer* loses more than invisible noise changes, and more than chance (sign flips over all layers). *It "
    "cannot tell* where in the picture a layer looks.",
    run,
    lambda settings: ("lab:llava",),
)
