"""A board, a question, what a model answers and where its answer looked; optionally with a region hidden."""

import io

from PIL import Image

from vlmlens import charts
from vlmlens.attention import causal_check, default_place, hottest_window, image_maps
from vlmlens.attribution.ground_truth import relevant_cells
from vlmlens.charts import overlay
from vlmlens.lessons.figures.common import asked
from vlmlens.lessons.figures.figure import Amount, Choice, Drawing, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress

MODELS = (
    "lab:concat",
    "lab:img2txt",
    "lab:txt2img",
    "lab:llava",
    "planted:blind",
    "planted:sees-but-ignores",
    "planted:additive",
    "planted:xor",
)
LARGE = 420  # pixels


def png(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm = load(str(settings["model"]))
    item = asked(40, placed=True)[int(settings["item"])]
    question = item.question.text + "?"
    trace = vlm.inspect(item.scene, question, new_tokens=0, progress=progress)
    best = trace.answers[0]
    relevant = relevant_cells(item.question, item.scene, trace.grid)
    _, values = image_maps(trace)
    looked = values[default_place(trace), :, 0].mean(axis=0)
    region = hottest_window(looked, trace.grid.shape)
    progress.step(0.3, "hiding regions")
    found = causal_check(vlm, item.scene, question, trace, region, progress=progress)
    low, high = found.interval
    image = Image.open(io.BytesIO(trace.picture)).convert("RGB").resize((LARGE, LARGE))
    told = f"The board with {', '.join(str(thing) for thing in item.scene.things) or 'nothing'}."
    if settings["map"] == "attention":
        buffer = png(image)
        image = overlay(buffer, trace.grid, looked)
        told += " Brighter: patches that the answer attends to more."
    right = "right" if best.text == item.answer else "wrong"
    on_it = bool(relevant[list(region)].any())
    return Shown(
        f"Asked “{question}” {vlm.name} says **{best.text}** with probability {best.probability:.2f}; that is {right}"
        + (f", it is {item.answer}." if right == "wrong" else "."),
        {
            "question": question,
            "answer": best.text,
            "truth": item.answer,
            "probability": best.probability,
            "right": float(right == "right"),
            "things": float(len(item.scene.things)),
            "hidden": found.after,
            "elsewhere": found.elsewhere_mean,
            "elsewhere_low": low,
            "elsewhere_high": high,
            "mattered": low - found.after,
            "on_it": float(on_it),
            "share_on_it": float(looked[relevant].sum() / looked.sum()),
            "area": float(relevant.mean()),
        },
        charts.causal(found) if settings["chart"] == "hiding" else charts.answers(trace),
        Drawing(png(image), told),
        tuple({"answer": answer.text, "probability": round(answer.probability, 4)} for answer in trace.answers[:6]),
    )


FIGURE = LessonFigure(
    "board",
    "a board, a question, the answer and where it looked",
    (
        Choice("model", "Model", MODELS, "lab:concat"),
        Amount("item", "Board", 0, 39, 1, 0),
        Choice("map", "Over the board", ("none", "attention"), "none"),
        Choice("chart", "Beside it", ("answers", "hiding"), "answers"),
    ),
    {
        "question": "what is asked, in words",
        "answer": "the most probable answer, in words",
        "truth": "the true answer, in words",
        "probability": "of the answer",
        "right": "1 where the answer is true, else 0",
        "things": "things on the board",
        "hidden": "the answer's probability with the map's hottest region knocked out",
        "elsewhere": "the same with regions of the same shape elsewhere knocked out, mean",
        "elsewhere_low": "lower end of its 95 % interval",
        "elsewhere_high": "upper end of it",
        "mattered": "how far below that interval the hottest region's probability lies",
        "on_it": "1 where the hottest region touches what was asked about, else 0",
        "share_on_it": "share of the map's attention on what was asked about",
        "area": "share of the patches that show it",
    },
    "The answer's attention to every patch, head mean, at the layer whose map is the most concentrated. *Hiding* is "
    "the causal check: the hottest window of the map is knocked out, then windows of the same shape elsewhere "
    "(grey); 95 % "
    "bootstrap interval over the places. *It cannot tell* what the vision encoder has mixed into neighbouring patches.",
    run,
    lambda settings: (str(settings["model"]),),
)
