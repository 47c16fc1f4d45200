"""Files to take away, made when they are asked for."""

import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from vlmlens import __version__, charts


def download(label: str, make: Callable[[], bytes], name: str) -> None:
    """A button whose file is made when it is pressed."""
    st.download_button(label, make, f"vlmlens-{name}", key=f"save-{label}-{name}", on_click="ignore", width="stretch")


def csv(frame: Any) -> bytes:
    """A table as the bytes of a file."""
    return str(frame.to_csv(index=False)).encode()


def save_all(name: str, figures: dict[str, charts.Figure], data: dict[str, Any], frame: Any, caption: str) -> None:
    """A popover with everything of a view to take away; filled when it is opened."""
    popover = st.popover("Save", icon=":material/download:", key=f"save-{name}", on_change="rerun")
    if not popover.open:
        return
    with popover:
        st.caption("The link in the address bar restores this view.")
        about = f"{caption} · vlmlens {__version__}"
        text = json.dumps(data | {"about": about}, indent=1, ensure_ascii=False)
        download("Numbers, JSON", text.encode, f"{name}.json")
        if frame is not None:
            download("Numbers, CSV", lambda: csv(frame), f"{name}.csv")
        chosen = st.selectbox("Figure", list(figures), key=f"save-figure-{name}")
        kind = st.segmented_control("As", charts.FORMATS, default="html", key=f"save-kind-{name}", required=True)
        figure = figures[str(chosen)]
        download(f"Figure, {str(kind).upper()}", lambda: charts.export(figure, str(kind), about), f"{name}.{kind}")
