"""This input: interventional PID of a person's own picture and question, over an ensemble that they choose."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information import ranked
from vlmlens.information.contributions import Shap, mm_shap
from vlmlens.information.ensembles import PICTURE_SETS, QUESTION_SETS
from vlmlens.information.interventional import Interventional, growing
from vlmlens.lab.questions import by_text, normalise
from vlmlens.models import VLM, Picture, as_image
from vlmlens.picture import encode_png
from vlmlens.progress import Progress
from vlmlens.ui import results
from vlmlens.ui.ask import pick_input
from vlmlens.ui.information import quick, words
from vlmlens.ui.jobs import live, result
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.request import Request, asked, remember
from vlmlens.ui.save import save_all

OWN = "my own list"
MOST_SHOWN = 24  # pictures in the table of answers


@dataclass(frozen=True)
class Ensemble:
    """Names that rebuild the pictures and questions."""

    pictures: str
    questions: tuple[str, ...]
    strength: float
    seed: int
    words: str

    def over(self, vlm: VLM, picture: Picture) -> list[Picture]:
        row = PICTURE_SETS[self.pictures]
        return row.make(picture if row.lab else vlm.image(picture), self.strength, self.seed)


def stream(vlm: VLM, request: Request, ensemble: Ensemble, progress: Progress) -> Iterator[Interventional]:
    """The decomposition over the pictures so far."""
    pictures = ensemble.over(vlm, request.source.load())
    yield from growing(vlm, pictures, ensemble.questions, lens=True, ensemble=ensemble.words, progress=progress)


def draw() -> None:
    request = asked()
    left, rest = st.columns([1, 3], gap="large")
    with left:
        pick_input(request)
        ensemble = _choose(request)
        remember(request)
    with rest, guard():
        vlm = results.model(request.model)
        results.notices(request, vlm)
        key = ("this input", vlm.name, request.source, ensemble)

        def show(found: Interventional, ended: bool) -> None:
            _show(found, request, vlm, ensemble, ended)

        if len(ensemble.questions) < 2:
            st.info("One question alone cannot show what questions change: choose another set, or add to your list.")
            return
        live(key, "Asking every pair", lambda progress: stream(vlm, request, ensemble, progress), show)


def _choose(request: Request) -> Ensemble:
    scene = request.source.scene is not None
    known = normalise(request.question) in by_text() if request.question.strip() else False
    pictures = [name for name, row in PICTURE_SETS.items() if scene or not row.lab]
    chosen = str(st.selectbox("Over which pictures", pictures, key="ensemble-pictures", bind="query-params"))
    row = PICTURE_SETS[chosen]
    strength = st.slider("How much", 0.1, 1.0, 0.6, 0.1, key="ensemble-strength", bind="query-params")
    seed = int(st.number_input("Seed", 0, 10_000, 0, key="ensemble-seed", bind="query-params"))
    sets = [name for name, found in QUESTION_SETS.items() if known or not found.lab]
    which = str(st.selectbox("And which questions", [*sets, OWN], key="ensemble-questions", bind="query-params"))
    if which == OWN:
        typed = st.text_area(
            "One a line",
            "\n".join(QUESTION_SETS["rephrased"].make(request.question, b"")),
            key="own",
            bind="query-params",
        )
        questions = tuple(dict.fromkeys(line.strip() for line in typed.splitlines() if line.strip()))
        told = f"{len(questions)} questions of your own"
    else:
        questions = tuple(QUESTION_SETS[which].make(request.question, request.source.load()))
        told = f"{len(questions)} {QUESTION_SETS[which].words}"
    return Ensemble(chosen, questions, strength, seed, f"{row.words}, and {told}")


def _show(found: Interventional, request: Request, vlm: VLM, ensemble: Ensemble, ended: bool) -> None:
    bars, layers = st.columns([1.15, 1], gap="large")
    end = charts.axis_end(max(found.pid.total, 0.05))
    figures = {"atoms": charts.exact(found.pid, end)}
    with bars:
        titled(found.sentence(), words.INTERVENTIONAL)
        if ended:
            chart(figures["atoms"])
        else:
            quick.bars(quick.of_pid(found.pid), 1.12 * end)
        share, behaviour = found.image_share, found.behavioural_share
        st.markdown(
            f"Image share of what is unique: **{_percent(share)}** · "
            f"of what changes the answer: **{_percent(behaviour)}**"
        )
        st.caption(f"{len(found.table)} pictures x {len(found.questions)} questions, exact for these.")
    with layers:
        if found.layers and ended:
            points = [*(name for name, _ in found.layers), "output"]
            pids = [*(pid for _, pid in found.layers), found.pid]
            atoms = [[float(x) for x in (p.unique_1, p.unique_2, p.redundant, p.synergistic)] for p in pids]
            figures["by layer"] = charts.by_layer(points, atoms)
            titled("**Layer by layer**, by the logit lens", words.LENS)
            chart(figures["by layer"])
    if not ended:
        return
    pairs, opinion = st.columns([1.6, 1], gap="large")
    with pairs:
        st.markdown("**What it said**: a row a picture, the first your own; a column a question")
        drawn = {"picture": st.column_config.ImageColumn("picture", width="small")}
        pictures = ensemble.over(vlm, request.source.load())
        st.dataframe(_answers(found, pictures), width="stretch", height=270, row_height=48, column_config=drawn)
        frame = ranked(found)
        first = frame.iloc[0]
        st.markdown(
            f"**Where the question alone decided**: most for “{first.question}” on picture {int(first.picture) + 1}, "
            f"{first.unique_text:.2f} bit."
        )
        spoken = frame.assign(picture=frame.picture + 1).rename(columns=lambda name: name.replace("_", " "))
        st.dataframe(spoken.round(3).head(50), width="stretch", height=200, hide_index=True)
        save_all(
            "this-input",
            figures,
            {"model": vlm.name, "picture_set": ensemble.pictures, **found.to_dict()},
            frame,
            f"{vlm.name} · {found.ensemble}",
        )
    with opinion, guard():
        shap = _second_opinion(request, vlm)
        titled(
            f"**A second opinion**: words carry {_percent(shap.text_share)} of the answer's Shapley values", words.SHAP
        )
        st.dataframe(
            shap.to_frame().assign(side=np.where(shap.image, "picture", "words")).drop(columns="image").round(3),
            width="stretch",
            height=380,
            hide_index=True,
        )


def _second_opinion(request: Request, vlm: VLM) -> Shap:
    picture, question = request.source.load(), request.question
    trace = results.inspect(request)
    candidate = trace.answers[0].candidate

    def work(progress: Progress) -> Shap:
        return mm_shap(vlm, picture, question, candidate, progress=progress)

    return result(("shap", vlm.name, request.source, question), "A second opinion", work)


def _answers(found: Interventional, pictures: Sequence[Picture]) -> pd.DataFrame:
    """The most probable answer of every pair, and the pictures themselves as data addresses."""
    best = found.table[:MOST_SHOWN].argmax(axis=2)
    top = found.table[:MOST_SHOWN].max(axis=2)
    cells = [
        [_thumbnail(picture), *(f"{found.answers[b]} {p:.2f}" for b, p in zip(row, odds, strict=True))]
        for picture, row, odds in zip(pictures, best, top, strict=False)
    ]
    return pd.DataFrame(cells, columns=["picture", *found.questions], index=range(1, len(cells) + 1))


def _thumbnail(picture: Picture) -> str:
    image = as_image(picture).copy()
    image.thumbnail((48, 48))
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()


def _percent(value: float) -> str:
    return "n/a" if value != value else f"{100 * value:.0f} %"
