"""Which words and patches carry the answer? Each hidden alone, before and after."""

import streamlit as st

from vlmlens import charts
from vlmlens.counterfactual.effects import EffectChange, effects_before_and_after
from vlmlens.progress import Progress
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.words import EFFECTS
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all


def draw(runs: Runs) -> None:
    def work(progress: Progress) -> EffectChange:
        return effects_before_and_after(runs.vlm, runs.clean, runs.changed, progress)

    found = result(("effects", *runs.key), "Hiding one part after the other", work)
    titled(found.sentence(), EFFECTS)
    figure = charts.effects(found)
    chart(figure)
    st.caption("Each is hidden alone. A word that only one side has, has one bar.")
    save_all("effects", {"effects": figure}, found.to_dict(), found.to_frame(), charts.caption(runs.before))
