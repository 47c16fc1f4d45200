"""The picture component on made-up maps. `make()` is what the tests compare the browser with."""

import io
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from vlmlens.ui.picture import Maps, Token, picture

SIDE = 6
SLICES = 12
HEADS = 4
SIZE = (600, 400)
LEFT = 60  # pixels at either side that no cell covers
WORDS = ("what", "colour", "is", "the", "circle", "?")
READ = ("red", "circle", "background", "a", "blue square", "Überraschungsgast", "dog", "")  # words at the cells


@dataclass(frozen=True)
class Demo:
    png: bytes
    boxes: np.ndarray
    maps: Maps
    tokens: tuple[Token, ...]


def png(seed: int, scale: float = 1.0) -> bytes:
    """Some coloured shapes."""
    rng = np.random.default_rng(seed)
    size = (int(SIZE[0] * scale), int(SIZE[1] * scale))
    image = Image.new("RGB", size, (196, 203, 208))
    pen = ImageDraw.Draw(image)
    for shape in (pen.ellipse, pen.rectangle, pen.ellipse, pen.rectangle):
        x, y = rng.uniform(0.1, 0.75, 2) * size
        side = rng.uniform(0.12, 0.25) * size[0]
        shape((x, y, x + side, y + side), fill=tuple(int(c) for c in rng.integers(30, 230, 3)))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def grid(side: int = SIDE, left: float = LEFT) -> np.ndarray:
    """Boxes of a side x side grid over the middle of the picture."""
    xs, ys = np.linspace(left, SIZE[0] - left, side + 1), np.linspace(0, SIZE[1], side + 1)
    return np.array([(xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(side) for c in range(side)])


def read() -> Maps:
    """A word at each cell and how probable two heads make it, in three layers."""
    rng = np.random.default_rng(10)
    words = np.array(READ)[np.arange(3 * SIDE**2).reshape(3, -1) * 3 % len(READ)]  # [slice, cell]
    values = rng.uniform(0.001, 0.9, (3, 2, SIDE**2)).astype(np.float32)
    return Maps(("layer 0", "layer 1", "layer 2"), values, 2, words=words, unit="probability of the word")


def change() -> Maps:
    """What four large cells do to the answer, with a sign."""
    values = np.array([[[-0.5, 0.25, 2.0, 0.0313]]], dtype=np.float32)
    return Maps(("all layers",), values, 1, unit="change of the log-probability")


def make(seed: int = 0) -> Demo:
    rng = np.random.default_rng(seed)
    cells = SIDE * SIDE
    logits = rng.normal(0, 1.6, (SLICES, HEADS, cells))
    share = rng.uniform(0.1, 0.6, (SLICES, HEADS, 1))
    values = share * np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    image_at = 3
    tokens = (
        Token("<s>", "bos"),
        Token("Look", "instruction"),
        Token("closely:", "instruction"),
        *(Token("<image>", "image", (cell,)) for cell in range(cells)),
        *(Token(word, "question") for word in WORDS),
        Token("red", "answer"),
    )
    rows = tuple(range(image_at + cells, image_at + cells + len(WORDS)))
    looks = 0.3 * rng.dirichlet(np.full(cells, 0.4), (SLICES, len(rows)))
    labels = (*(f"layer {i}" for i in range(SLICES - 1)), "readout")
    maps = Maps(labels, values.astype(np.float32), HEADS, looks.astype(np.float32), rows)
    return Demo(png(seed), grid(), maps, tokens)


def show() -> None:
    st.set_page_config(layout="wide")
    demo = make(st.radio("seed", (0, 1), horizontal=True, key="seed"))
    first = picture(
        demo.png, demo.boxes, demo.maps, demo.tokens, size=SIZE, key="first", region=(14, 15, 20), default_slice=3
    )
    st.write(f"region: {list(first.region)}")
    left, right = st.columns(2)
    with left:
        contrast = Maps(demo.maps.labels[:1], (demo.maps.values[5:6] - demo.maps.values[2:3]), HEADS)
        second = picture(
            png(0, 0.08), demo.boxes, contrast, (), size=SIZE, key="second", crisp_png=demo.png, signed=True
        )
        st.write(f"second region: {list(second.region)}")
    with right:
        picture(demo.png, demo.boxes, None, (), size=SIZE, key="third", tools=("hover",), height=200)
    left, right = st.columns(2)
    with left:
        picture(demo.png, demo.boxes, read(), (), size=SIZE, key="read", tools=("hover",), link="pair")
    with right:
        if st.checkbox("change", True, key="change-shown"):
            picture(demo.png, grid(2, 0), change(), (), size=SIZE, key="change", link="pair", signed=True)


if __name__ == "__main__":
    show()
