"""The middle and right parts of Inspect: the picture with its maps, the answer, the budgets, the causal check."""

import numpy as np
import streamlit as st

from vlmlens import charts
from vlmlens.attention import (
    CausalCheck,
    budget,
    causal_check,
    contributions,
    hottest_window,
    image_maps,
    sinks,
)
from vlmlens.attribution import Map
from vlmlens.lab.draw import PIXELS, render
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.scenes import Scene
from vlmlens.models import VLM
from vlmlens.picture import encode_png
from vlmlens.progress import Progress
from vlmlens.trace import Segment, Trace
from vlmlens.ui import words
from vlmlens.ui.jobs import result
from vlmlens.ui.look import VERDICTS, chart, explain, head_start, verdict
from vlmlens.ui.models import model as model
from vlmlens.ui.picture import Maps, Selection, Token, Tool, picture
from vlmlens.ui.request import Request

LONG = 40  # characters of an answer that is a sentence rather than a word
HEIGHT = 440  # pixels of the picture: with it, picture, answer, verdict and budget stand on one laptop screen


def inspect(request: Request, name: str | None = None) -> Trace:
    """The trace of a request, computed once for the same model, picture and question."""
    vlm = model(name or request.model)
    source = request.source
    content = source.load()
    return result(
        ("inspect", vlm.name, source, request.question),
        f"Asking {vlm.name}",
        lambda progress: vlm.inspect(content, request.question, progress=progress),
    )


def notices(request: Request, vlm: VLM) -> None:
    """What must be known before the result is believed."""
    if vlm.info.reduced:
        st.info(vlm.info.reduced)
    if not vlm.info.lab:
        return
    if request.source.foreign_to_the_lab():
        st.warning(
            f"{vlm.name} knows only lab scenes and this is not one: its answer is what it truly computes, and means "
            "nothing about this picture. Load a Hugging Face model, or compose a scene.",
            icon=":material/info:",
        )
    elif normalise(request.question) not in by_text():
        st.info("Lab models never saw a question of this wording; what they answer to it means little.")


def picture_with_maps(
    request: Request | None,
    trace: Trace,
    key: str,
    found: Map | None,
    marked: tuple[int, ...] = (),
    place: int = 0,
    *,
    link: str = "",
    tools: tuple[Tool, ...] = ("hover", "brush", "box"),
) -> Selection:
    """The component: a map's slices, the token strip, the region tools; with raw attention also each question word's.

    What a map notes of itself stands above it. Linked pictures share one cursor and have no strip.
    """
    scene = request.source.scene if request is not None else None
    maps = None
    if found is not None:
        looks = _looks(trace) if found.method == "raw" and not link else None
        rows = trace.rows["question"].positions if looks is not None else ()
        heads = found.values.shape[1]
        if found.note:
            st.caption(found.note)
        maps = Maps(found.labels, found.values, heads, looks, tuple(rows), found.words, found.unit)
    pixels = encode_png(render(scene)) if scene is not None and trace.grid.size == (PIXELS, PIXELS) else None
    shown = trace.grid.shown()
    tokens = [
        Token(text, Segment(segment).word, shown.get(position, ()))  # type: ignore[arg-type]
        for position, (text, segment) in enumerate(zip(trace.tokens, trace.segments, strict=True))
    ]
    return picture(
        pixels or trace.picture,
        trace.grid.boxes,
        maps,
        tokens if not link else (),
        size=trace.grid.size,
        key=key,
        crisp_png=trace.picture if pixels else None,
        region=marked,
        default_slice=place,
        height=HEIGHT,
        signed=found is not None and found.signed,
        tools=tools,
        link=link,
    )


def _looks(trace: Trace) -> np.ndarray | None:
    """Where the question's words look, [place, word, cell]; None where they see no picture at the answer's places."""
    if trace.rows.get("question") is None:
        return None
    looks: np.ndarray = image_maps(trace, "question")[1].mean(axis=1)
    return looks if len(looks) == len(image_maps(trace)[0]) else None


def answer(trace: Trace, scene: Scene | None) -> None:
    """The whole answer, large, with its probability; on a lab scene also the truth."""
    best = trace.answers[0]
    said = trace.text or best.text
    truth = None
    if scene is not None and (question := by_text().get(normalise(trace.question))) is not None:
        truth = question.answer(scene)
    note = f"{'first token, ' if len(trace.steps) > 1 else ''}probability {best.probability:.3f}"
    if truth is not None:
        note += " · right ✓" if truth == best.text else f" · wrong ✕, it is {truth}"
    elif scene is not None:
        note += " · this question has no true answer on this scene"
    size = "lens-answer long" if len(said) > LONG else "lens-answer"
    st.html(f'<p class="{size}">{escape(said)}<small>{escape(note)}</small></p>')


def ranked(trace: Trace) -> None:
    """The answer among its runners-up."""
    head_start()
    chart(charts.answers(trace))


def budgets(trace: Trace, key: str) -> None:
    """One budget at a time, its sentence first; the choice of ruler is the reader's."""
    split, parts = budget(trace), contributions(trace)
    rulers = ["contribution", "share", "rate"] if not split.competes.any() else ["share", "rate", "contribution"]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        chosen = st.segmented_control(
            "Where it comes from, layer by layer",
            rulers,
            default=rulers[0],
            key=f"ruler-{key}-{rulers[0]}",
            required=True,
            label_visibility="collapsed",
        )
        ruler = chosen or rulers[0]
        explain(*words.RULERS[ruler])
    if ruler == "contribution":
        st.markdown(words.contribution_sentence(parts))
        chart(charts.contributions(parts))
        return
    st.markdown(words.budget_sentence(split, trace))
    if split.competes.any():
        chart(charts.budget(split, "rate" if ruler == "rate" else "share"))
    if split.nowhere.any():
        st.caption(f"Up to {split.nowhere.max():.2f} of a layer's attention goes to a learned sink, which is no token.")
    if found := [position for position in sinks(trace) if trace.visible()[:, position].any()]:
        without = budget(trace, without=found)
        share = np.nanmax(without.of(Segment.IMAGE))
        st.caption(f"{len(found)} sink positions; without them the image's largest share is {share:.2f}.")


def check(request: Request, trace: Trace, region: tuple[int, ...], what: str) -> CausalCheck:
    """The causal check of a region, its verdict in a word and a shape, its sentence, its chart."""
    vlm, content = model(trace.model), request.source.load()

    def work(progress: Progress) -> CausalCheck:
        return causal_check(vlm, content, request.question, trace, region, progress=progress)

    found = result(("check", vlm.name, request.source, request.question, region), "Hiding regions", work)
    shape, word, color = VERDICTS[found.verdict]
    verdict("Did looking matter?", f"{shape} {word}", color, words.CAUSAL)
    st.markdown(found.sentence(what))
    chart(charts.causal(found))
    return found


def region_of(trace: Trace, place: int) -> tuple[int, ...]:
    """The hottest window of one place's map, head mean."""
    _, values = image_maps(trace)
    return hottest_window(values[place, :, 0].mean(axis=0), trace.grid.shape)


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
