"""Trust: the estimator, live, on problems whose answer is known, at the person's own n and k."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information import TRUTHS, Estimate, InformationError, decompose, estimate, gaussian, sample_gaussian
from vlmlens.information.estimate import TERMS, of_samples
from vlmlens.information.samples import Samples
from vlmlens.progress import Progress
from vlmlens.ui.information import words
from vlmlens.ui.jobs import live
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

REPETITIONS = 8
GAUSSIAN = {"gaussian .8, .3": (0.8, 0.3, 0.0), "gaussian .7, .5, shared .5": (0.7, 0.5, 0.5)}


@dataclass(frozen=True, eq=False)
class Trial:
    """One problem: the true atoms, and what the estimator said each time."""

    name: str
    sentence: str
    true: tuple[float, float, float, float]
    found: tuple[Estimate, ...]


def trials(n: int, k: int, progress: Progress) -> Iterator[tuple[Trial, ...]]:
    """All problems so far, REPETITIONS draws each. n samples are counted."""
    done: list[Trial] = []
    problems = len(TRUTHS) + len(GAUSSIAN)
    for name, truth in TRUTHS.items():
        joint = truth.joint(k)
        pid = decompose(joint, 1e-9)
        true = tuple(float(getattr(pid, term)) for term in TERMS)
        found: list[Estimate] = []
        for repetition in range(REPETITIONS):
            progress.step((len(done) + repetition / REPETITIONS) / problems, name)
            cells = np.random.default_rng([9, repetition, n]).choice(joint.size, n, p=joint.ravel())
            try:
                found.append(of_samples(Samples.of(*(np.unravel_index(cells, joint.shape)))))
            except InformationError:
                break
            if found[-1].terms[0].status == "refused":
                break
        done.append(Trial(name, truth.sentence, true, tuple(found)))  # type: ignore[arg-type]
        yield tuple(done)
    for name, (r1, r2, c) in GAUSSIAN.items():
        found = []
        for repetition in range(REPETITIONS):
            progress.step((len(done) + repetition / REPETITIONS) / problems, name)
            found.append(estimate(*sample_gaussian(2 * n, r1, r2, c, seed=repetition), k=k))
            if found[-1].terms[0].status == "refused":
                break
        sentence = "Two views of a Gaussian; binning and clustering lose a part, so estimates lie below the truth."
        done.append(Trial(name, sentence, gaussian(r1, r2, c), tuple(found)))
        yield tuple(done)


def draw() -> None:
    left, rest = st.columns([1, 3], gap="large")
    with left:
        n = int(
            st.select_slider(
                "Samples counted n", (250, 500, 1000, 2000, 5000, 10000), 2000, key="trust-n", bind="query-params"
            )
        )
        k = st.slider("Clusters k, and answers", 2, 12, 8, key="trust-k", bind="query-params")
        term = st.selectbox(
            "Which atom",
            TERMS,
            format_func=lambda name: dict(zip(TERMS, charts.ATOMS, strict=True))[name],
            key="trust-term",
            bind="query-params",
        )
        st.caption("On the probe set half of the items are counted: n = 2000 there takes 4000 items.")
    with rest:
        live(
            ("trust", n, k),
            "Trying the estimator",
            lambda progress: trials(n, k, progress),
            lambda found, ended: _show(found, str(term), n, k, ended),
        )


def _show(found: tuple[Trial, ...], term: str, n: int, k: int, ended: bool) -> None:
    index = TERMS.index(term)
    rows: list[dict[str, Any]] = []
    for trial in found:
        terms = [estimate[term] for estimate in trial.found]
        shown = [t for t in terms if t.status == "shown"]
        true = trial.true[index]
        row = {"problem": trial.name, "truth, bits": round(true, 3)}
        if shown:
            held = sum(t.low - 1e-3 <= true <= t.high + 1e-3 for t in shown)
            row |= {
                "mean": round(float(np.mean([t.value for t in shown])), 3),
                "bias": round(float(np.mean([t.value for t in shown])) - true, 3),
                "plug-in bias": round(float(np.mean([t.plug_in for t in shown])) - true, 3),
                "interval held the truth": f"{held} of {len(shown)}",
            }
        else:
            row["interval held the truth"] = "refused" if terms else "not tried"
        rows.append(row | {"what it is": trial.sentence})
    frame = pd.DataFrame(rows)
    values = [[t[term].value for t in trial.found if t[term].status == "shown"] for trial in found]
    figure = charts.against_truth([trial.name for trial in found], [trial.true[index] for trial in found], values)
    biases = [abs(row["bias"]) for row in rows if "bias" in row and not str(row["problem"]).startswith("gaussian")]
    if biases:
        told = f"At n = {n} and k = {k} expect this atom to be off by up to **{max(biases):.3f} bit** on average."
    else:
        told = f"At n = {n} and k = {k} this atom is refused: too few samples for its table."
    titled(told, words.TRUST)
    chart(figure)
    st.dataframe(frame, width="stretch", hide_index=True)
    if ended:
        data = {"n": n, "k": k, "problems": frame.astype(object).where(frame.notna(), None).to_dict("records")}
        save_all("trust", {"estimates": figure}, data, frame, f"estimator at n = {n}, k = {k}")
