"""The card as work that may take long: the probe set, the tests one after the other, and a word for every item."""

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image

from vlmlens.diagnostics import Answers, ProbeSet, Scorecard, lab_probe, own_probe, read_probe, running
from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.crossed import Runner
from vlmlens.diagnostics.scoring import scoring
from vlmlens.diagnostics.standins import blank
from vlmlens.models import VLM
from vlmlens.progress import Progress
from vlmlens.ui.diagnostics.files import table
from vlmlens.ui.diagnostics.wanted import Asked, Files, Lab, Own, Probe
from vlmlens.ui.jobs import result

if TYPE_CHECKING:
    import pandas as pd

MOST_KEPT = 4  # sets of answers a model
MOST_SETS = 6  # probe sets; pictures that are variants of one are held in memory
OWN_SIDE = 1024  # pixels of a person's own picture, at most: a hundred variants of it are made

_lock = threading.Lock()
_sets: "OrderedDict[Hashable, ProbeSet]" = OrderedDict()
_answers: "WeakKeyDictionary[VLM, OrderedDict[tuple[str, ...], Answers]]" = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Found:
    """What is known so far; `items` come with the last card."""

    card: Scorecard
    items: "pd.DataFrame | None" = None


def probe_set(probe: Probe, seed: int) -> ProbeSet:
    """What is asked of which picture, read once.

    Raises:
        Pending: a bar is drawn in its place.
        UserError: it cannot be read; the message says why.
    """
    which = key(probe, seed)
    with _lock:
        found = _sets.get(which)
    if found is None:
        task = ("probe set", which)
        found = result(task, "Reading the probe set", lambda progress: _read(probe, seed), keep=False)
    with _lock:
        _sets[which] = found
        _sets.move_to_end(which)
        while len(_sets) > MOST_SETS:
            _sets.popitem(last=False)
    return found


def key(probe: Probe, seed: int) -> Hashable:
    """The same for the same contents; a table that was written anew is another."""
    stamp = 0
    if isinstance(probe, Files) and probe.path:
        path = Path(probe.path).expanduser()
        places = [path, *path.glob("*.csv"), *path.glob("*.jsonl")] if path.is_dir() else [path]
        stamp = max((os.stat(place).st_mtime_ns for place in places if place.exists()), default=0)
    return probe, seed, stamp


def _read(probe: Probe, seed: int) -> ProbeSet:
    match probe:
        case Lab(scenes, questions):
            return lab_probe(seed, scenes, questions)
        case Files(path, digest):
            return read_probe(table(digest) if digest else path)
        case Own(source, question, options):
            picture = source.load()
            if isinstance(picture, Image.Image):
                picture = picture.copy()
                picture.thumbnail((OWN_SIDE, OWN_SIDE))
            return own_probe(picture, question, options, seed)


def fill(vlm: VLM, probe: ProbeSet, asked: Asked, progress: Progress) -> Iterator[Found]:
    """The card, empty at first, then after each test; last with its diagnosis and a word for every item."""
    answers = _kept(vlm, probe)
    found = Found(Scorecard(vlm.name, probe.ensemble, probe.weak, "", asked.seed, len(probe.pictures), ()))
    yield found  # what will be asked stands on the page before the first answer
    for card in running(vlm, probe, asked.tests, asked.seed, progress, answers):
        found = Found(card)
        yield found
    yield Found(found.card, of_items(vlm, probe, found.card, answers))


def _kept(vlm: VLM, probe: ProbeSet) -> Answers:
    """What this model was asked before, so that a run that was stopped goes on from there; it goes with the model."""
    with _lock:
        mine = _answers.setdefault(vlm, OrderedDict())
        found = mine.setdefault(probe.vocabulary, Answers())
        mine.move_to_end(probe.vocabulary)
        while len(mine) > MOST_KEPT:
            mine.popitem(last=False)
        return found


def of_items(vlm: VLM, probe: ProbeSet, card: Scorecard, answers: Answers) -> "pd.DataFrame":
    """One row an item: its answer, the true one, the one over a blank picture, how far others move it, its word."""
    import pandas as pd

    bench = Bench(vlm, probe, Runner(vlm, scoring(vlm, probe), probe.vocabulary, answers), card.seed)
    questions, vocabulary = list(probe.questions), np.array([*probe.vocabulary, ""])
    picture, question = bench.items.T
    without = bench.ask([blank(bench)] * len(questions), questions, range(len(questions)))
    moves = card.row("dependency").details.get("by_item", np.full(len(picture), np.nan))
    return pd.DataFrame(
        {
            "picture": picture + 1,
            "question": [questions[q] for q in question],
            "answer": vocabulary[bench.clean.argmax(axis=1)],
            "probability": np.exp(bench.clean.max(axis=1)),
            "true": vocabulary[bench.truth],
            "without the picture": vocabulary[without.argmax(axis=1)][question],
            "moves, bits": moves,
            "word": list(card.diagnosis.by_item) if card.diagnosis else "",
        }
    )
