"""Is a sure model one that has looked? Confidence, accuracy, and what the picture changes."""

import numpy as np

from vlmlens import charts
from vlmlens.attribution.ground_truth import Mean
from vlmlens.lessons.figures.common import asked, bar, declared, donors, hits, numbers, scenes, share, texts, within
from vlmlens.lessons.figures.figure import Amount, Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress

MODELS = ("planted:blind", "planted:xor", "planted:additive", "lab:concat", "lab:llava")
ITEMS = 200


def sharpened(probabilities: np.ndarray, by: float) -> np.ndarray:
    """The same answers, surer: logits times `by` (a temperature of 1 / by)."""
    logits = by * np.log(np.maximum(probabilities, 1e-300))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return found


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm, items = load(str(settings["model"])), asked(ITEMS)
    own = sharpened(vlm.probabilities(scenes(items), texts(items)), float(settings["sharper"]))
    progress.step(0.5, "other boards")
    other = vlm.probabilities(donors(items), texts(items))
    sure, right = Mean.of(own.max(axis=1)), share(hits(vlm, own, items))
    changed = share(own.argmax(axis=1) != other.argmax(axis=1))
    sentence = f"{vlm.name} is sure at {within(sure)}"
    drawn = [bar("how sure it is", sure, "both")]
    if settings["show"] == "all":
        sentence += f" and right in {within(right)}; another picture changes {within(changed)} of its answers"
        drawn += [bar("how often right", right, "before"), bar("changed by another picture", changed, "image")]
    return Shown(
        f"{sentence}.",
        {
            **numbers("sure", sure),
            **numbers("right", right),
            **numbers("changed", changed),
            "too_sure": sure.value - right.value,
            "name": vlm.name,
        },
        charts.named_bars(drawn, "share"),
        table=tuple({"what": each.name, "share": round(each.value, 3)} for each in drawn),
    )


FIGURE = LessonFigure(
    "confidence",
    "how sure a model is, how often it is right, how often another picture changes its answer",
    (
        Choice("model", "Model", MODELS, "planted:blind"),
        Amount("sharper", "Logits times", 1, 8, 0.5, 1),
        Choice("show", "Shown", ("sure", "all"), "all"),
    ),
    {
        **declared("sure", "mean probability of the answer given"),
        **declared("right", "share of right answers"),
        **declared("changed", "share of answers that another picture changes"),
        "too_sure": "how much surer than right",
        "name": "name of the model",
    },
    f"Over {ITEMS} held-out questions. *Sure*: mean probability of the answer given, 95 % bootstrap. *Right* and "
    "*changed*: shares with Wilson's interval; a changed answer is one that differs when the board is another "
    "question's. Logits are multiplied as a temperature does: no answer changes by it. *It cannot tell* why a model is "
    "sure.",
    run,
    lambda settings: (str(settings["model"]),),
)
