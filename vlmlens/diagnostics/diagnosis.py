"""What the card and its items say about a model, in words a person can act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.dependency import depends
from vlmlens.diagnostics.following import follows
from vlmlens.diagnostics.scorecard import Row

if TYPE_CHECKING:
    from vlmlens.diagnostics.probes import Seen


@dataclass(frozen=True)
class Label:
    name: str
    sentence: str
    advice: str


LABELS = {
    label.name: label
    for label in (
        Label(
            "language prior",
            "The answer stays with any picture: it comes from the words.",
            "See that the picture reaches the layers that answer, and train on questions that the words cannot settle.",
        ),
        Label(
            "not seen",
            "A probe on the picture's features cannot tell the answer either: the eyes lose it.",
            "Give the picture more tokens or pixels, or better eyes; the words around it will not help.",
        ),
        Label(
            "seen, ignored",
            "The features tell the answer, and what is said does not follow them.",
            "The eyes are good enough: train or rewire what comes after them, not the encoder.",
        ),
        Label(
            "overruled",
            "The answer follows the picture until the text objects.",
            "Keep claims about the picture out of the prompt, or train on texts that are wrong about their pictures.",
        ),
        Label(
            "used",
            "The answer follows the picture.",
            "The picture is used; look at the rows that do not pass for where it stops being so.",
        ),
        Label(
            "undecided",
            "The tests do not say how the picture is used.",
            "Give more items, true answers, and where on the pictures they lie.",
        ),
    )
}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    name: str
    sentence: str
    advice: str
    counts: Mapping[str, int]  # of items by label
    by_item: tuple[str, ...]
    probe: Mapping[str, Any]  # what "seen or not" found; empty where it could not be asked


def of_items(bench: Bench, rows: Mapping[str, Row], seen: "Seen | None") -> tuple[str, ...]:
    """A label for every item."""
    moves = depends(bench, rows["dependency"].details["by_item"])
    told = seen.by_item if seen else np.full(len(moves), np.nan)
    stays = rows["override"].details.get("by_item") if "override" in rows else None
    labels = []
    for item, moved in enumerate(moves):
        if bench.right[item]:
            overruled = stays is not None and stays[item] == 0
            labels.append("language prior" if not moved else "overruled" if overruled else "used")
        elif bench.truth[item] < 0 and moved:
            labels.append("undecided")
        else:
            unknown = "undecided" if moved else "language prior"
            labels.append({1.0: "seen, ignored", 0.0: "not seen"}.get(float(told[item]), unknown))
    return tuple(labels)


def of_card(rows: Mapping[str, Row], tells: bool | None, follows: bool | None) -> str:
    """One label for the model.

    Args:
        tells: whether a probe on the features tells the answer.
        follows: whether the true answer follows the picture; one that is joined with the question in another way
            (consistency passes) is use, too.
    """
    verdict = {name: row.verdict for name, row in rows.items()}
    if verdict["dependency"] == "FAIL":
        return "language prior" if tells is None else "seen, ignored" if tells else "not seen"
    if verdict["dependency"] != "PASS":
        return "undecided"
    if follows is False and verdict.get("consistency") != "PASS":
        return "undecided" if tells is None else "seen, ignored" if tells else "not seen"
    return "overruled" if verdict.get("override") == "FAIL" else "used"


def diagnose(bench: Bench, rows: tuple[Row, ...], seen: "Seen | None") -> Diagnosis:
    named = {row.name: row for row in rows}
    if "by_item" not in named["dependency"].details:  # one picture alone
        label, by_item = LABELS["undecided"], ("undecided",) * len(bench.items)
    else:
        name = of_card(named, seen.tells if seen else None, follows(bench))
        label, by_item = LABELS[name], of_items(bench, named, seen)
    told = {} if seen is None else {"accuracy": seen.accuracy, "control": seen.control, "interval": list(seen.interval)}
    sentence = f"{label.name.capitalize()}. {label.sentence}"
    return Diagnosis(
        label.name,
        sentence if seen is None else f"{sentence} {seen.sentence()}",
        label.advice,
        {name: by_item.count(name) for name in LABELS if name in by_item},
        by_item,
        told,
    )
