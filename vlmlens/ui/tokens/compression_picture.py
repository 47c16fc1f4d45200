"""A picture under what was told of it, and the answer that came of it."""

import numpy as np
import streamlit as st
from PIL import Image

from vlmlens.lab.compress.ask import Heard
from vlmlens.lab.draw import PIXELS, draw
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.vision import SIDE
from vlmlens.models.lab import lab_pixels
from vlmlens.picture import encode_png
from vlmlens.trace import Grid
from vlmlens.ui.picture import Maps, picture
from vlmlens.ui.request import Request
from vlmlens.ui.results import escape

HEIGHT = 330


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


def survivors(heard: Heard, request: Request, key: str, height: int = HEIGHT, link: str = "") -> None:
    """How much is told of each patch, over the picture; with several tokens also of which patches each tells."""
    scene = request.source.scene
    pixels = Image.fromarray(lab_pixels(request.source.load()))
    shown = draw(scene) if scene is not None else pixels
    several = heard.keep > 1 and not link
    values = heard.survives[None, None]
    labels = ["all tokens"]
    if several:
        values = np.concatenate([values, heard.shares[:, None]])
        labels += [f"token {i + 1}" for i in range(heard.keep)]
    picture(
        encode_png(shown),
        Grid.regular((SIDE, SIDE), range(SIDE * SIDE), (PIXELS, PIXELS)).boxes,
        Maps(tuple(labels), values, 1, unit="tokens’ worth"),
        (),
        size=(PIXELS, PIXELS),
        key=f"{key}-picture",
        height=height,
        tools=("hover",),
        link=link,
    )
