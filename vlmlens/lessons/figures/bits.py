"""Which bits of the answer are the picture's, the question's, either's, or only of both together?"""

from vlmlens import charts
from vlmlens.information import interventional
from vlmlens.lab.sample import crossed
from vlmlens.lessons.figures.figure import Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress

MODELS = ("planted:xor", "planted:additive", "planted:image-only", "planted:blind", "lab:concat", "lab:img2txt")
SCENES, QUESTIONS = 16, 8
TOLERANCE = 1e-4  # bits
ATOMS = {"image": "unique_1", "question": "unique_2", "either": "redundant", "together": "synergistic"}


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm = load(str(settings["model"]))
    boards, questions, _ = crossed(0, SCENES)
    texts = [question.text + "?" for question in questions if question.kind == settings["kind"]][:QUESTIONS]
    over = f"{SCENES} boards and {len(texts)} questions"
    found = interventional(vlm, boards, texts, ensemble=over, tol=TOLERANCE, progress=progress)
    bits = {name: max(0.0, float(getattr(found.pid, atom))) for name, atom in ATOMS.items()}
    total = sum(bits.values())
    best = max(bits, key=lambda name: bits[name])
    words = {"image": "the picture alone", "question": "the question alone", "either": "either of them"}
    return Shown(
        found.sentence(),
        {
            **bits,
            "total": total,
            "share_together": bits["together"] / total if total > 0.01 else float("nan"),
            "alone": bits["image"] + bits["question"],
            "most": words.get(best, "both together") if total > 0.01 else "nothing",
            "name": vlm.name,
            "boards": float(SCENES),
            "questions": float(len(texts)),
        },
        charts.exact(found.pid),
        table=tuple({"part": name, "bits": round(value, 4)} for name, value in bits.items()),
    )


FIGURE = LessonFigure(
    "bits",
    "how many bits the picture and the question bring about the answer, alone and together",
    (
        Choice("model", "Model", MODELS, "planted:xor"),
        Choice("kind", "Questions", ("color", "exist", "count", "where"), "color"),
    ),
    {
        "image": "bits that only the picture brings",
        "question": "bits that only the question brings",
        "either": "bits that either brings",
        "together": "bits that only both together bring",
        "total": "all of them",
        "share_together": "together, of the total",
        "alone": "bits that are the picture's or the question's own",
        "most": "which of them is the largest, in words",
        "name": "name of the model",
        "boards": "how many boards were shown",
        "questions": "how many questions were asked of each",
    },
    "Partial information decomposition (Bertschinger et al. 2014) of the answers to every question about every board: "
    "exact for these boards and questions, so there is no interval; the solution's certified gap is at most "
    "0.0001 bit. *It cannot tell* anything about other boards and questions.",
    run,
    lambda settings: (str(settings["model"]),),
)
