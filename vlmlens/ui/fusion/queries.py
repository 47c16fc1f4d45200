"""What the learned queries of a trained model look at, and which of them its answer hangs on."""

import numpy as np
import streamlit as st

from vlmlens import charts
from vlmlens.attention.queries import QueryLooks, looks_of
from vlmlens.attribution.ground_truth import relevant_cells
from vlmlens.lab.questions import Question, by_text, normalise
from vlmlens.lab.scenes import BOARD, Scene
from vlmlens.lab.vision import SIDE
from vlmlens.lab.weights import SEEDS, LabName
from vlmlens.models import VLM
from vlmlens.picture import encode_png
from vlmlens.trace import Grid
from vlmlens.ui import results
from vlmlens.ui.ask import pick_folded, type_question
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, titled
from vlmlens.ui.models import model
from vlmlens.ui.picture import Maps, Token, picture
from vlmlens.ui.request import Request, asked, remember
from vlmlens.ui.save import save_all

KINDS = ("qformer", "perceiver")
HELP = (
    "Where a query looks",
    "The cross-attention of each learned query over the patches of the picture, mean over heads, sum 1. In a Q-Former "
    "with the words beside the queries (InstructBLIP, Dai et al., NeurIPS 2023) the first look may already follow the "
    "question, because queries and words share a layer before it. Blue dots: the patches of what the question asks "
    "about, known on lab scenes. *It cannot tell* what a query took from where it looked, nor whether the answer used "
    "it: see the bars.",
)
USE = (
    "Read, and needed",
    "Yellow: the readout's attention to each query, mean over heads, sum 1. Vermilion: how far the probability of the "
    "answer falls where nobody may read that query, at any layer or at the readout (a knock-out, Geva et al., EMNLP "
    "2023). The two need not agree: what is read may be had from another query too. *It cannot tell* what two "
    "queries do together: each is hidden alone.",
)


def draw() -> None:
    request = asked()
    left, right = st.columns([1, 2.4], gap="large")
    with left:
        name = _pick_model()
        type_question()
        pick_folded(request, "queries")
    remember(request)
    vlm = model(name)
    results.notices(request, vlm)
    found = result(
        ("queries", vlm.name, request.source, request.question),
        "Asking every query",
        lambda progress: looks_of(vlm, request.source.load(), request.question),
    )
    scene = request.source.scene
    question = by_text().get(normalise(request.question))
    about = _about(question, scene, found.grid)
    with left:
        _picture(found, request, vlm)
    with right:
        titled(look_sentence(found, about), HELP)
        side = round(len(found.grid.positions) ** 0.5)
        looks = charts.query_looks(
            found, side, np.flatnonzero(about).tolist() if about is not None else (), _shows(scene)
        )
        chart(looks)
        titled(use_sentence(found), USE)
        use = charts.query_use(found)
        chart(use)
    save_all(
        "queries",
        {"looks": looks, "use": use},
        {
            "model": vlm.name,
            "question": request.question,
            "answer": found.answer,
            "probability": found.probability,
            "read": [None if value != value else value for value in found.read.tolist()],
            "lost": found.drop.tolist(),
            "looks": found.looks.tolist(),
        },
        found.to_frame(),
        f"{vlm.name} · “{request.question}”",
    )


def _pick_model() -> str:
    """One of the trained models with learned queries."""
    names = [str(LabName(kind, seed)) for kind in KINDS for seed in SEEDS if LabName(kind, seed).path.exists()]
    return str(st.selectbox("Model", names or ["lab:qformer"], key="queries-model", bind="query-params"))


def _about(question: Question | None, scene: Scene | None, grid: Grid) -> np.ndarray | None:
    """bool [cell]: the patches of what is asked about; None where that is not known, or nothing is there."""
    if question is None or scene is None:
        return None
    cells = np.asarray(relevant_cells(question, scene, grid), bool)
    return cells if cells.any() else None


def _shows(scene: Scene | None) -> list[str]:
    """What each of the lab's patches shows, for the hover."""
    if scene is None:
        return []

    def at(patch: int) -> str:
        thing = scene.at(patch // SIDE * BOARD // SIDE * BOARD + patch % SIDE * BOARD // SIDE)
        return str(thing) if thing else "empty ground"

    return [at(patch) for patch in range(SIDE * SIDE)]


def _picture(found: QueryLooks, request: Request, vlm: VLM) -> None:
    """The picture: under the mean of all queries, and of each one when its name is pointed at."""
    count = found.looks.shape[1]
    maps = Maps(
        tuple(label.split(":")[0] for label in found.labels),
        found.heads,
        found.heads.shape[1],
        found.looks,
        tuple(range(count)),
        None,
        "of the queries' look",
    )
    picture(
        encode_png(vlm.image(request.source.load())),
        found.grid.boxes,
        maps,
        [Token(f"query {i + 1}", "latent") for i in range(count)],
        size=found.grid.size,
        key="queries-look",
        default_slice=len(found.labels) - 1,
        height=300,
        tools=("hover",),
    )
    st.caption("Mean over queries; point at a query below the picture to see its own look.")


def look_sentence(found: QueryLooks, about: np.ndarray | None) -> str:
    """Which query looks most at what is asked about, and how alike they look."""
    layer = len(found.labels) - 1
    name = found.labels[layer].split(":")[0]
    alike = f"Two queries share **{100 * found.overlap[layer]:.0f} %** of their look at {name}."
    if about is None:
        return f"{alike} What the question asks about is not known here, so no query can be held against it."
    share = found.on(about)
    best = int(share[layer].argmax())
    chance = float(about.mean())
    return (
        f"At {name} query {best + 1} gives **{100 * share[layer, best]:.0f} %** of its look to what is asked about, "
        f"all queries together {100 * share[layer].mean():.0f} %; it covers {100 * chance:.0f} % of the picture. "
        + alike
    )


def use_sentence(found: QueryLooks) -> str:
    """Which query is read most and which is needed most."""
    answer = f"“{found.answer}” (probability {found.probability:.2f})"
    needed = int(found.drop.argmax())
    lost = f"hiding query {needed + 1} costs it most, **{found.drop[needed]:.2f}**"
    if found.drop[needed] < 0.01:
        lost = "hiding any one query costs it less than 0.01: the others have it too"
    if np.isnan(found.read).any():
        return f"{answer} is read from the words, not from the queries; {lost}."
    most = int(found.read.argmax())
    return f"{answer} is read from query {most + 1} most, {100 * found.read[most]:.0f} % of the readout's look; {lost}."
