"""Two ways to tell a picture in few tokens, each trained: which answers more questions rightly?"""

import numpy as np
import torch

from vlmlens import charts
from vlmlens.attribution.ground_truth import Mean
from vlmlens.lab.compress import BUDGETS, COMPRESSORS, in_words
from vlmlens.lab.compress.weights import load_compressed
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.sample import Item
from vlmlens.lab.text import encode
from vlmlens.lessons.figures.common import asked, bar, declared, numbers, scenes, share, shares, texts, within
from vlmlens.lessons.figures.figure import Choice, LessonFigure, Load, Settings, Shown
from vlmlens.models.lab import lab_pixels
from vlmlens.progress import Progress
from vlmlens.threads import one_thread

ITEMS = 300
ALL = "none"  # the compressor that keeps all patches
NAMES = tuple(name for name in COMPRESSORS if name != ALL)
TOKENS = tuple(str(keep) for keep in BUDGETS[1:])


def right(name: str, keep: int, items: tuple[Item, ...]) -> np.ndarray:
    """Whether the first trained seed of a compressor answers so, bool [item]."""
    model = load_compressed(name)
    ids = encode(texts(items))
    pixels = torch.from_numpy(np.stack([lab_pixels(scene) for scene in scenes(items)]))
    torch.get_num_threads()  # torch sets a new thread up at its first use, and would undo a limit set before
    with torch.inference_mode(), one_thread("openmp"):
        best = model(pixels, ids, keep).argmax(-1).tolist()
    return np.array([ANSWERS[answer] == item.answer for answer, item in zip(best, items, strict=True)])


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    one, other, keep = str(settings["one"]), str(settings["other"]), int(settings["tokens"])
    items = asked(ITEMS)
    asks = {ALL: BUDGETS[0], one: keep, other: keep}
    hit = {name: right(name, asks[name], items) for name in progress.over(asks, len(asks), "compressor")}
    found = {name: share(each) for name, each in hit.items()}
    gain = Mean.of(hit[other].astype(float) - hit[one])
    bars = [
        bar(f"all {BUDGETS[0]} patches", found[ALL], "before"),
        bar(one, found[one], "image"),
        *([bar(other, found[other], "after")] if other != one else []),
    ]
    return Shown(
        f"With {in_words(keep)} {one} answers {within(found[one])} of {ITEMS} questions rightly, {other} "
        f"{within(found[other])}; with all {BUDGETS[0]} patches {within(found[ALL])}.",
        {
            **numbers("one", found[one]),
            **numbers("other", found[other]),
            **numbers("all", found[ALL]),
            **numbers("gain", gain),
            "tokens": float(keep),
            "first": one,
            "second": other,
        },
        charts.named_bars(bars, f"right with {in_words(keep)}"),
        table=shares(bars),
    )


FIGURE = LessonFigure(
    "compressors",
    "accuracy of two trained compressors with the same number of image tokens",
    (
        Choice("one", "One", NAMES, "importance pruning"),
        Choice("other", "Other", NAMES, "query-aware top-k"),
        Choice("tokens", "Tokens", TOKENS, "4"),
    ),
    {
        **declared("one", "share of right answers with the one compressor"),
        **declared("other", "share of right answers with the other"),
        **declared("all", f"share of right answers with all {BUDGETS[0]} patches, trained as long"),
        **declared("gain", "share of the other less share of the one, question by question"),
        "tokens": "image tokens that both may use",
        "first": "the one compressor's name",
        "second": "the other's name",
    },
    f"Both were trained with the fusion that reads them, from the same beginning (`lab:concat`, seed 0); one model "
    f"serves all numbers of tokens. {ITEMS} held-out questions of all kinds; Wilson's 95 % intervals, Student's for "
    "the gain. *It cannot tell* how another training seed would do: the Compression view has three seeds each.",
    run,
)
