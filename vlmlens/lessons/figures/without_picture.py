"""How much is right without looking? Accuracy with the board and with an empty one, against what guessing allows."""

from vlmlens import charts
from vlmlens.lab.sample import best_blind_accuracy, take
from vlmlens.lab.scenes import Scene
from vlmlens.lessons.figures.common import SEED, bar, declared, hits, numbers, scenes, share, texts, within
from vlmlens.lessons.figures.figure import Amount, Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress

MODELS = ("lab:concat", "lab:img2txt", "lab:txt2img", "planted:blind", "planted:sees-but-ignores")
ITEMS = 300


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm, prior = load(str(settings["model"])), float(settings["prior"])
    items = take("test", SEED, ITEMS, prior=prior)
    seen = share(hits(vlm, vlm.probabilities(scenes(items), texts(items)), items))
    progress.step(0.5, "empty boards")
    empty = [Scene(noise_seed=item.scene.noise_seed) for item in items]
    unseen = share(hits(vlm, vlm.probabilities(empty, texts(items)), items))
    ceiling = best_blind_accuracy(prior, [item.question for item in items])
    return Shown(
        f"{vlm.name} is right in {within(seen)} with the picture and in {within(unseen)} with an empty board; "
        f"whoever knows the habits of the questions and never looks can reach {100 * ceiling:.0f} %.",
        {
            **numbers("seen", seen),
            **numbers("unseen", unseen),
            "ceiling": ceiling,
            "gain": seen.value - unseen.value,
            "prior": prior,
            "name": vlm.name,
        },
        charts.named_bars(
            [
                bar("with the picture", seen, "image"),
                bar("empty board", unseen, "null"),
                charts.Bar("best guesser", ceiling, look="text"),
            ],
            "right",
        ),
        table=(
            {"what": "with the picture", "right": round(seen.value, 3)},
            {"what": "empty board", "right": round(unseen.value, 3)},
            {"what": "best guesser", "right": round(ceiling, 3)},
        ),
    )


FIGURE = LessonFigure(
    "without_picture",
    "accuracy with the picture and without, against guessing",
    (
        Choice("model", "Model", MODELS, "lab:concat"),
        Amount("prior", "Language prior", 0, 1, 0.1, 0.5),
    ),
    {
        **declared("seen", "share of right answers with the picture"),
        **declared("unseen", "share of right answers with an empty board in its place"),
        "ceiling": "the share that the best guesser reaches who never looks",
        "gain": "seen less unseen",
        "prior": "how often a question has its usual answer",
        "name": "name of the model",
    },
    "Every question has a usual answer; with probability *prior* the board is drawn so that it is true, else the "
    "answer "
    f"is drawn evenly. {ITEMS} held-out questions; Wilson's 95 % intervals; the best guesser's share is computed, "
    "prior + (1 - prior) / answers, and has none. *It cannot tell* what a model does with a picture that is there: an "
    "empty board is one that it seldom saw.",
    run,
    lambda settings: (str(settings["model"]),),
)
