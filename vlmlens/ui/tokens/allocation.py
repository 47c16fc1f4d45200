"""Allocation: where does the detail go for this question, and what does the model answer to the picture so drawn?"""

import io

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from vlmlens import charts
from vlmlens.attribution.ground_truth import relevant_cells
from vlmlens.errors import UserError
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.vision import PATCHES, SIDE
from vlmlens.models import VLM
from vlmlens.tokens.adapter import Adapter, load_adapter
from vlmlens.tokens.redrawn import SHAPE, Plan, Redrawn, fits, redraw
from vlmlens.tokens.relevance import Tensions
from vlmlens.trace import Grid
from vlmlens.ui.ask import pick_input
from vlmlens.ui.jobs import result
from vlmlens.ui.look import guard, titled
from vlmlens.ui.models import model
from vlmlens.ui.picture import Maps, picture
from vlmlens.ui.request import Request, asked, remember
from vlmlens.ui.save import save_all
from vlmlens.ui.tokens import allocation_words as words
from vlmlens.ui.tokens.allocation_cells import cells
from vlmlens.ui.tokens.allocation_measured import described, measured

STAND_IN = "lab:concat"
TENSIONS = {
    "particularize": ("compress", "particularize", "All patches alike (-1), or few of them high (1)."),
    "explore": ("exploit", "explore", "What the question points at (-1), or what stands out by itself (1)."),
    "diversify": ("focus", "diversify", "Beside what is relevant (-1), or away from it (1)."),
}


def draw() -> None:
    request = asked()
    left, right = st.columns([1, 3.2], gap="large")
    with left:
        pick_input(request, folded=True)
        plan, adapter = _plan()
    remember(request)
    with right, guard():
        vlm = _answering(request)
        if plan is not None:
            found = _redrawn(vlm, request, plan, adapter)
            if adapter:
                st.caption(chosen(found))
            _maps(found)
            _versions(found, vlm, request, plan)
            _save(found, vlm, request, plan)
    with guard():
        cells(request)
    measured()
    described()


def _plan() -> tuple[Plan | None, bool]:
    """What the widgets say, None where they contradict each other; True where the trained adapter decides."""
    by = st.segmented_control(
        "Decided by",
        ["sliders", "adapter"],
        default="sliders",
        key="allocation-by",
        bind="query-params",
        required=True,
        help="The adapter reads the glance and the question and sets weights and tensions itself; it was trained "
        "through lab:concat.",
    )
    adapter = by == "adapter"
    tensions = {}
    for name, (low, high, told) in TENSIONS.items():
        tensions[name] = st.slider(
            f"{low} - {high}", -1.0, 1.0, 0.0, 0.1, key=f"allocation-{name}", bind="query-params", help=told,
            disabled=adapter,
        )  # fmt: skip
    total = st.slider(
        "Tokens in all", PATCHES, 64 * PATCHES, 9 * PATCHES, PATCHES, key="allocation-total", bind="query-params",
        help=f"Of the whole picture, {PATCHES} patches of 8 x 8 pixels: 36 is one mean color a patch, 2,304 every "
        "pixel.",
    )  # fmt: skip
    left, right = st.columns(2)
    least = left.number_input(
        "Least a patch", 1, 64, 1, key="allocation-low", bind="query-params",
        help="Every patch has it; the scores are taken from the picture at this detail.",
    )  # fmt: skip
    most = right.number_input("Most a patch", 1, 64, 64, key="allocation-high", bind="query-params")
    try:
        return Plan(int(total), int(least), int(most), Tensions(**tensions)), adapter
    except UserError as error:
        st.error(str(error))
        return None, adapter


def _answering(request: Request) -> VLM:
    """The model that is asked, or a lab model in its stead, and why."""
    vlm = model(request.model)
    told = []
    if not fits(vlm):
        told.append(f"{vlm.name} does not read the lab's patches, so {STAND_IN} answers here in its stead.")
        vlm = model(STAND_IN)
    if request.source.scene is None:
        told.append(
            "This is no lab scene: it is taken at 48 pixels, and what a lab model answers means nothing about it."
        )
    elif normalise(request.question) not in by_text():
        told.append("Lab models never saw a question of this wording; what they answer to it means little.")
    if told:
        st.info(" ".join(told))
    return vlm


def _redrawn(vlm: VLM, request: Request, plan: Plan, adapter: bool) -> Redrawn:
    trained: Adapter | None = load_adapter(0) if adapter else None
    content = request.source.load()
    return result(
        ("allocation", vlm.name, request.source, request.question, plan, adapter),
        "Sharing out tokens",
        lambda progress: redraw(vlm, content, request.question, plan, trained),
    )


def _maps(found: Redrawn) -> None:
    """The three scores and the budget, over the picture; one cursor for all."""
    spots = st.columns(4, gap="medium")
    leveled = found.scores.leveled()
    raw = (found.scores.information, found.scores.salience, found.scores.coupling)
    about = (
        ("Information", words.INFORMATION, "bits", raw[0]),
        ("Salience", words.SALIENCE, "spreads", raw[1]),
        ("Coupling", words.COUPLING, "of the look", raw[2]),
    )
    for spot, (name, help_, unit, own), level, weight in zip(spots[:3], about, leveled, found.weights, strict=True):
        with spot:
            titled(f"**{name}** {own.min():.2f} to {own.max():.2f} {unit}, weight {weight:.2f}", help_)
            _map(found, level, "on a scale of 0 to 1", f"allocation-{name}")
    budgets = found.budgets
    with spots[3]:
        titled(f"**Budget** {budgets.min()} to {budgets.max()} tokens, {budgets.sum():,} in all", words.BUDGET)
        _map(found, budgets.astype(float), "tokens", "allocation-budget")
    if found.scores.looks != "the question's words":
        st.caption(f"In this wiring no word looks at a patch; the coupling is that of {found.scores.looks}.")


def _map(found: Redrawn, values: np.ndarray, unit: str, key: str) -> None:
    grid = _grid(found)
    picture(
        _png(found.full.pixels),
        grid.boxes,
        Maps(("patches",), values[None, None], 1, unit=unit),
        (),
        size=grid.size,
        key=key,
        height=220,
        tools=("hover",),
        link="allocation",
    )


def _grid(found: Redrawn) -> Grid:
    return Grid.regular(SHAPE, range(PATCHES), (found.full.pixels.shape[1], found.full.pixels.shape[0]))


def _versions(found: Redrawn, vlm: VLM, request: Request, plan: Plan) -> None:
    """The picture in full, as allotted, and uniform at the same total, each with what the model says of it."""
    titled(sentence(found), words.REDRAWN)
    question, scene = by_text().get(normalise(request.question)), request.source.scene
    truth = question.answer(scene) if question is not None and scene is not None else None
    named = {"In full": found.full, "As allotted": found.allotted, "Uniform, same total": found.uniform}
    *spots, facts = st.columns(4, gap="medium")
    for spot, (name, version) in zip(spots, named.items(), strict=True):
        with spot:
            st.image(_large(version.pixels), width="stretch", alt=f"The picture {name.lower()}, as the model gets it")
            mark = "" if truth is None else " ✓" if version.answer.text == truth else f" ✕, it is {truth}"
            st.markdown(f"**{name}**: {version.answer.text}{mark}  \nprobability {version.answer.probability:.3f}")
            st.caption(f"{version.budgets.sum():,} tokens, told in {version.samples:,} samples")
    with facts:
        st.markdown("  \n".join(totals(found, plan)))
        if question is not None and scene is not None:
            st.markdown(on_target(found, np.asarray(relevant_cells(question, scene, _grid(found)), bool)))
        st.caption(vlm.name)


def chosen(found: Redrawn) -> str:
    """What the adapter set in place of the sliders."""
    return (
        f"The adapter (training seed 0) chose compress - particularize {found.tensions.particularize:+.2f}, focus - "
        f"diversify {found.tensions.diversify:+.2f}, and the weights below; a negative one turns its score around. It "
        "was trained through lab:concat with a minimum of 1 and totals of 72 to 324."
    )


def totals(found: Redrawn, plan: Plan) -> tuple[str, str]:
    """How much of the total relevance could move, and against every pixel."""
    bound = plan.low * PATCHES
    free = plan.total - bound
    return (
        f"**{plan.total:,}** tokens of {found.full.budgets.sum():,}, 1 in {found.full.budgets.sum() / plan.total:.1f}; "
        "uniform has as many.",
        f"The minimum takes {bound:,}; relevance may move {free:,} ({free / plan.total:.0%}).",
    )


def on_target(found: Redrawn, about: np.ndarray) -> str:
    """How many tokens what is asked about got, against its share of the picture."""
    if not about.any():
        return "Nothing that the question is about is in this scene."
    share, size = found.budgets[about].sum() / found.budgets.sum(), about.mean()
    return f"What is asked about covers {size:.0%} of the picture and gets **{share:.0%}** of the tokens."


def sentence(found: Redrawn) -> str:
    """What the allotted detail does to the full picture's answer, against uniform and chance, in words."""
    answer = found.full.answer.text
    low, high = np.quantile(found.by_chance, (0.05, 0.95))
    one, other = found.allotted.probability, found.uniform.probability
    dealt = f"{found.by_chance.mean():.2f} ({low:.2f} to {high:.2f} in 90 % of draws)"
    if np.ptp(found.budgets) <= 1:
        return f"All patches are alike, so allotted is uniform: “{answer}” has **{one:.2f}** in both."
    above = "above what chance gives" if one > high else "below what chance gives" if one < low else "within it"
    return (
        f"The full picture's answer “{answer}” keeps a probability of **{one:.2f}** as allotted, {other:.2f} uniform, "
        f"{found.full.probability:.2f} in full. The same budgets dealt by chance: {dealt}. The allotted one is {above}."
    )


def _save(found: Redrawn, vlm: VLM, request: Request, plan: Plan) -> None:
    leveled = found.scores.leveled()
    frame = pd.DataFrame(
        {
            "row": np.arange(PATCHES) // SIDE,
            "column": np.arange(PATCHES) % SIDE,
            "information (bits)": found.scores.information,
            "salience (spreads)": found.scores.salience,
            "coupling (share)": found.scores.coupling,
            **{
                f"{name} (0 to 1)": own
                for name, own in zip(("information", "salience", "coupling"), leveled, strict=True)
            },
            "relevance": found.relevance,
            "tokens": found.budgets,
            "uniform tokens": found.uniform.budgets,
        }
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        save_all(
            "allocation",
            {"budgets": charts.budget_map(found.budgets, SHAPE)},
            {"model": vlm.name, "question": request.question, "plan": _told(plan), **found.to_dict()},
            frame,
            f"{vlm.name} · “{request.question}” · {plan.total} tokens",
        )
        table = st.popover("Every patch in numbers", key="allocation-numbers", on_change="rerun")
        if table.open:
            table.dataframe(frame, hide_index=True)


def _told(plan: Plan) -> dict[str, float]:
    own = plan.tensions
    return {
        "total": plan.total,
        "low": plan.low,
        "high": plan.high,
        "particularize": own.particularize,
        "explore": own.explore,
        "diversify": own.diversify,
    }


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _large(pixels: np.ndarray) -> Image.Image:
    """Six times the size, every pixel a square."""
    return Image.fromarray(np.kron(pixels, np.ones((6, 6, 1), np.uint8)))
