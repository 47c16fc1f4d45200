"""How strong must the change be? One step at 21 strengths, drawn as the answers come."""

from collections.abc import Iterator
from dataclasses import replace

import streamlit as st
from PIL import Image

from vlmlens import charts
from vlmlens.counterfactual.dose import Dose
from vlmlens.counterfactual.dose import dose as curve
from vlmlens.perturb import PERTURBATIONS
from vlmlens.progress import Progress
from vlmlens.ui.counterfactual.asking import Runs, changed_picture
from vlmlens.ui.counterfactual.words import DOSE
from vlmlens.ui.jobs import live
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all


def draw(runs: Runs) -> None:
    steps = runs.changes.steps
    if not steps:
        st.info("A curve needs a change of the picture: add one above, and its strength is tried from 0 to 1.")
        return
    names = [f"{number}. {PERTURBATIONS[step.name].label}" for number, step in enumerate(steps, 1)]
    if st.session_state.get("dose-step") not in names:
        st.session_state["dose-step"] = names[-1]
    place = names.index(str(st.selectbox("Which change", names, key="dose-step")))
    without = replace(
        runs.changes, steps=tuple(replace(s, strength=0.0) if i == place else s for i, s in enumerate(steps))
    )
    request, vlm, question = runs.request, runs.vlm, runs.changed[1]

    def at(strength: float) -> Image.Image:
        swept = tuple(replace(s, strength=strength) if i == place else s for i, s in enumerate(steps))
        return changed_picture(request, replace(runs.changes, steps=swept))

    def task(progress: Progress) -> Iterator[Dose]:
        return curve(vlm, at, question, progress=progress)

    def show(found: Dose, ended: bool) -> None:
        titled(found.sentence(), DOSE)
        figure = charts.dose(found)
        chart(figure)
        if ended:
            now = steps[place].strength
            st.caption(f"The strength is {now:.2f} at present. Solid points were asked; between them nothing is known.")
            about = f"{charts.caption(runs.after)} · {names[place]}"
            save_all("dose", {"dose": figure}, found.to_dict(), found.to_frame(), about)

    live(("dose", *runs.key[:3], without, place), "Asking at every strength", task, show)
