"""A tray of kept runs, compared two by two. It travels as one JSON file.

tray = Tray().add(Run.of("plain", trace)).add(Run.of("blurred", other, steps=steps))
compare_runs(tray.find("plain"), tray.find("blurred")).sentence()
Tray.from_json(tray.to_json()) == tray
"""

import csv
import io
import json
from dataclasses import dataclass, replace

import numpy as np

from vlmlens.counterfactual.answers import AnswerChange, compare_answers
from vlmlens.counterfactual.compare import BudgetChange
from vlmlens.counterfactual.runs import Run
from vlmlens.errors import TrayError
from vlmlens.trace import Segment

FORMAT = 1
MOST_RUNS = 200
MOST_BYTES = 200 * 2**20  # of a file
MOST_NAME = 80  # characters


@dataclass(frozen=True)
class Tray:
    """Runs by name, in the order in which they were put in."""

    runs: tuple[Run, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(run.name for run in self.runs)

    def add(self, run: Run) -> "Tray":
        """With one run more. Raises TrayError where it is full, or the name is taken, empty or too long."""
        if not 0 < len(run.name) <= MOST_NAME:
            raise TrayError(f"A run needs a name of 1 to {MOST_NAME} characters, this one has {len(run.name)}.")
        if run.name in self.names:
            raise TrayError(f"The tray has a run called “{run.name}”; choose another name or take that one out.")
        if len(self.runs) == MOST_RUNS:
            raise TrayError(f"The tray is full with {MOST_RUNS} runs; export it or take some out.")
        return replace(self, runs=(*self.runs, run))

    def remove(self, name: str) -> "Tray":
        """Without one run. Raises TrayError where there is none of this name."""
        gone = self.find(name)
        return replace(self, runs=tuple(run for run in self.runs if run is not gone))

    def find(self, name: str) -> Run:
        """Raises TrayError where there is none of this name."""
        for run in self.runs:
            if run.name == name:
                return run
        there = ", ".join(self.names) or "none"
        raise TrayError(f"The tray has no run called “{name}”; it has: {there}.")

    def to_json(self) -> str:
        return json.dumps({"vlmlens_tray": FORMAT, "runs": [run.to_dict() for run in self.runs]}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Tray":
        """The tray that `to_json` wrote. Raises TrayError naming the run and what is wrong with it."""
        if len(text) > MOST_BYTES:
            raise TrayError(f"The file is larger than {MOST_BYTES >> 20} MB, which no tray is; choose another.")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TrayError("This file is no JSON, or is cut short; choose one that a tray was exported to.") from error
        if not isinstance(data, dict) or not isinstance(data.get("runs"), list) or "vlmlens_tray" not in data:
            raise TrayError("This file holds no tray; choose one that a tray was exported to.")
        if data["vlmlens_tray"] != FORMAT:
            raise TrayError(
                f"This tray has format {str(data['vlmlens_tray'])[:20]}, known is {FORMAT}; update vlmlens."
            )
        tray = cls()
        for number, entry in enumerate(data["runs"], 1):
            try:
                tray = tray.add(Run.from_dict(entry))
            except TrayError as error:
                raise TrayError(f"Run {number} cannot be opened: {error}") from error
        return tray

    def to_csv(self) -> str:
        """One row a run: what was asked, the three best answers, the picture's share by the run's own ruler."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        ranks = range(1, 4)
        ranked = [column for rank in ranks for column in (f"answer_{rank}", f"probability_{rank}")]
        table.writerow(["name", "model", "revision", "question", "picture_sha256", "steps", *ranked, "ruler", "image"])
        for run in self.runs:
            best = [cell for answer in run.answers[: len(ranks)] for cell in (answer.text, str(answer.probability))]
            best += [""] * (2 * len(ranks) - len(best))
            image = run.shares.column(Segment.IMAGE)
            split = image[~np.isnan(image)]
            share = f"{split.mean():.6f}" if len(split) else ""
            asked = (run.name, run.model, run.revision, run.question, run.picture_hash, run.steps)
            table.writerow([*asked, *best, run.shares.ruler, share])
        return out.getvalue()


@dataclass(frozen=True, eq=False)
class RunChange:
    """Two kept runs side by side."""

    names: tuple[str, str]
    answers: AnswerChange
    shares: BudgetChange | None
    no_shares: str  # why budgets are not compared; "" where they are

    def sentence(self) -> str:
        return f"“{self.names[0]}” and “{self.names[1]}”: {self.answers.sentence()}"


def compare_runs(before: Run, after: Run) -> RunChange:
    """Answers side by side, of different models by their words; budgets where both have the same layers and ruler."""
    names = before.name, after.name
    one_model = (before.model, before.revision) == (after.model, after.revision)
    if not one_model:
        words = {a.text: number for number, a in enumerate((*before.answers, *after.answers))}
        was, now = ([replace(a, candidate=words[a.text]) for a in run.answers] for run in (before, after))
        answers = compare_answers(was, now)
        return RunChange(names, answers, None, f"{before.model} and {after.model} have different layers.")
    answers = compare_answers(before.answers, after.answers)
    own, other = before.shares, after.shares
    if own.ruler != other.ruler or own.labels != other.labels:
        return RunChange(names, answers, None, f"One run kept the {own.ruler}, the other the {other.ruler}.")
    segments = tuple(segment for segment in Segment if segment.word in (*own.segments, *other.segments))
    tables = (np.stack([shares.column(segment) for segment in segments], axis=1) for shares in (own, other))
    return RunChange(names, answers, BudgetChange(own.ruler, own.labels, segments, *tables), "")
