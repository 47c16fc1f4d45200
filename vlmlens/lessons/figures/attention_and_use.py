"""Do two models use what they attend to? Their attention to the picture beside what another picture changes."""

import numpy as np

from vlmlens import charts
from vlmlens.attention import budget
from vlmlens.attribution.ground_truth import Mean
from vlmlens.diagnostics.statistics import jensen_shannon
from vlmlens.lessons.figures.common import asked, bar, declared, donors, numbers, scenes, texts, within
from vlmlens.lessons.figures.figure import Choice, LessonFigure, Load, Settings, Shown
from vlmlens.models import VLM
from vlmlens.progress import Progress
from vlmlens.trace import Segment, Watch

MODELS = (
    "lab:concat",
    "lab:llava",
    "planted:sees-but-ignores",
    "planted:blind",
    "planted:additive",
    "planted:image-only",
    "planted:decays",
)
ITEMS, LOOKED = 60, 12
SIDES = ("one", "two")


def attention(vlm: VLM, progress: Progress) -> Mean:
    """The picture's share of the answering row's attention, at the layer where it is largest; mean over items."""
    found = []
    for item in progress.over(asked(LOOKED), LOOKED, f"{vlm.name}, board"):
        trace = vlm.inspect(item.scene, item.question.text, watch=Watch(("last",), False), new_tokens=0)
        found.append(float(np.nanmax(budget(trace).of(Segment.IMAGE))))
    return Mean.of(np.array(found))


def effect(vlm: VLM) -> tuple[Mean, float]:
    """How far the answer moves when the picture is another one, bits; and in what part of the questions it changes."""
    items = asked(ITEMS)
    own = vlm.probabilities(scenes(items), texts(items))
    other = vlm.probabilities(donors(items), texts(items))
    return Mean.of(jensen_shannon(own, other)), float((own.argmax(1) != other.argmax(1)).mean())


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    names = [str(settings[side]) for side in SIDES]
    models = [load(name) for name in names]
    looks = [attention(vlm, progress) for vlm in models]
    uses = [effect(vlm) for vlm in models]
    found: dict[str, float | str] = {}
    for side, name, look, (use, changed) in zip(SIDES, names, looks, uses, strict=True):
        found |= {f"name_{side}": name, f"changed_{side}": changed}
        found |= numbers(f"attention_{side}", look) | numbers(f"use_{side}", use)
    bars = [bar(name, look, "image", "attention, share") for name, look in zip(names, looks, strict=True)]
    told = "; ".join(f"{name}: {within(look)}" for name, look in zip(names, looks, strict=True))
    sentence = f"Share of attention on the picture: {told}."
    if settings["show"] == "both":
        bars += [bar(name, use, "after", "effect, bits") for name, (use, _) in zip(names, uses, strict=True)]
        moved = "; ".join(f"{name}: {within(use, False)} bit" for name, (use, _) in zip(names, uses, strict=True))
        sentence += f" Another picture moves the answer: {moved}."
    return Shown(
        sentence,
        found,
        charts.named_bars(bars, "attention share, or bits of effect", percent=False),
        table=tuple(
            {
                "model": name,
                "attention": round(look.value, 3),
                **({"effect, bits": round(use.value, 4)} if settings["show"] == "both" else {}),
            }
            for name, look, (use, _) in zip(names, looks, uses, strict=True)
        ),
    )


FIGURE = LessonFigure(
    "attention_and_use",
    "two models: attention to the picture, and what another picture changes",
    (
        Choice("one", "One model", MODELS, "lab:concat"),
        Choice("two", "The other", MODELS, "planted:sees-but-ignores"),
        Choice("show", "Shown", ("attention", "both"), "both"),
    ),
    {
        key: told
        for side in SIDES
        for key, told in {
            f"name_{side}": "name of the model",
            f"changed_{side}": "share of the questions whose answer changes with another picture",
            **declared(f"attention_{side}", "the picture's share of the answering row's attention"),
            **declared(f"use_{side}", "Jensen-Shannon divergence of the answers to two pictures, bits"),
        }.items()
    },
    "*Attention*: the picture's share of what the answering row attends to, head mean, at the layer where it is "
    "largest, "
    f"over {LOOKED} held-out questions. *Effect*: every question is asked again of another question's board; how far "
    f"the answers move is the Jensen-Shannon divergence, 0 to 1 bit, over {ITEMS} questions. Intervals: 95 % bootstrap "
    "over questions. *It cannot tell* where in the picture, or at which layer, what matters was read.",
    run,
    lambda settings: tuple(str(settings[side]) for side in SIDES),
)
