"""How strong must the change be? One step at 21 strengths, drawn as the answers come."""

from collections.abc import Iterator
from dataclasses import replace

import streamlit as st

from vlmlens import charts
from vlmlens.counterfactual.dose import Dose, swept
from vlmlens.counterfactual.dose import dose as curve
from vlmlens.models import as_image
from vlmlens.perturb import PERTURBATIONS
from vlmlens.progress import Progress
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.donors import Donors
from vlmlens.ui.counterfactual.words import DOSE
from vlmlens.ui.jobs import live
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

SHORT = 0.4  # seconds: a lab model's curve is there by then


def draw(runs: Runs) -> None:
    steps = runs.changes.steps
    if not steps:
        st.info("A curve needs a change of the picture: add one above, and its strength is tried from 0 to 1.")
        return
    names = [f"{number}. {PERTURBATIONS[step.name].label}" for number, step in enumerate(steps, 1)]
    if st.session_state.get("dose-step") not in names:
        st.session_state["dose-step"] = names[-1]
    left, right = st.columns([1, 3], gap="medium")
    place = names.index(str(left.selectbox("Which change", names, key="dose-step")))
    without = replace(
        runs.changes, steps=tuple(replace(s, strength=0.0) if i == place else s for i, s in enumerate(steps))
    )
    scene, question = runs.changes.scene, runs.changed[1]
    picture = as_image(runs.request.source.load() if scene is None else scene)

    def task(progress: Progress) -> Iterator[Dose]:
        return curve(runs.vlm, swept(picture, steps, place, Donors()), question, progress=progress)

    def show(found: Dose, ended: bool) -> None:
        titled(found.sentence(), DOSE)
        figure = charts.dose(found)
        chart(figure)
        if ended:
            now = steps[place].strength
            st.caption(f"The strength is {now:.2f} at present. Solid points were asked; between them nothing is known.")
            about = f"{charts.caption(runs.after)} · {names[place]}"
            save_all("dose", {"dose": figure}, found.to_dict(), found.to_frame(), about)

    with right:
        live(("dose", *runs.key[:3], without, place), "Asking at every strength", task, show, first=SHORT)
