"""Pitfalls: what has gone wrong in this model, what that looks like, and what may be done about it."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.diagnostics import lab_probe
from vlmlens.lab import runs
from vlmlens.lab.pitfalls import REMEDIES
from vlmlens.lab.pitfalls.effects import judged
from vlmlens.models import VLM
from vlmlens.pitfalls import DETECTORS, Evidence, Finding, detect, found
from vlmlens.pitfalls.evidence import QUESTIONS, SCENES
from vlmlens.pitfalls.of_curve import of_curve
from vlmlens.pitfalls.planted import kept
from vlmlens.progress import Progress
from vlmlens.ui import results
from vlmlens.ui.fusion.pitfall_words import DETECTORS as WORDS
from vlmlens.ui.fusion.pitfall_words import MEASURED, VERDICTS
from vlmlens.ui.fusion.pitfall_words import REMEDIES as ABOUT_REMEDIES
from vlmlens.ui.jobs import live, result
from vlmlens.ui.look import chart, guard, titled, verdict
from vlmlens.ui.models import pick_model
from vlmlens.ui.save import save_all
from vlmlens.ui.views import choose

HOME = Path(__file__).resolve().parents[3] / "assets" / "pitfalls"
MOST_SEED = 9999
MOST_RUNS = 6  # the latest

Findings = list[tuple[str, Finding]]


def asked(vlm: VLM, seed: int, progress: Progress) -> Iterator[Findings]:
    """The findings so far, one detector after the other."""
    done: Findings = []
    for one in detect(Evidence(vlm, lab_probe(seed, SCENES, QUESTIONS), seed, progress)):
        done.append(one)
        yield list(done)


def draw() -> None:
    left, rest = st.columns([1, 3], gap="large")
    with left:
        name = pick_model()
        seed = int(st.number_input("Seed of the probe set", 0, MOST_SEED, 0, key="pitfall-seed", bind="query-params"))
        st.caption(
            f"Asked: {SCENES} held-out lab scenes, {QUESTIONS} questions of each. Of models from elsewhere some "
            "detectors have no evidence; they say so."
        )
    with rest, guard():
        vlm = results.model(name)
        live(
            ("pitfalls", vlm.name, vlm.info.revision, seed),
            "Looking for pitfalls",
            lambda progress: asked(vlm, seed, progress),
            lambda findings, ended: _cards(findings, vlm.name, seed, ended),
            first=0.6,
        )
    with rest, guard():
        _runs()
    st.divider()
    with guard():
        _side_by_side()
    st.divider()
    with guard():
        _remedies()


def _cards(findings: Findings, model: str, seed: int, ended: bool) -> None:
    """What was found, those first that were."""
    ill = [name for name, finding in findings if finding.verdict == "found"]
    unsure = [name for name, finding in findings if finding.verdict == "cannot tell"]
    silent = [name for name, finding in findings if finding.verdict == "n/a"]
    asked_for = len(findings) - len(silent)
    clear = asked_for - len(ill) - len(unsure)
    told = f"{model} has {' and '.join(ill)}" if ill else f"{model} has none of {clear} pitfalls"
    told += f"; of {' and '.join(unsure)} it cannot be told" if unsure else ""
    told += f" ({asked_for} looked for)" if ill else ""
    if not ended:
        told = f"{model}: {asked_for} of {len(DETECTORS)} looked for so far"
    titled(f"**{told}.**", MEASURED)
    order = ["found", "cannot tell", "not found", "n/a"]
    ranked = sorted(findings, key=lambda pair: order.index(pair[1].verdict))
    for start in range(0, len(ranked), 2):
        for place, (name, finding) in zip(st.columns(2), ranked[start : start + 2], strict=False):
            with place.container(border=True, height="stretch"):
                _card(name, finding, ended)
    if ended:
        frame = pd.DataFrame([{"pitfall": name, **_flat(finding)} for name, finding in findings])
        drawn = {name: charts.pitfall(name, finding.details) for name, finding in findings if finding.details}
        data = {"model": model, "seed": seed, "findings": {name: one.to_dict() for name, one in findings}}
        save_all("pitfalls", drawn, data, frame, f"pitfalls · {model} · probe set of seed {seed}")


def _card(name: str, finding: Finding, ended: bool) -> None:
    detector = DETECTORS[name]
    shape, word, color = VERDICTS[finding.verdict]
    verdict(name.capitalize(), f"{shape} {word}", color, WORDS[name])
    st.markdown(f"*{detector.question}*")
    st.markdown(f"n/a: {finding.sentence}" if finding.verdict == "n/a" else finding.sentence)
    if finding.verdict != "n/a":
        st.caption(f"{detector.threshold[0].upper()}{detector.threshold[1:]}.")
    if finding.verdict in ("found", "cannot tell"):
        st.markdown(f"{detector.advice} Remedies: {', '.join(detector.remedies)}.")
        if ended and finding.verdict == "found":
            st.button(
                f"Train with {' and '.join(detector.remedies[:2])}",
                key=f"train-against-{name}",
                on_click=_train,
                args=(detector.remedies[:2],),
                help="Opens the Train view with these remedies chosen.",
            )


def _runs() -> None:
    """What the curves of training runs tell, also of those that are still under way and no model yet."""
    every = runs.every()[:MOST_RUNS]
    if not every:
        return
    folded = st.expander("What do the curves of training runs tell?", key="pitfall-runs", on_change="rerun")
    if not folded.open:
        return
    with folded:
        rows = []
        for run in every:
            curve = run.curve()
            for name, finding in of_curve(curve):
                shape, word, _ = VERDICTS[finding.verdict]
                step = curve.last.step if curve.last else 0
                row = {"run": run.name, "state": run.state, "steps": step, "pitfall": name}
                rows.append(row | {"verdict": f"{shape} {word}", "what it says": finding.sentence})
        st.dataframe(pd.DataFrame(rows), width="stretch", hide_index=True)
        st.caption("By each run's last measurement. A finished run is also a model, run:NAME, and can be asked above.")


def _flat(finding: Finding) -> dict[str, Any]:
    """A finding as one row of a table."""
    low, high = finding.interval
    return {
        "verdict": finding.verdict,
        "number": finding.number,
        "low": low,
        "high": high,
        "n": finding.n,
        "sentence": finding.sentence,
    }


def _train(remedies: Sequence[str]) -> None:
    """For a button: the Train view, with these remedies chosen and the rest of its form as it is."""
    for key in ("train-remedies", "kept-train-remedies"):
        st.session_state[key] = list(remedies)
    choose("fusion", "Train")


# One that has it, one that does not


def _side_by_side() -> None:
    choice, number = st.columns([4, 1], vertical_alignment="bottom")
    name = str(
        choice.segmented_control(
            "What a pitfall looks like, in a model that has it and in one that does not",
            list(DETECTORS),
            default=next(iter(DETECTORS)),
            key="pitfall-shown",
            required=True,
            bind="query-params",
        )
    )
    seed = int(number.number_input("Seed of the pair", 0, MOST_SEED, 0, key="pitfall-pair", bind="query-params"))

    def work(progress: Progress) -> Findings:
        pair = []
        for ill in (True, False):
            progress.step(0.0 if ill else 0.5, "ill" if ill else "healthy")
            case = kept(name, seed, ill)
            pair.append((case.told, found(DETECTORS[name], Evidence(case.vlm, case.probe, seed, progress))))
        return pair

    pair = result(("pitfall pair", name, seed), "Planting a pitfall", work)
    for place, (planted, finding), kind in zip(st.columns(2, gap="large"), pair, ("Planted", "Healthy"), strict=True):
        with place:
            shape, word, color = VERDICTS[finding.verdict]
            st.markdown(f"**{kind}** &nbsp; :{color}-badge[{shape} {word}] &nbsp; {planted}.")
            st.markdown(finding.sentence)
            if finding.details:
                chart(charts.pitfall(name, finding.details))
    _measured()


@cache
def _read(name: str) -> dict[str, Any] | None:
    """What the committed script measured; None where it has not been run."""
    path = HOME / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _measured() -> None:
    """How often each detector was right."""
    table = _read("detectors")
    if table is None:
        st.info("How often the detectors are right is not measured yet: `python benchmarks/pitfalls.py detectors`.")
        return
    rows = table["rows"]
    right = sum(row["right"] for row in rows)
    last = table["first"] + table["cases"] - 1
    titled(
        f"Of {len(rows)} models with seeds {table['first']} to {last}, which nobody had looked at, the detectors told "
        f"{right} rightly.",
        MEASURED,
    )
    with st.expander("Which, and how far from the threshold"):
        counts = [
            {
                "detector": name,
                "ill, found": _share(rows, name, ill=True),
                "healthy, not found": _share(rows, name, ill=False),
                "ill: numbers": _range(rows, name, ill=True),
                "healthy: numbers": _range(rows, name, ill=False),
                "unit": detector.unit,
            }
            for name, detector in DETECTORS.items()
        ]
        st.dataframe(pd.DataFrame(counts), width="stretch", hide_index=True)
        shown = ("detector", "seed", "ill", "planted", "verdict", "number")
        st.dataframe(pd.DataFrame(rows)[list(shown)], width="stretch", hide_index=True, height=240)
        st.caption(f"Measured by `{table['command']}` on {table['date']}.")


def _own(rows: Sequence[dict[str, Any]], name: str, ill: bool) -> list[dict[str, Any]]:
    return [row for row in rows if row["detector"] == name and row["ill"] is ill]


def _share(rows: Sequence[dict[str, Any]], name: str, ill: bool) -> str:
    own = _own(rows, name, ill)
    return f"{sum(row['right'] for row in own)} of {len(own)}"


def _range(rows: Sequence[dict[str, Any]], name: str, ill: bool) -> str:
    numbers = [row["number"] for row in _own(rows, name, ill) if row["number"] is not None]
    return f"{min(numbers):.2g} to {max(numbers):.2g}" if numbers else "n/a"


# Remedies


def _remedies() -> None:
    st.markdown("**What the remedies move**")
    table = _read("remedies")
    if table is None:
        st.info(
            "What the remedies move is not measured yet: `python benchmarks/pitfalls.py remedies`. Each can be chosen "
            "in the Train view."
        )
        known = [{"remedy": r.name, "against": r.against, "what it does": r.sentence} for r in REMEDIES.values()]
        st.dataframe(pd.DataFrame(known), width="stretch", hide_index=True)
        return
    effects = {name: _effect(table, name) for name in table["experiments"]}
    done = {name: effect for name, effect in effects.items() if effect is not None}
    counted = {word: sum(e["verdict"] == word for e in done.values()) for word in ("improved", "no change", "worse")}
    titled(
        f"Of {len(done)} remedies tried, {counted['improved']} moved what they are for the right way, "
        f"{counted['no change']} by no more than chance, {counted['worse']} the wrong way.",
        ABOUT_REMEDIES,
    )
    left, right = st.columns([1.2, 1], gap="large")
    with right:
        name = str(st.selectbox("Remedy", list(done), key="pitfall-remedy", bind="query-params"))
        effect, tried = done[name], table["experiments"][name]
        low, high = effect["interval"]
        st.markdown(
            f"{REMEDIES[name].sentence} Tried at {tried['strength']:g} on {tried['why']}: it moves the "
            f"quantity below by {effect['difference']:+.3g} (95 % interval {low:+.3g} to {high:+.3g}, "
            f"{len(effect['with'])} seeds): {effect['verdict']}."
        )
        drawn = charts.remedy(effect["without"], effect["with"], tried["unit"])
        chart(drawn)
    with left:
        frame = pd.DataFrame(
            [
                {
                    "remedy": name,
                    "verdict": effect["verdict"],
                    "what it is for": table["experiments"][name]["unit"],
                    "without": effect["mean"][0],
                    "with": effect["mean"][1],
                    "95 % interval of the difference": f"{effect['interval'][0]:+.3g} to {effect['interval'][1]:+.3g}",
                    "accuracy without": effect["accuracy"][0],
                    "accuracy with": effect["accuracy"][1],
                    "accuracy": effect["accuracy_verdict"],
                }
                for name, effect in done.items()
            ]
        )
        st.dataframe(frame, width="stretch", hide_index=True)
        st.caption(f"Measured by `{table['command']}` on {table['date']}.")
        save_all("remedies", {name: drawn}, table, frame, "effects of remedies")


def _effect(table: dict[str, Any], name: str) -> dict[str, Any] | None:
    """One remedy's effect over the seeds that have both runs; None with fewer than two."""
    tried = table["experiments"][name]
    arms: dict[bool, dict[int, dict[str, Any]]] = {True: {}, False: {}}
    for row in table["rows"]:
        if row["remedy"] == name:
            arms[row["treated"]][row["seed"]] = row
    seeds = sorted(set(arms[True]) & set(arms[False]))
    if len(seeds) < 2:
        return None
    quantity = tried["quantity"]
    without, treated = ([arms[arm][seed][quantity] for seed in seeds] for arm in (False, True))
    right = [[arms[arm][seed]["accuracy"] for seed in seeds] for arm in (False, True)]
    difference, low, high, told = judged(without, treated, tried["higher"])
    return {
        "without": without,
        "with": treated,
        "mean": [sum(values) / len(values) for values in (without, treated)],
        "difference": difference,
        "interval": (low, high),
        "verdict": told,
        "accuracy": [sum(values) / len(values) for values in right],
        "accuracy_verdict": judged(right[0], right[1])[3],
    }
