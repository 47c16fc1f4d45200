"""Gates: two inputs, one output, and the decomposition moving as the gate does."""

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information import GATES, Interventional, decompose, gate, interventional, mixture
from vlmlens.lab.planted_scenes import PLANTED, planted
from vlmlens.progress import Progress
from vlmlens.ui import results
from vlmlens.ui.information import words
from vlmlens.ui.jobs import result
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.models import pick_model
from vlmlens.ui.save import save_all

MIXED = "a mixture"
MIXABLE = ("AND", "XOR", "UNQ", "RDN")
NAMES = ("the first alone", "the second alone", "either", "both together")


def draw() -> None:
    """Choose a gate, add noise or mix, and read what it is made of."""
    left, right = st.columns([1, 2], gap="large")
    with left:
        chosen = (
            st.segmented_control("Gate", [*GATES, MIXED], default="XOR", key="gate", bind="query-params", required=True)
            or "XOR"
        )
        noise = st.slider(
            "Noise: how often the output is drawn at random", 0.0, 1.0, 0.0, 0.05, key="gate-noise", bind="query-params"
        )
        if chosen == MIXED:
            st.caption("Each gate is used as often as its slider says.")
            weights = {
                name: st.slider(name, 0.0, 1.0, 0.25, 0.05, key=f"gate-{name}", bind="query-params") for name in MIXABLE
            }
            if not any(weights.values()):
                st.info("All weights are 0: raise one.")
                return
            table = (1 - noise) * mixture(weights) + noise * _even(mixture(weights))
            st.markdown("The first input stands for the picture, the second for the words.")
        else:
            table = gate(chosen, noise)
            st.markdown(
                f"**{chosen}**: {GATES[chosen].sentence} The first input stands for the picture, the second for "
                "the words."
            )
        st.dataframe(_frame(table), hide_index=True, width="stretch")
    pid = decompose(table, 1e-9)
    values = [float(x) for x in (pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic)]
    figure = charts.exact(pid, end=2.0 if chosen == "COPY" else 1.0)
    with right:
        if pid.total < 1e-6:
            titled("Nothing tells anything: the output is noise.", words.ATOMS)
        else:
            parts = sorted(zip(values, NAMES, strict=True), reverse=True)
            said = ", ".join(f"**{value:.3f}** by {name}" for value, name in parts if value > 5e-4)
            titled(f"Of {pid.total:.3f} bits about the output, {said}.", words.ATOMS)
        chart(figure)
        st.caption(f"Certified to {max(pid.gap, 1e-12):.0e} bit.")
        save_all(
            "gate", {"atoms": figure}, {"gate": chosen, "noise": noise, **pid.to_dict()}, _frame(table), str(chosen)
        )
    with guard():
        _scenes()


def _scenes() -> None:
    """The same four atoms in a trained model: scenes whose answers need the words, the picture, either, or both."""
    st.markdown("**The same with a trained model and scenes built for it**")
    left, right = st.columns([1, 2], gap="large")
    with left:
        model = pick_model()
        name = st.segmented_control(
            "What the answer needs", list(PLANTED), default="both", key="planted", required=True
        )
        row = PLANTED[name or "both"]
        st.caption(row.sentence)
    with right:
        vlm = results.model(model)

        def work(progress: Progress) -> Interventional:
            scenes, questions, weights = planted(name or "both")
            told = f"{len(scenes)} scenes and {len(questions)} questions"
            return interventional(vlm, scenes, questions, weights=weights, ensemble=told, tol=1e-4, progress=progress)

        found = result(("planted", vlm.name, name), "Asking", work)
        titled(found.sentence(), words.INTERVENTIONAL)
        chart(charts.exact(found.pid, end=1.0))


def _even(table: np.ndarray) -> np.ndarray:
    return table.sum(axis=2, keepdims=True) / table.shape[2] * np.ones_like(table)


def _frame(table: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"picture": a, "words": b, **{f"P(output {y})": round(float(p), 3) for y, p in enumerate(row / row.sum())}}
            for a, rows in enumerate(table)
            for b, row in enumerate(rows)
            if row.sum() > 0
        ]
    )
