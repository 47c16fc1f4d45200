"""What wins when words and picture disagree? A note before the question names a wrong color."""

import numpy as np

from vlmlens import charts
from vlmlens.lab.scenes import COLORS
from vlmlens.lessons.figures.common import asked, bar, declared, hits, numbers, scenes, share, shares, texts, within
from vlmlens.lessons.figures.figure import Amount, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress

ITEMS = 80


def model(settings: Settings) -> str:
    return f"planted:text-overrides@{float(settings['dial']):g}"


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm, items = load(model(settings)), asked(ITEMS, ("color",))
    many = len(COLORS)  # never the answer itself: between one and seven colors further on
    said = [COLORS[(COLORS.index(item.answer) + 1 + i % (many - 1)) % many] for i, item in enumerate(items)]
    noted = [f"a note says {word}. {text}" for word, text in zip(said, texts(items), strict=True)]
    plain = share(hits(vlm, vlm.probabilities(scenes(items), texts(items)), items))
    with_note = vlm.probabilities(scenes(items), noted)
    answers = [vlm.answer_text(int(best)) for best in with_note.argmax(axis=1)]
    follows = share(np.array([answer == word for answer, word in zip(answers, said, strict=True)]))
    right = share(hits(vlm, with_note, items))
    bars = [
        bar("right without a note", plain, "before"),
        bar("right with a wrong note", right, "image"),
        bar("says what the note says", follows, "text"),
    ]
    return Shown(
        f"With a misleading note {within(follows)} of the answers are the note's and {within(right)} are right; "
        f"without a note {within(plain)} are right.",
        {
            **numbers("follows", follows),
            **numbers("right", right),
            **numbers("plain", plain),
            "dial": float(settings["dial"]),
            "example": noted[0],
            "truth": items[0].answer,
            "answer": answers[0],
        },
        charts.named_bars(bars, "share"),
        table=shares(bars),
    )


FIGURE = LessonFigure(
    "hint",
    "a misleading note before the question: what wins",
    (Amount("dial", "How far words overrule", 0, 1, 0.05, 1),),
    {
        **declared("follows", "share of answers that are the note's"),
        **declared("right", "share of right answers with the note"),
        **declared("plain", "share of right answers without a note"),
        "dial": "the model's dial",
        "example": "one question with its note, in words",
        "truth": "the true answer to it",
        "answer": "what the model says to it",
    },
    "`planted:text-overrides` sees as lab:concat does until its context names an answer; its dial says how far it then "
    f"follows. {ITEMS} held-out questions for a color, the note always names a wrong one; Wilson's 95 % intervals. *It "
    "cannot tell* how a real model weighs the two: Diagnostics has the override test for any model.",
    run,
    lambda settings: (model(settings),),
)
