"""The card to take away: as the command line prints it, as tables, as figures, as lines of Python."""

import shlex

import streamlit as st

from vlmlens import charts
from vlmlens.diagnostics import TESTS
from vlmlens.ui.diagnostics.wanted import Asked, Files, Lab, Own, in_words
from vlmlens.ui.diagnostics.work import Found
from vlmlens.ui.save import csv, download, save_all


def draw(found: Found, asked: Asked) -> None:
    card = found.card
    figures = {"card": charts.scorecard(card)}
    if card.diagnosis is not None and card.diagnosis.counts:
        figures["items by word"] = charts.labels(card.diagnosis.counts)
    for row in card.rows:
        if row.name == "context" and "words" in row.details:
            figures["context"] = charts.context_use(row.details)
    whole, table, rest = st.columns([1, 1, 4])
    with whole:
        save_all("diagnostics", figures, card.to_dict(), card.to_frame(), in_words(asked))
    if (items := found.items) is not None:
        with table:
            download("Items, CSV", lambda: csv(items), "items.csv")
    with rest.expander("The same in Python, and on the command line"):
        st.code(as_python(asked), language="python")
        if line := as_command(asked):
            st.code(line, language="bash")


def as_python(asked: Asked) -> str:
    """Lines that make the card again."""
    match asked.probe:
        case Lab(scenes, questions):
            name, call = "lab_probe", f"lab_probe({asked.seed}, {scenes}, {questions})"
        case Files(path, _):
            name, call = "read_probe", f"read_probe({path or 'your folder'!r})"
        case Own(source, question, options):
            picture = f"Scene.from_json({source.text!r})" if source.kind == "scene" else "'your picture'"
            more = f", {options!r}" if options else ""
            name, call = "own_probe", f"own_probe({picture}, {question!r}{more}, seed={asked.seed})"
    lines = ["import vlmlens", f"from vlmlens.diagnostics import {', '.join(sorted((name, 'run')))}"]
    if "Scene." in call:
        lines.append("from vlmlens.lab.scenes import Scene")
    tests = "" if asked.tests == tuple(TESTS) else f", tests={asked.tests!r}"
    lines += ["", f"vlm = vlmlens.load({asked.model!r})", f"card = run(vlm, {call}{tests}, seed={asked.seed})"]
    return "\n".join([*lines, "print(card.sentence())", "card.to_frame()"])


def as_command(asked: Asked) -> str:
    """The line that prints the card; "" where the command line has no such probe set."""
    match asked.probe:
        case Lab(scenes, questions):
            probe = f" --scenes {scenes} --questions {questions}"
        case Files(path, _):
            probe = f" --probe {shlex.quote(path)}" if path else " --probe YOUR_FOLDER"
        case Own():
            return ""
    tests = "" if asked.tests == tuple(TESTS) else f" --tests {' '.join(asked.tests)}"
    return f"vlmlens diagnose {shlex.quote(asked.model)}{probe} --seed {asked.seed}{tests} --json"
