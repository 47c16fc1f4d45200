"""The runner that all tests share: asks pairs of picture and text, and asks none twice.

Pairs that share a picture are asked together, so that it is encoded once; texts that several pictures share go through
`vlm.crossed`, the rest in plain batches. What was answered is kept as it comes: a run that was cancelled goes on from
there, and a test finds what another one has asked.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vlmlens.diagnostics.probe import ProbeError
from vlmlens.diagnostics.scoring import Scoring
from vlmlens.lab.scenes import Scene
from vlmlens.models import VLM, Picture
from vlmlens.picture import open_picture, picture_hash
from vlmlens.progress import Progress

FEW_TEXTS = 4  # of a picture; with fewer, a plain batch of many pictures is as fast


def picture_key(picture: Picture) -> str:
    """The same for the same pixels."""
    if isinstance(picture, Scene):
        return hashlib.sha256(picture.to_json().encode()).hexdigest()
    return picture_hash(open_picture(picture))


class Answers:
    """What was asked of one model and answered: log probability of every option, by picture and text."""

    def __init__(self, owner: str = "") -> None:
        self.owner = owner  # the model and the options; answers of another are of no use
        self.kept: dict[tuple[str, str], np.ndarray] = {}

    def save(self, path: str | Path) -> None:
        """One npz file: nothing in it runs when it is opened."""
        keys = json.dumps([self.owner, list(self.kept)])
        values = np.stack(list(self.kept.values())) if self.kept else np.zeros((0, 0))
        with Path(path).open("wb") as file:
            np.savez_compressed(file, keys=np.frombuffer(keys.encode(), np.uint8), values=values)

    @classmethod
    def open(cls, path: str | Path) -> "Answers":
        """Raises ProbeError for anything that `save` did not write."""
        try:
            with np.load(path, allow_pickle=False) as file:
                owner, keys = json.loads(file["keys"].tobytes())
                found = cls(str(owner))
                found.kept = {(str(p), str(t)): row for (p, t), row in zip(keys, file["values"], strict=True)}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ProbeError(f"“{Path(path).name}” holds no answers of an earlier run; leave it out.") from error
        return found


class Runner:
    """Asks one model. `span` is the part of the whole work that is being done, for the progress."""

    def __init__(
        self, vlm: VLM, rule: Scoring, vocabulary: Sequence[str], answers: Answers, progress: Progress | None = None
    ) -> None:
        self.vlm, self.scoring, self.vocabulary, self.answers = vlm, rule, tuple(vocabulary), answers
        self.progress = progress or Progress()
        self.span, self.doing = (0.0, 1.0), ""
        self.asked = 0  # pairs that the model really was asked
        self._keys: dict[int, tuple[Picture, str]] = {}

    def key(self, picture: Picture) -> str:
        if id(picture) not in self._keys:  # the picture is kept beside its key, so that no other takes its id
            self._keys[id(picture)] = picture, picture_key(picture)
        return self._keys[id(picture)][1]

    def mass(
        self, pictures: Sequence[Picture], texts: Sequence[str], among: Sequence[Sequence[str]] = ()
    ) -> np.ndarray:
        """Log probability of every option for pairs of picture and text, float64 [pair, option].

        Args:
            among: the options of each pair; only where whole answers are said, others are then NaN.
        """
        keys = [(self.key(picture), text) for picture, text in zip(pictures, texts, strict=True)]
        if self.scoring.how == "whole answer":
            self._say_whole(keys, pictures, among)
        else:
            self._ask(keys, pictures)
        return np.stack([self.answers.kept[key] for key in keys])

    def _ask(self, keys: list[tuple[str, str]], pictures: Sequence[Picture]) -> None:
        by_key = {key[0]: picture for key, picture in zip(keys, pictures, strict=True)}
        texts: dict[str, list[str]] = defaultdict(list)  # picture -> texts, each once
        for key in dict.fromkeys(keys):
            if key not in self.answers.kept:
                texts[key[0]].append(key[1])
        total, done = sum(map(len, texts.values())), 0
        together: dict[tuple[str, ...], list[str]] = defaultdict(list)  # texts -> pictures that are asked just these
        for shown, asked in texts.items():
            together[tuple(sorted(asked))].append(shown)
        single: list[tuple[str, str]] = []
        for shared, group in together.items():
            if len(shared) < FEW_TEXTS:
                single += [(shown, text) for shown in group for text in shared]
                continue
            for where, logits in self.vlm.crossed([by_key[shown] for shown in group], shared):
                mass = self.scoring.mass(logits[-1])  # the last point is the model's own output
                for shown, rows in zip(group[where], mass, strict=True):
                    self._keep([(shown, text) for text in shared], rows)
                    done += len(shared)
                self.step(done, total)
        for start in range(0, len(single), self.vlm.items_at_once):
            part = single[start : start + self.vlm.items_at_once]
            chances = self.vlm.probabilities([by_key[shown] for shown, _ in part], [text for _, text in part])
            self._keep(part, self.scoring.mass(torch.from_numpy(chances).log()))
            done += len(part)
            self.step(done, total)

    def _say_whole(
        self, keys: list[tuple[str, str]], pictures: Sequence[Picture], among: Sequence[Sequence[str]]
    ) -> None:
        missing = {k: (p, o) for k, p, o in zip(keys, pictures, among, strict=True) if k not in self.answers.kept}
        for done, (key, (picture, options)) in enumerate(missing.items()):
            row = np.full(len(self.vocabulary), np.nan)
            for option in options:
                trace = self.vlm.inspect(picture, key[1], answer=option)
                chances = [max(step.token.probability, 1e-300) for step in trace.steps]
                row[self.vocabulary.index(option)] = float(np.log(chances).sum())
            self._keep([key], row[None])
            self.step(done + 1, len(missing))

    def _keep(self, keys: Sequence[tuple[str, str]], rows: np.ndarray) -> None:
        self.answers.kept.update(zip(keys, rows, strict=True))
        self.asked += len(keys)

    def step(self, done: int, total: int, parts: str = "answers") -> None:
        """Say how far the part of the work under way is; here the person may pause or stop it."""
        start, end = self.span
        self.progress.step(start + (end - start) * done / max(1, total), f"{self.doing}: {done} of {total} {parts}")

    def check(self) -> None:
        """Wait while the work is paused. Raises Cancelled where it is to stop."""
        self.progress.check()
