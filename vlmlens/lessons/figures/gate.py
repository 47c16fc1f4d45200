"""What do unique, redundant and synergistic mean? Gates whose bits are known, with noise on them."""

from vlmlens import charts
from vlmlens.information import GATES, decompose, gate
from vlmlens.lessons.figures.figure import Amount, Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    name = str(settings["gate"])
    pid = decompose(gate(name, float(settings["noise"])))
    one, two, either, together = (
        max(0.0, float(x)) for x in (pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic)
    )
    return Shown(
        f"{name}: {GATES[name].sentence} **{together:.2f}** bits only by both together, of {float(pid.total):.2f}.",
        {
            "image": one,
            "question": two,
            "either": either,
            "together": together,
            "total": float(pid.total),
            "gate": name,
            "told": GATES[name].sentence,
        },
        charts.exact(pid),
        table=(
            {"part": "first alone", "bits": round(one, 4)},
            {"part": "second alone", "bits": round(two, 4)},
            {"part": "either", "bits": round(either, 4)},
            {"part": "together", "bits": round(together, 4)},
        ),
    )


FIGURE = LessonFigure(
    "gate",
    "the bits of a logic gate, with noise",
    (
        Choice("gate", "Gate", tuple(GATES), "XOR"),
        Amount("noise", "Noise", 0, 1, 0.05, 0),
    ),
    {
        "image": "bits that only the first input brings",
        "question": "bits that only the second input brings",
        "either": "bits that either brings",
        "together": "bits that only both together bring",
        "total": "all of them",
        "gate": "name of the gate",
        "told": "what it does, in words",
    },
    "The inputs are drawn evenly; with probability *noise* the output is drawn evenly instead. Decomposed exactly "
    "(Bertschinger et al. 2014), so there is no interval; the first input stands for the picture, the second for the "
    "question.",
    run,
)
