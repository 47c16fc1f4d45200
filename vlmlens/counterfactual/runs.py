"""A run that a person keeps: what was asked of which picture, and what came of it; to JSON and back."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmlens.attention import budget, contributions
from vlmlens.errors import PictureError, TrayError
from vlmlens.lab.scenes import Scene
from vlmlens.picture import open_picture
from vlmlens.trace import Answer, Segment, Trace

_WORDS = {segment.word for segment in Segment}
_AGAIN = "export the tray again"


@dataclass(frozen=True)
class Shares:
    """A budget without its arrays: shares by layer and segment, None where nothing is split."""

    ruler: str
    labels: tuple[str, ...]  # of layers
    segments: tuple[str, ...]
    share: tuple[tuple[float | None, ...], ...]  # [layer][segment]

    @classmethod
    def of(cls, trace: Trace) -> "Shares":
        """What attention wrote, by segment, where the trace kept it; else the attention itself."""
        written = bool(trace.record("last").parts)
        found = contributions(trace) if written else budget(trace)
        rows = (tuple(None if np.isnan(v) else round(float(v), 6) for v in row) for row in found.share)
        words = tuple(segment.word for segment in found.segments)
        return cls("share of the update" if written else "share of attention", found.labels, words, tuple(rows))

    def column(self, segment: Segment) -> np.ndarray:
        """One segment, [layer]; zeros where there is none, NaN where nothing is split."""
        if segment.word not in self.segments:
            return np.zeros(len(self.labels))
        at = self.segments.index(segment.word)
        return np.array([np.nan if row[at] is None else row[at] for row in self.share], float)


@dataclass(frozen=True)
class Run:
    """One picture, one question, one model, and what it answered."""

    name: str
    model: str
    revision: str
    question: str
    picture: bytes  # of an image file; as people saw it, which may be smaller than what the model got
    picture_hash: str  # sha256 of the pixels that the model got
    scene: str  # JSON, where the picture is a lab scene; else ""
    steps: str  # JSON: the changes that made the picture
    answers: tuple[Answer, ...]  # most probable first
    shares: Shares

    @classmethod
    def of(cls, name: str, trace: Trace, steps: str = "[]", scene: Scene | None = None) -> "Run":
        """A run from its trace.

        Args:
            steps: the changes that made the picture, as `perturb.stack.to_json` writes them.
            scene: the lab scene that was asked about, where it was one.
        """
        return cls(
            name.strip(),
            trace.model,
            trace.revision,
            trace.question,
            trace.picture,
            trace.picture_hash,
            "" if scene is None else scene.to_json(),
            steps,
            trace.answers,
            Shares.of(trace),
        )

    @property
    def answer(self) -> str:
        return self.answers[0].text

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": self.model,
            "revision": self.revision,
            "question": self.question,
            "picture": base64.b64encode(self.picture).decode(),
            "picture_sha256": self.picture_hash,
            "scene": json.loads(self.scene) if self.scene else None,
            "steps": json.loads(self.steps),
            "answers": [{"text": a.text, "probability": a.probability, "candidate": a.candidate} for a in self.answers],
            "shares": {
                "ruler": self.shares.ruler,
                "layers": list(self.shares.labels),
                "segments": list(self.shares.segments),
                "share": [list(row) for row in self.shares.share],
            },
        }

    @classmethod
    def from_dict(cls, data: Any) -> "Run":
        """The run that `to_dict` described. Raises TrayError naming what is wrong."""
        texts = {name: _text(data, name) for name in ("name", "model", "revision", "question", "picture_sha256")}
        if not re.fullmatch(r"[0-9a-f]{64}", texts["picture_sha256"]):
            raise TrayError(f"picture_sha256 is no sha256; {_AGAIN}.")
        return cls(
            texts["name"].strip(),
            texts["model"],
            texts["revision"],
            texts["question"],
            _picture(_text(data, "picture")),
            texts["picture_sha256"],
            _scene(data.get("scene")),
            _steps(data.get("steps")),
            _answers(data.get("answers")),
            _shares(data.get("shares")),
        )


# Reading what somebody's file says


def _text(data: Any, name: str) -> str:
    if not isinstance(data, Mapping) or not isinstance(data.get(name), str):
        raise TrayError(f"it has no text “{name}”; {_AGAIN}.")
    return str(data[name])


def _picture(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
        open_picture(found)
    except (binascii.Error, ValueError, PictureError) as error:
        raise TrayError(f"its picture cannot be read; {_AGAIN}.") from error
    return found


def _scene(data: Any) -> str:
    if data is None:
        return ""
    if not isinstance(data, Mapping):
        raise TrayError(f"its scene is none; {_AGAIN}.")
    try:
        scene = Scene.from_dict(data)
    except PictureError as error:
        raise TrayError(f"its scene cannot be read: {error}") from error
    return scene.to_json()


def _steps(data: Any) -> str:
    if not isinstance(data, list):
        raise TrayError(f"its steps are no list; {_AGAIN}.")
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def _answers(data: Any) -> tuple[Answer, ...]:
    if not isinstance(data, list) or not all(isinstance(entry, Mapping) for entry in data):
        raise TrayError(f"its answers are no list; {_AGAIN}.")
    found = [_answer(entry.get("text"), entry.get("probability"), entry.get("candidate")) for entry in data]
    if not found or len({answer.candidate for answer in found}) < len(found):
        raise TrayError(f"it has no answers, or one twice; {_AGAIN}.")
    return tuple(sorted(found, key=lambda answer: -answer.probability))


def _answer(text: Any, probability: Any, candidate: Any) -> Answer:
    number = type(probability) in (int, float) and 0 <= probability <= 1
    if not isinstance(text, str) or type(candidate) is not int or not number:
        raise TrayError(f"an answer is no word with a probability; {_AGAIN}.")
    return Answer(text, float(probability), candidate)


def _shares(data: Any) -> Shares:
    wrong = TrayError(f"its budget is none; {_AGAIN}.")
    try:
        ruler, layers, segments, share = (data[name] for name in ("ruler", "layers", "segments", "share"))
        lines = tuple(tuple(None if value is None else float(value) for value in row) for row in share)
    except (TypeError, KeyError, ValueError) as error:
        raise wrong from error
    if not isinstance(layers, list) or not isinstance(segments, list) or len(lines) != len(layers):
        raise wrong
    if not all(isinstance(text, str) for text in (ruler, *layers, *segments)) or not set(segments) <= _WORDS:
        raise wrong
    if any(len(row) != len(segments) or any(v is not None and not 0 <= v <= 1.001 for v in row) for row in lines):
        raise wrong
    return Shares(ruler, tuple(layers), tuple(segments), lines)
