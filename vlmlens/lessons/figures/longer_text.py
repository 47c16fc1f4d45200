"""Does more text drown the picture? Accuracy and attention as words that say nothing are put before the question."""

import numpy as np

from vlmlens import charts
from vlmlens.attention import budget
from vlmlens.charts import Curve
from vlmlens.lessons.figures.common import asked, declared, hits, numbers, scenes, share, texts, within
from vlmlens.lessons.figures.figure import Amount, Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress
from vlmlens.rulers.ensemble import padded
from vlmlens.trace import Segment, Watch

MODELS = ("planted:decays", "planted:text-overrides")
LENGTHS = (0, 5, 10, 20, 40)
ITEMS, LOOKED = 80, 4


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm, items = load(str(settings["model"])), asked(ITEMS)
    most = int(settings["words"])
    lengths = (*(n for n in LENGTHS if n < most), most)
    right, attention = [], []
    for words in progress.over(lengths, len(lengths), "length"):
        around = padded(words)
        asking = [around(number, text) for number, text in enumerate(texts(items))]
        right.append(share(hits(vlm, vlm.probabilities(scenes(items), asking), items)))
        shares = []
        for item, text in list(zip(items, asking, strict=True))[:LOOKED]:
            trace = vlm.inspect(item.scene, text, watch=Watch(("last",), False), new_tokens=0)
            shares.append(float(np.nanmax(budget(trace).of(Segment.IMAGE))))
        attention.append(float(np.mean(shares)))
    blind = [Curve("right", [x.value for x in right], [x.low for x in right], [x.high for x in right], "after")]
    none = load("planted:blind")
    floor = share(hits(none, none.probabilities(scenes(items), texts(items)), items))
    return Shown(
        f"Without filler {vlm.name} is right in {within(right[0])}, after {lengths[-1]} words of it in "
        f"{within(right[-1])}; "
        f"the picture's largest share of attention goes from {attention[0]:.2f} to {attention[-1]:.2f}.",
        {
            **numbers("right", right[-1]),
            **numbers("right_before", right[0]),
            **numbers("blind", floor),
            "lost": right[0].value - right[-1].value,
            "attention": attention[-1],
            "attention_before": attention[0],
            "words": float(lengths[-1]),
            "name": vlm.name,
        },
        charts.dial_curves(
            lengths,
            [*blind, Curve("attention to the picture, share", attention, look="image")],
            "words of filler",
            "share",
            lines={"a blind model": floor.value},
        ),
        table=tuple(
            {"words": words, "right": round(one.value, 3), "attention to the picture": round(look, 3)}
            for words, one, look in zip(lengths, right, attention, strict=True)
        ),
    )


FIGURE = LessonFigure(
    "longer_text",
    "accuracy and attention as filler grows",
    (
        Choice("model", "Model", MODELS, "planted:decays"),
        Amount("words", "Words of filler", 1, 80, 1, 40),
    ),
    {
        **declared("right", "share of right answers at the most filler"),
        **declared("right_before", "share of right answers without"),
        **declared("blind", "share of right answers of a model that sees nothing"),
        "lost": "accuracy lost",
        "attention": "the picture's share of attention, where it is largest, at the most filler",
        "attention_before": "the same without",
        "words": "words of filler at the most",
        "name": "name of the model",
    },
    "Words that answer nothing are put before the question. `planted:decays` is made so that its sight of the picture "
    "fades with every word; `planted:text-overrides` reads past words that are no hint. "
    f"{ITEMS} held-out questions, Wilson's 95 % intervals; attention: largest layer, mean of {LOOKED} questions. *It "
    "cannot tell* how a real model fares: Diagnostics has the same test for any model.",
    run,
    lambda settings: (str(settings["model"]), "planted:blind"),
)
