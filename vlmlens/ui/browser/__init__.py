"""What the browser components share: how one is put together from its files, and pictures that are sent once.

_COMPONENT = component("painter", Path(__file__).parent, ("painter.js",))
name = shelve(png, key="painter-before")      # the script finds the bytes under `name` with onShelf(name)
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def component(name: str, folder: Path, scripts: Sequence[str], lens: bool = True) -> Callable[..., Any]:
    """The component `vlmlens.NAME` of NAME.html, NAME.css and these scripts of a folder, with what all share.

    With `lens` it lives as lens.js says; otherwise the last script has a default export of its own.
    """
    return st.components.v2.component(
        f"vlmlens.{name}",
        html=_read(folder / f"{name}.html"),
        css=_read(_HERE / "controls.css", folder / f"{name}.css"),
        js=_read(_HERE / "pen.js", *(folder / script for script in scripts), *([_HERE / "lens.js"] if lens else [])),
    )


def _read(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


_SHELF = st.components.v2.component("vlmlens.shelf", js=_read(_HERE / "shelf.js"))


def shelve(png: bytes, *, key: str) -> str:
    """Lay a picture out for the components of the page and return its name there, a digest.

    An element of its own: the browser keeps the bytes as long as they stay the same, whatever else changes.
    """
    name = picture_id(png)
    _SHELF(key=key, data=name.encode("ascii") + png)
    return name


def picture_id(png: bytes) -> str:
    """Name of a picture by content, 16 characters."""
    return hashlib.blake2b(png, digest_size=8).hexdigest()


def nothing() -> None:
    """Streamlit keeps a component's state only for keys that have a callback."""
