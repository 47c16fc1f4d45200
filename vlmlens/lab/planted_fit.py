"""What planted models know, read off the trained ones when they are loaded: least squares, no training, no weights.

All maps are linear without a constant, so that a picture that is hidden (read as zeros) adds nothing.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from vlmlens.lab.draw import PIXELS, render_batch
from vlmlens.lab.fusion import Readout
from vlmlens.lab.model import LabModel
from vlmlens.lab.planted_parts import PlantedFusion, roles_of
from vlmlens.lab.planted_text import encode
from vlmlens.lab.questions import ANSWERS, COLUMNS, NUMBERS, ROWS, Question, all_questions
from vlmlens.lab.sample import PRIOR, crossed, preferred_answer, take
from vlmlens.lab.scenes import COLORS, Scene
from vlmlens.lab.vision import PATCHES, WIDTH
from vlmlens.lab.weights import LabName, load_wiring

SCENES = 256  # of each kind
EMPTY = 640  # pictures of none
RIDGE = 1e-4
KIND = 6.0  # logits of an answer that is one to the question
STEPS = 100


@dataclass(frozen=True, eq=False)
class Fitted:
    """Linear maps of the mean state of a stream."""

    mean_image: Tensor  # [patch, width]: features of the mean picture
    prior: Tensor  # [answer, width], of the words: the answers that fit the question, above all the preferred one
    presence: Tensor  # [answer, width], of the patches: what is there, in standard deviations; of "yes" the picture bit
    scene: Tensor  # [width], of the patches: about 1 of a scene, about 0 of an empty board or of noise
    question_bit: Tensor  # [width], of the words: about +1 or -1
    picture_bit: Tensor  # [width], of the patches: positive for every other picture


@cache
def trained() -> LabModel:
    return load_wiring(LabName("concat"))


@cache
def hint_states() -> Tensor:
    """For each answer a state [answer, width] of which the trained readout says just this when it reads it alone."""
    readout = trained().readout
    assert isinstance(readout, Readout)  # of lab:concat
    target = torch.arange(len(ANSWERS))
    with torch.inference_mode(False), torch.enable_grad():
        states = torch.randn(len(ANSWERS), WIDTH, generator=torch.Generator().manual_seed(0)).requires_grad_()
        for step in range(STEPS):  # of a fixed length that shrinks: a layer norm reads the direction alone
            attention = readout.attention
            read = attention.out_proj(attention.v_proj(readout.norm(states)))
            loss = torch.nn.functional.cross_entropy(readout.head(read), target)
            (slope,) = torch.autograd.grad(loss, states)
            length = 1 - step / STEPS
            states = (states - length * torch.nn.functional.normalize(slope, dim=-1)).detach().requires_grad_()
    return states.detach()


@cache
def fitted() -> Fitted:
    # Whoever asks first may be in inference mode, whose tensors no later gradient could pass.
    with torch.inference_mode(False), torch.no_grad():
        return _fit()


def _fit() -> Fitted:
    model = trained()
    fusion = PlantedFusion(model.fusion, hint_states(), apart=True).requires_grad_(False)
    boards, _, _ = crossed(0, SCENES, "train")
    scenes = [*boards, *(item.scene for item in take("train", 5, SCENES))]
    questions = all_questions()
    with torch.inference_mode():
        image = model.vision(torch.from_numpy(np.concatenate([render_batch(scenes), _without_things()])))
        ids = encode([question.text for question in questions])
        text, roles = model.text(ids), roles_of(ids)
        nothing = text[:1].expand(len(image), -1, -1), roles[:1].expand(len(image), -1)
        patches, empty = fusion(image, *nothing)[0][:, :PATCHES].mean(1).double().split([len(scenes), EMPTY])
        image = image[: len(scenes)]
        stream = fusion(image[:1].expand(len(ids), -1, -1), text, roles)[0][:, PATCHES:].double()
        asked = (roles > 0)[..., None]
        words = (stream * asked).sum(1) / asked.sum(1)
    there = torch.tensor([_presence(scene) for scene in scenes], dtype=torch.float64)
    scaled = (there - there.mean(0)) / there.std(0).clamp_min(1e-9)
    # The direction in which boards differ the most; it is asked which side of its median they lie on.
    presence = _ridge(patches, scaled)
    on_boards = patches[: len(boards)]
    centred = on_boards - on_boards.mean(0)
    along = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]
    side = (along - along.median()) / along.std()
    picture_bit = _ridge(on_boards, side[:, None])[0]
    presence[ANSWERS.index("yes")] = picture_bit
    is_scene = torch.cat([torch.ones(len(patches)), torch.zeros(len(empty))])[:, None].double()
    return Fitted(
        image.mean(0).clone(),
        _ridge(words, torch.tensor([_prior(question) for question in questions], dtype=torch.float64)),
        presence,
        _ridge(torch.cat([patches, empty]), is_scene)[0],
        _ridge(words, torch.tensor([[bit(question)] for question in questions], dtype=torch.float64))[0],
        picture_bit,
    )


def _without_things() -> np.ndarray:
    """Pictures of one colour, and four times as many of noise, uint8 [EMPTY, 48, 48, rgb]."""
    rng = np.random.default_rng(0)
    color = rng.uniform(100, 255, (EMPTY, 1, 1, 1)) + rng.normal(0, 10, (EMPTY, 1, 1, 3))
    spread = np.where(np.arange(EMPTY) % 5, rng.uniform(10, 80, EMPTY), 0.0)[:, None, None, None]
    pixels: np.ndarray = (color + spread * rng.normal(size=(EMPTY, PIXELS, PIXELS, 3))).clip(0, 255).astype(np.uint8)
    return pixels


def _ridge(x: Tensor, y: Tensor) -> Tensor:
    """Least squares of y [item, target] on x [item, width]; float32 [target, width]."""
    square = x.T @ x
    square += RIDGE * square.diagonal().mean() * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(square, x.T @ y).T.float().contiguous().clone()


def _prior(question: Question) -> list[float]:
    """Logits of what the training data tell of the answer to a question before a picture is seen."""
    preferred = preferred_answer(question)
    margin = math.log(1 + PRIOR * len(question.candidates) / (1 - PRIOR))
    return [KIND * (a in question.candidates) + margin * (a == preferred) for a in ANSWERS]


def _presence(scene: Scene) -> list[float]:
    """How many things show each answer; a number is shown by a scene of so many things, no by none."""
    shown = [word for t in scene.things for word in (t.color, t.shape, t.size, COLUMNS[t.column], ROWS[t.row])] + [
        NUMBERS[len(scene.things)]
    ]
    return [float(shown.count(answer)) for answer in ANSWERS]


def bit(question: Question) -> float:
    """+1 or -1 by what a question is first about: half of the shapes, and half of the colours, each."""
    about = question.about[0]
    if about.shape:
        return 1.0 if about.shape in ("circle", "triangle") else -1.0
    return 1.0 if about.color is None or COLORS.index(about.color) % 2 else -1.0


SIGNS = np.array([1.0 if ANSWERS.index(a) % 2 else -1.0 for a in ANSWERS])
