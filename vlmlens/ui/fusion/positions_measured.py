"""What each positional encoding is worth, on the board of training and on larger ones, as the benchmark measured it."""

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information.ablation import over_seeds
from vlmlens.lab.positions import POSITIONS, Reach
from vlmlens.lab.positions.measured import COMMAND, Measured, chance, read
from vlmlens.ui.fusion import positions_words as words
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

KINDS = {"where": "which row, which column", "relation": "left of, above"}
MARGIN = 0.05  # of accuracy: what counts as knowing where things are, and as keeping it


def draw(name: str, row: int, column: int) -> None:
    """The same lab model with each encoding, on the board of training and on larger ones."""
    st.markdown("**What is each worth, also on a larger board than it was trained on?**")
    found = read()
    if found is None:
        st.info(f"n/a: not measured yet. `{COMMAND}` trains the lab model with every encoding, in about 20 minutes.")
        return
    left, right = st.columns([1, 3], gap="large")
    with left:
        kind = str(
            st.segmented_control(
                "Questions",
                list(KINDS),
                default="relation",
                format_func=lambda each: KINDS[each],
                key="positions-kind",
                required=True,
            )
        )
        fitted = st.toggle(
            "Fit larger boards", key="positions-fitted", bind="query-params", help=words.FITTED[1], value=False
        )
    boards = sorted({accuracy.side for accuracy in found.accuracies})
    trained = int(found.about["board"])
    table = {each: {f"{side}x{side}": _seeds(found, each, side, kind, fitted) for side in boards} for each in POSITIONS}
    intervals = {
        each: {board: over_seeds(values)[1:] for board, values in own.items() if values} for each, own in table.items()
    }
    with right:
        titled(_sentence(found, kind, fitted, trained, boards[-1]), words.MEASURED)
        figure = charts.encodings(table, intervals, chance(kind))
        chart(figure)
    frame = _table(found, boards)
    st.dataframe(frame, width="stretch", hide_index=True)
    seeds = max((len(a.seeds) for a in found.accuracies), default=0)
    how = found.about
    st.caption(
        f"Wiring {how['wiring']}, {how['steps']} steps, {seeds} training seeds, a token a cell, local eyes · measured "
        f"by `{how['command']}` on {how['date']}, torch {how['versions']['torch']}"
    )
    _looked(found, name, row, column)
    save_all(
        "encodings",
        {"accuracy": figure},
        {"kind": kind, "fitted": fitted, "about": found.about, "accuracy": frame.to_dict("records")},
        frame,
        f"positions · {kind} questions",
    )


def _seeds(found: Measured, name: str, side: int, kind: str, fitted: bool) -> tuple[float, ...]:
    larger = side > int(found.about["board"])
    return found.find(name, side, kind, fitted and larger and POSITIONS[name].rotary)


def _sentence(found: Measured, kind: str, fitted: bool, trained: int, largest: int) -> str:
    """Which encodings know where things are, and which still do on the largest board; or that seeds cannot tell."""
    here: dict[str, list[str]] = {"know": [], "guess": [], "unsure": []}
    there: dict[str, list[str]] = {"keep": [], "lose": [], "unsure": []}
    least = chance(kind) + MARGIN
    for name in POSITIONS:
        home, low, high = over_seeds(_seeds(found, name, trained, kind, fitted))
        away, away_low, away_high = over_seeds(_seeds(found, name, largest, kind, fitted))
        if home != home:
            continue
        verdict = "know" if low > least else "guess" if high < least else "unsure"  # without interval, unsure
        here[verdict].append(f"{name} ({home:.2f})")
        if verdict == "know":
            kept = "keep" if away_low > home - MARGIN else "lose" if away_high < home - MARGIN else "unsure"
            there[kept].append(f"{name} ({away:.2f})")
    said = {
        f"On the {trained}x{trained} board of training": {
            "know": "better than a guess: {}",
            "guess": "no better than a guess: {}",
            "unsure": "inconclusive over so few seeds: {}",
        },
        f"Of these, on {largest}x{largest}": {
            "keep": "as good, within five points: {}",
            "lose": "worse: {}",
            "unsure": "inconclusive: {}",
        },
    }
    parts = []
    for (board, phrases), names in zip(said.items(), (here, there), strict=True):
        clauses = [phrase.format(_list(names[which])) for which, phrase in phrases.items() if names[which]]
        if clauses:
            parts.append(f"{board}, {'; '.join(clauses)}.")
    return " ".join(parts) or "Nothing was measured of this kind of question."


def _table(found: Measured, boards: list[int]) -> pd.DataFrame:
    """Every accuracy, mean over seeds with its interval; rows and columns apart where they were asked about."""
    lines = []
    for name, positions in POSITIONS.items():
        for side in boards:
            ways = (False, True) if positions.rotary and side > int(found.about["board"]) else (False,)
            for fitted in ways:
                line = {"positions": name, "board": f"{side}x{side}{', fitted' if fitted else ''}"}
                for kind in KINDS:
                    line[kind] = _said(found.find(name, side, kind, fitted))
                    for axis in ("row", "column"):
                        line[f"{kind}, {axis}s"] = _said(found.find(name, side, kind, fitted, axis), False)
                lines.append(line)
    return pd.DataFrame(lines)


def _said(values: tuple[float, ...], doubt: bool = True) -> str:
    mean, low, high = over_seeds(values)
    if mean != mean:
        return "n/a"
    if not doubt:
        return f"{mean:.3f}"
    return f"{mean:.3f} ({low:.3f} to {high:.3f})" if low == low else f"{mean:.3f} (one seed)"


def _looked(found: Measured, name: str, row: int, column: int) -> None:
    """What trained patches look at, by distance."""
    attention = found.attention.get(name)
    if attention is None or not len(attention):
        st.info(f"n/a: what a model with {name} positions looks at was not measured yet; run `{COMMAND}`.")
        return
    side = attention.shape[1] // 2
    offsets = tuple(range(-side, side + 1))
    views = [Reach(offsets, layer, layer, layer) for layer in attention]
    most = max(1.0, float(attention.max()))
    own = [float(layer[side, side]) for layer in attention]
    far = [float(np.mean([layer[0, 0], layer[0, -1], layer[-1, 0], layer[-1, -1]])) for layer in attention]
    titled(
        f"Trained with {name} positions, a patch gives itself {own[0]:.2f} times even attention in the first layer in "
        f"which patches look at each other, and {far[0]:.2f} times to the opposite corner; in the second {own[-1]:.2f} "
        f"and {far[-1]:.2f}.",
        words.LOOKED,
    )
    for place, view, label in zip(st.columns(len(views), gap="medium"), views, ("first", "second"), strict=False):
        with place:
            st.caption(f"The {label} such layer, times even attention")
            chart(charts.reach_plane(view, row, column, "times even attention", (0.0, most)))


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
