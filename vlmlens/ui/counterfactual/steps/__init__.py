"""The list of changes: each with its name and its controls, dragged into an order, changed and removed in the browser.

    steps(rows, range(len(rows)), key="steps", version="3")
    told(st.session_state.steps, "3", len(rows)).rows  # [(row, {"strength": 0.4}), ...] in the person's order

One component and not widgets of Streamlit's: those have no list that can be dragged, a slider of theirs tells its value
only when it is let go, and six of them a change cost the page more than all the rest.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from vlmlens.ui.browser import component, nothing

_COMPONENT = component("steps", Path(__file__).parent, ("drag.js", "steps.js"), lens=False)


@dataclass(frozen=True)
class Field:
    """One control of a row."""

    name: str
    label: str
    kind: Literal["range", "whole", "number", "choice", "color", "text"]
    value: float | str
    low: float = 0
    high: float = 1
    choices: tuple[tuple[str, str], ...] = ()  # value and label


@dataclass(frozen=True)
class Row:
    """One change. Rows of one group can change places."""

    label: str
    help: str
    group: str
    told: str = ""  # where it applies, in a few words
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Told:
    """What the list says: rows by their number, with the values of their controls."""

    rows: tuple[tuple[int, dict[str, Any]], ...]
    settled: bool = True  # False while a slider is being dragged


def steps(rows: Sequence[Row], numbers: Sequence[int], *, key: str, version: str) -> None:
    """Show the list.

    Args:
        rows: as they are by now.
        numbers: by which each row is told.
        key: one a page.
        version: another one than before throws away what was done in the browser for `rows`.
    """
    listed = [asdict(row) | {"number": number} for row, number in zip(rows, numbers, strict=True)]
    data = {"rows": listed, "version": version}
    _COMPONENT(key=key, data=data, on_told_change=nothing)


def told(state: Any, version: str, count: int) -> Told | None:
    """What `st.session_state[key]` says, before the list is drawn; None where it says nothing of this version.

    What a browser tells is checked for its form here; values are checked where they are used.
    """
    said = state.get("told") if hasattr(state, "get") else None
    if not isinstance(said, dict) or said.get("version") != version:
        return None
    rows = [(int(row["row"]), dict(row["values"])) for row in said["rows"]]
    if len({row for row, _ in rows}) < len(rows) or any(not 0 <= row < count for row, _ in rows):
        return None
    return Told(tuple(rows), bool(said.get("settled", True)))
