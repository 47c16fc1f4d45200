"""Everything of the Counterfactual page to take away: numbers, pictures, figures, and the Python that makes them."""

import json

import streamlit as st

from vlmlens import charts
from vlmlens.picture import encode_png
from vlmlens.trace import trace_bytes
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.changes import ASK, Word
from vlmlens.ui.counterfactual.donors import EXAMPLE
from vlmlens.ui.save import csv, download
from vlmlens.ui.source import examples


def save(runs: Runs) -> None:
    """A popover with the downloads, filled when it is opened."""
    popover = st.popover("Save", icon=":material/download:", width="stretch", key="save-change", on_change="rerun")
    if not popover.open:
        return
    difference = runs.difference
    with popover:
        st.caption("The link in the address bar restores this page.")
        download("Numbers, JSON", lambda: _json(runs), "counterfactual.json")
        download("Answers, CSV", lambda: csv(difference.answers.to_frame()), "answers.csv")
        download("Budgets, CSV", lambda: csv(difference.to_frame()), "budgets.csv")
        download("Picture after the changes, PNG", lambda: encode_png(runs.image), "changed.png")
        download("Trace before", lambda: trace_bytes(runs.before), "before.safetensors")
        download("Trace after", lambda: trace_bytes(runs.after), "after.safetensors")
        budget = difference.contributions or difference.attention
        figures = {
            "answers": lambda: charts.paired_answers(difference.answers),
            "budget, after less before": lambda: charts.budget_difference(budget),
        }
        name = str(st.selectbox("Figure", list(figures), key="save-change-figure"))
        kind = st.segmented_control("As", charts.FORMATS, default="html", key="save-change-kind", required=True)
        about = f"{charts.caption(runs.before)} · after: {runs.after.question} {runs.changes.to_json()}"
        kind = str(kind or "html")
        download(f"Figure, {kind.upper()}", lambda: charts.export(figures[name](), kind, about[:400]), f"change.{kind}")
        st.caption("The same in Python")
        st.code(as_python(runs), language="python")


def _json(runs: Runs) -> bytes:
    before, after = runs.before, runs.after
    content = {
        "model": before.model,
        "revision": before.revision,
        "version": before.version,
        "question": {"before": before.question, "after": after.question},
        "picture_sha256": {"before": before.picture_hash, "after": after.picture_hash},
        "changes": json.loads(runs.changes.to_json()),
        **runs.difference.to_dict(),
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def as_python(runs: Runs) -> str:
    """Lines that ask both and compare them again."""
    source, changes = runs.request.source, runs.changes
    scene = source.scene is not None
    lines = ["import json", "import vlmlens", "from PIL import Image"]
    lines += [
        "from vlmlens.counterfactual.compare import compare",
        "from vlmlens.perturb import apply_text, from_json, run",
    ]
    if scene or any(step.donor.startswith(EXAMPLE) for step in changes.steps):
        lines += ["from vlmlens.lab.draw import render", "from vlmlens.lab.scenes import Scene"]
    lines += ["", f"vlm = vlmlens.load({runs.vlm.name!r})"]
    picture = f"render(Scene.from_json({source.text!r}))" if scene else 'Image.open("your picture").convert("RGB")'
    lines += [f"before, question = {picture}, {runs.request.question!r}"]
    start = "before" if changes.scene is None else f"render(Scene.from_json({changes.scene.to_json()!r}))"
    lines += [f"after, asked = {start}, question"]
    if changes.steps:
        steps = json.dumps(json.loads(changes.to_json())["picture"])
        donors = "".join(_donor(name) for name in dict.fromkeys(step.donor for step in changes.steps if step.donor))
        lines += [f"after = run(after, from_json({steps!r}), {{{donors}}}).image"]
    lines += [_said(word) for word in changes.words]
    lines += ["found = compare(vlm.inspect(before, question), vlm.inspect(after, asked))", "print(found.sentence())"]
    if "json." not in "\n".join(lines[3:]):
        lines.remove("import json")
    if scene:
        lines.remove("from PIL import Image")
    return "\n".join(lines)


def _donor(name: str) -> str:
    if not name.startswith(EXAMPLE):
        return f'{name!r}: Image.open("your other picture"), '
    scene = examples()[int(name.removeprefix(EXAMPLE)) - 1]
    return f"{name!r}: render(Scene.from_json({scene.to_json()!r})), "


def _said(word: Word) -> str:
    if word.name == ASK:
        return f"asked = {word.text!r}"
    given = "".join(f", {name}={value!r}" for name, value in word.given().items())
    seed = f", seed={word.seed}" if word.seed else ""
    return f"asked = apply_text({word.name!r}, asked{seed}{given})"
