"""Does it matter who asks and who is asked? Two wirings by a ruler of the wiring, and by a ruler of what is used."""

from vlmlens import charts
from vlmlens.attribution.ground_truth import Mean
from vlmlens.lessons.figures.common import bar, declared, numbers, within
from vlmlens.lessons.figures.figure import Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress
from vlmlens.rulers import RULERS, Bench, lab_ensemble

WIRINGS = ("lab:img2txt", "lab:txt2img", "lab:concat", "lab:bidirectional")
SCENES, ITEMS = 8, 8
WIRED, USED = "gradient x input", "donor behavior"
SIDES = ("one", "two")


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    names = [str(settings[side]) for side in SIDES]
    found: dict[str, float | str] = {}
    bars = []
    told = []
    for number, (side, name) in enumerate(zip(SIDES, names, strict=True)):
        bench = Bench(load(name), lab_ensemble(SCENES, ITEMS, 0), progress)
        bench.span, bench.doing = (number / 2, (number + 1) / 2), name
        shares = {}
        for ruler, key, look in ((WIRED, "wired", "null"), (USED, "used", "image")):
            reading = RULERS[ruler].measure(bench)
            shares[key] = Mean(reading.share, reading.low, reading.high)
            bars.append((key, bar(name, shares[key], look, ruler)))
            found |= numbers(f"{key}_{side}", shares[key])
        found[f"name_{side}"] = name
        told.append(f"{name} {within(shares['wired'])} by {WIRED} and {within(shares['used'])} by {USED}")
    found["apart_wired"] = abs(float(found["wired_one"]) - float(found["wired_two"]))
    found["apart_used"] = abs(float(found["used_one"]) - float(found["used_two"]))
    ordered = [drawn for key, drawn in sorted(bars, key=lambda pair: pair[0] == "used")]
    return Shown(
        f"The picture's share: {'; '.join(told)}.",
        found,
        charts.named_bars(ordered, "the picture's share"),
        table=tuple({"model": drawn.name, "ruler": drawn.kind, "share": round(drawn.value, 3)} for drawn in ordered),
    )


FIGURE = LessonFigure(
    "query_holder",
    "two wirings: the picture's share by a ruler of the wiring and by one of the behavior",
    (
        Choice("one", "One wiring", WIRINGS, "lab:img2txt"),
        Choice("two", "The other", WIRINGS, "lab:txt2img"),
    ),
    {
        **{
            key: told
            for side in SIDES
            for key, told in {
                f"name_{side}": "name of the wiring",
                **declared(f"wired_{side}", f"the picture's share by {WIRED}"),
                **declared(f"used_{side}", f"the picture's share by {USED}"),
            }.items()
        },
        "apart_wired": f"how far the two are apart by {WIRED}",
        "apart_used": f"how far they are apart by {USED}",
    },
    f"*{WIRED}*: {RULERS[WIRED].definition}\n\n*{USED}*: {RULERS[USED].definition}\n\nOver {SCENES} held-out boards "
    "and questions for a color; intervals: 95 % bootstrap over boards. *They cannot tell* the same thing: the first "
    "follows how a model is wired, the second what changes its answer.",
    run,
    lambda settings: tuple(str(settings[side]) for side in SIDES),
)
