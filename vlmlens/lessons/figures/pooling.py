"""What does a picture lose when its tokens are averaged? Accuracy by kind of question, no token trained anew."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vlmlens import charts
from vlmlens.attribution.ground_truth import Mean
from vlmlens.lab.sample import Item
from vlmlens.lessons.figures.common import asked, bar, declared, hits, numbers, scenes, share, texts, within
from vlmlens.lessons.figures.figure import Choice, LessonFigure, Load, Settings, Shown
from vlmlens.models.lab import LabVLM
from vlmlens.progress import Progress
from vlmlens.trace.capture import Recorder, recording

MODELS = ("lab:concat", "lab:img2txt", "lab:txt2img", "lab:bidirectional")
SIDES = {"36": 1, "9": 2, "4": 3, "1": 6}  # tokens that are left, patches a block along each axis
KINDS = ("color", "shape", "size", "count", "exist", "where", "relation")
EACH = 40  # questions of each kind


def averaged(image: Tensor, block: int) -> Tensor:
    """Features [item, patch, width], every patch's replaced by the mean of its block: as many, saying less."""
    side = int(image.shape[1] ** 0.5)
    board = image.transpose(1, 2).unflatten(2, (side, side))
    mean = F.avg_pool2d(board, block)
    return mean.repeat_interleave(block, 2).repeat_interleave(block, 3).flatten(2).transpose(1, 2)


def answered(vlm: LabVLM, items: tuple[Item, ...], block: int) -> np.ndarray:
    """Probabilities [item, answer] with averaged features."""
    batch = vlm.batch(scenes(items), texts(items))
    batch = replace(batch, inputs={**batch.inputs, "image": averaged(batch.inputs["image"], block)})
    with vlm.lock, torch.inference_mode(), vlm.listening(), recording(Recorder({}, np.zeros(0), {})):
        found: np.ndarray = vlm.batch_logits(batch).double().softmax(-1).numpy()
    return found


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm = load(str(settings["model"]))
    assert isinstance(vlm, LabVLM)  # the choices are
    block = SIDES[str(settings["tokens"])]
    whole: dict[str, np.ndarray] = {}
    left: dict[str, np.ndarray] = {}
    for kind in progress.over(KINDS, len(KINDS), "kind of question"):
        items = asked(EACH, (kind,))
        whole[kind] = hits(vlm, answered(vlm, items, 1), items)
        left[kind] = hits(vlm, answered(vlm, items, block), items)
    before, after = share(np.concatenate(list(whole.values()))), share(np.concatenate(list(left.values())))
    lost = {kind: Mean.of(whole[kind].astype(float) - left[kind]) for kind in KINDS}
    found: dict[str, float | str] = {}
    for kind in KINDS:
        found |= numbers(kind, share(left[kind])) | {f"lost_{kind}": lost[kind].value}
    ranked = sorted(KINDS, key=lambda kind: lost[kind].value)
    tokens = str(settings["tokens"])
    return Shown(
        f"With {tokens} averaged tokens {within(after)} of {len(KINDS) * EACH} questions are answered rightly, with "
        f"all 36 {within(before)}.",
        {
            **found,
            **numbers("all", after),
            **numbers("all_before", before),
            "lost": before.value - after.value,
            "tokens": float(tokens),
            "most": ranked[-1],
            "least": ranked[0],
            "lost_most": lost[ranked[-1]].value,
            "lost_least": lost[ranked[0]].value,
            "lost_most_low": lost[ranked[-1]].low,
            "lost_least_high": lost[ranked[0]].high,
        },
        charts.named_bars(
            [bar("all kinds", after, "after"), *(bar(kind, share(left[kind]), "before") for kind in KINDS)],
            f"right with {tokens} tokens",
        ),
        table=tuple(
            {
                "kind": kind,
                "right": round(float(left[kind].mean()), 3),
                "with all 36": round(float(whole[kind].mean()), 3),
            }
            for kind in KINDS
        ),
    )


FIGURE = LessonFigure(
    "pooling",
    "accuracy by kind of question when image tokens are averaged",
    (
        Choice("tokens", "Tokens left", tuple(SIDES), "4"),
        Choice("model", "Model", MODELS, "lab:concat"),
    ),
    {
        **{key: told for kind in KINDS for key, told in declared(kind, f"share of right answers on {kind}").items()},
        **{f"lost_{kind}": f"accuracy lost on {kind}" for kind in KINDS},
        **declared("all", "share of right answers with the averaged tokens"),
        **declared("all_before", "share of right answers with all tokens"),
        "lost": "accuracy lost over all kinds",
        "tokens": "how many different tokens are left",
        "most": "the kind of question that loses most, in words",
        "least": "the kind that loses least, in words",
        "lost_most": "accuracy lost on the one",
        "lost_least": "accuracy lost on the other",
        "lost_most_low": "lower end of its 95 % interval",
        "lost_least_high": "upper end of its 95 % interval",
    },
    "The patch features of each block are replaced by their mean (average pooling); the model still reads 36 tokens, "
    "of which so many differ, because it was trained on 36 and is not trained anew. A model that is trained with fewer "
    "tokens loses less: that is the Tokens page. "
    f"{EACH} held-out questions of each kind; Wilson's 95 % intervals. *It cannot tell* what averaging costs a "
    "model that was trained with it.",
    run,
    lambda settings: (str(settings["model"]),),
)
