"""Does a contrastive map find the thing better than the late layer's own map?"""

import io

import numpy as np
from PIL import Image

from vlmlens import charts
from vlmlens.attention import contrast, image_maps
from vlmlens.attribution.ground_truth import Mean, auc, pointing, relevant_cells
from vlmlens.lessons.figures.common import asked, bar, declared, numbers, within
from vlmlens.lessons.figures.figure import Amount, Choice, Drawing, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress
from vlmlens.trace import Grid, Watch

ITEMS = 40
LARGE, GAP = 260, 12  # pixels


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    vlm, items = load("lab:llava"), asked(ITEMS, placed=True)
    late, early, signed, relevant, layers = [], [], [], [], ("", "")
    drawing = None
    for number, item in enumerate(progress.over(items, len(items), "board")):
        trace = vlm.inspect(item.scene, item.question.text, watch=Watch(("last",), False), new_tokens=0)
        found = contrast(trace, "auto" if settings["early"] == "auto" else int(settings["early"]) - 1, 2)
        values = image_maps(trace)[1][:, :, 0].mean(axis=1)
        late.append(values[found.late])
        early.append(values[found.early])
        signed.append(found.values)
        relevant.append(relevant_cells(item.question, item.scene, trace.grid))
        layers = (found.labels[found.early], found.labels[found.late])
        if number == int(settings["item"]):
            drawing = _drawing(trace.picture, trace.grid, (early[-1], late[-1], signed[-1]), item.question.text, layers)
    known = np.array(relevant)
    by_late, by_early, by_signed = (pointing(np.array(maps), known) for maps in (late, early, signed))
    one, two, three = Mean.of(by_late), Mean.of(by_early), Mean.of(by_signed)
    lead = Mean.of(by_signed - by_late)
    whole = known.any(axis=1) & ~known.all(axis=1)
    ranked = Mean.of((auc(np.array(signed), known) - auc(np.array(late), known))[whole])
    return Shown(
        f"The hottest patch lies on what was asked about in {within(three)} of the contrastive maps and in "
        f"{within(one)} of the late layer's own; the lead is {100 * lead.value:+.0f} points ({100 * lead.low:+.0f} to "
        f"{100 * lead.high:+.0f}).",
        {
            **numbers("contrast", three),
            **numbers("late", one),
            **numbers("early", two),
            **numbers("lead", lead),
            **numbers("ranked", ranked),
            "chance": float(known.mean()),
            "early_layer": layers[0],
            "late_layer": layers[1],
            "items": float(len(items)),
        },
        charts.named_bars(
            [
                bar(f"early ({layers[0]})", two, "null"),
                bar(f"late ({layers[1]})", one, "image"),
                bar("late less early", three, "after"),
            ],
            "hottest patch on what was asked about",
        ),
        drawing,
        tuple(
            {"map": name, "on what was asked about": round(found.value, 3)}
            for name, found in (("early", two), ("late", one), ("contrast", three))
        ),
    )


def _drawing(
    picture: bytes, grid: Grid, maps: tuple[np.ndarray, ...], question: str, layers: tuple[str, str]
) -> Drawing:
    large = Image.open(io.BytesIO(picture)).convert("RGB").resize((LARGE, LARGE))
    held = io.BytesIO()
    large.save(held, "PNG")
    drawn = [charts.overlay(held.getvalue(), grid, values, signed=i == 2) for i, values in enumerate(maps)]
    whole = Image.new("RGB", (3 * LARGE + 2 * GAP, LARGE), "white")
    for place, image in enumerate(drawn):
        whole.paste(image, (place * (LARGE + GAP), 0))
    out = io.BytesIO()
    whole.save(out, "PNG")
    return Drawing(
        out.getvalue(),
        f"“{question}?”, three maps of one board: {layers[0]}, {layers[1]}, and the second less the first (red: "
        "looked at more late, blue: less).",
    )


FIGURE = LessonFigure(
    "contrast_map",
    "a contrastive map against the late layer's own, on things that are known",
    (
        Choice("early", "Early layer", ("auto", "1", "2"), "auto"),
        Amount("item", "Board", 0, ITEMS - 1, 1, 0),
    ),
    {
        **declared("contrast", "share of contrastive maps whose hottest patch lies on what was asked about"),
        **declared("late", "the same of the late layer's own maps"),
        **declared("early", "the same of the early layer's maps"),
        **declared("lead", "contrast less late, question by question"),
        **declared("ranked", "area under the ROC curve over all patches, contrast less late"),
        "chance": "share of the patches that lie on it",
        "early_layer": "the early layer, in words",
        "late_layer": "the late layer, in words",
        "items": "how many questions this is the mean of",
    },
    "Contrastive attention (Song et al., arXiv 2601.08151): the answering row's attention to the picture at the last "
    "layer less that at an early one, each renormalised over the picture; *auto* takes the early layer that lies "
    "farthest from the late one by Hellinger "
    "distance. Marked by the pointing game (Zhang et al., "
    f"ECCV 2016) over {ITEMS} held-out questions of lab:llava; 95 % bootstrap over questions. *It cannot tell* which "
    "map is faithful: to mark the thing is not to have used it.",
    run,
    lambda settings: ("lab:llava",),
)
