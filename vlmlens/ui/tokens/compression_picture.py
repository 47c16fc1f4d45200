"""A picture under what was told of it, and the answer that came of it."""

import streamlit as st
from PIL import Image

from vlmlens import charts
from vlmlens.lab.compress.ask import Heard
from vlmlens.lab.draw import draw
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.scenes import BOARD, Scene
from vlmlens.lab.vision import SIDE
from vlmlens.models.lab import lab_pixels
from vlmlens.picture import encode_png
from vlmlens.ui.look import chart
from vlmlens.ui.request import Request
from vlmlens.ui.results import escape

HEIGHT = 320


def answered(heard: Heard, request: Request, small: bool = False) -> None:
    """The answer with its probability; on a lab scene also the truth."""
    scene, question = request.source.scene, by_text().get(normalise(heard.question))
    note = f"probability {heard.probability:.3f}"
    if scene is not None and question is not None:
        truth = question.answer(scene)
        if truth is None:
            note += " · this question has no true answer here"
        else:
            note += " · right ✓" if truth == heard.answer else f" · wrong ✕, it is {truth}"
    size = "lens-answer long" if small else "lens-answer"
    st.html(f'<p class="{size}">{escape(heard.answer)}<small>{escape(note)}</small></p>')


def survivors(heard: Heard, request: Request, height: int = HEIGHT) -> charts.Figure:
    """The picture as the compressor tells it, drawn."""
    scene = request.source.scene
    shown = draw(scene) if scene is not None else Image.fromarray(lab_pixels(request.source.load()))
    figure = charts.survivors(encode_png(shown), heard.shares, SIDE, shows(scene), height)
    chart(figure)
    return figure


def shows(scene: Scene | None) -> list[str]:
    """What each patch shows, where that is known."""
    if scene is None:
        return []
    things = [
        scene.at(row * BOARD // SIDE * BOARD + column * BOARD // SIDE) for row in range(SIDE) for column in range(SIDE)
    ]
    return [str(thing) if thing else "empty ground" for thing in things]
