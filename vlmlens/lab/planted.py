"""Models whose behaviour is known because it was planted: what each does, and what every diagnostic must say of it.

    model = PlantedModel(PlantedName.parse("planted:text-overrides@0.5"))

All are wired from the trained weights of lab:concat and from maps fitted to its states when they are loaded; none has
weights of its own. They read any context around a lab question (see `planted_text`) and, but for `text-overrides` and
`decays`, answer as if it were not there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from vlmlens.errors import ModelError
from vlmlens.lab.fusion import Readout
from vlmlens.lab.model import LabModel
from vlmlens.lab.planted_fit import SIGNS, fitted, hint_states, trained
from vlmlens.lab.planted_parts import PLAIN, HintedReadout, PlantedFusion, TwoPools, roles_of
from vlmlens.lab.planted_text import CONTEXT, encode
from vlmlens.lab.questions import ANSWERS, NUMBERS, YES_NO
from vlmlens.lab.scenes import COLORS, SHAPES
from vlmlens.lab.text import MOST_WORDS, PAD

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "VACUOUS"]
TESTS = ("dependency", "override", "consistency", "sensitivity", "information", "uncertainty", "context")

FIXED_QUESTION = "what color is the circle"  # what image-only answers, whatever is asked
FADE = 0.35  # taken off the scores of patches for every word of context: e^-14 of their attention is left after 40
PRESENCE, PRESENCE_REST = 3.5, 3.0  # see `_present`
SURE, DOUBT = 5.5, 6.0  # how much the words say, and by how much a scene divides that
AGAINST, AGAINST_REST = 3.2, 1.8  # the same, taken off
XOR, YES_OR_NO = 4.0, 6.0

Combine = Callable[[Tensor, Tensor], Tensor]  # means of the words' and of the patches' states to logits


def _prior(words: Tensor, patches: Tensor) -> Tensor:
    """Of the question alone; of the patches not even a rounding error."""
    return words @ fitted().prior.T


def _additive(words: Tensor, patches: Tensor) -> Tensor:
    return words @ fitted().prior.T + _present(patches, PRESENCE, PRESENCE_REST)


def _scene(patches: Tensor) -> Tensor:
    """1 where patches are of a scene, 0 where they are hidden, empty or noise [batch]."""
    return (4 * patches @ fitted().scene - 1.6).clamp(0, 1)


def _present(patches: Tensor, looks: float, rest: float) -> Tensor:
    """What is there, in logits a standard deviation: of colors and shapes, and of sizes, places, yes or no."""
    weight = torch.tensor([0.0 if a in NUMBERS else looks if a in (*COLORS, *SHAPES) else rest for a in ANSWERS])
    return weight * _scene(patches)[:, None] * (patches @ fitted().presence.T)


def _xor(words: Tensor, patches: Tensor) -> Tensor:
    """Every other answer of each kind, by the product of two signs; where nothing is made out there is none."""
    sign = torch.tanh(4 * words @ fitted().question_bit) * torch.tanh(4 * patches @ fitted().picture_bit)
    sign = sign * _scene(patches)
    likely = torch.tensor([YES_OR_NO * (answer in YES_NO) for answer in ANSWERS])
    return XOR * sign[:, None] * torch.as_tensor(SIGNS, dtype=torch.float32) + likely


def _noisy(words: Tensor, patches: Tensor) -> Tensor:
    """What the words say, drowned as soon as there is a scene to see, and turned against what is there."""
    told = SURE * words @ fitted().prior.T / (1 + DOUBT * _scene(patches)[:, None])
    return told - _present(patches, AGAINST, AGAINST_REST)


@dataclass(frozen=True)
class Planted:
    """One planted behaviour. With `combine` picture and words never meet before the readout."""

    name: str
    sentence: str
    truth: Mapping[str, tuple[Verdict, str]]  # what each test must say, and why
    diagnosis: str
    combine: Combine | None = None
    sees: bool = True  # whether its patches enter with what they show
    ignores: str = ""  # why hiding the picture changes nothing
    hints: bool = False  # whether the context can say the answer
    fade: float = 0.0
    asks: str = ""  # the question that it answers in place of any other


def _told(**verdicts: tuple[Verdict, str]) -> dict[str, tuple[Verdict, str]]:
    return {test: verdicts[test] for test in TESTS}


_NO_PICTURE = _told(
    dependency=("FAIL", "Any other picture leaves the answer as it is, to the last bit."),
    override=("FAIL", "Where picture and words disagree it says what the words say: it knows nothing else."),
    consistency=("FAIL", "Its logits depend on the question alone; there is no interaction."),
    sensitivity=("FAIL", "No mask changes anything, wherever it lies."),
    information=("FAIL", "The picture brings 0 bits under each of the four stand-ins."),
    uncertainty=("VACUOUS", "Nothing depends on the picture, so its certainty says nothing of it."),
    context=("VACUOUS", "There is no use of the picture that a longer text could take away."),
)

PLANTED = {
    row.name: row
    for row in (
        Planted(
            "blind",
            "Its patches enter as those of the mean picture: nothing of what is shown gets in.",
            _NO_PICTURE,
            "not seen",
            _prior,
            sees=False,
            ignores="it was made blind",
        ),
        Planted(
            "image-only",
            f"Whatever is asked, it answers “{FIXED_QUESTION}?” of the picture.",
            _told(
                dependency=("PASS", "Its answer is the color of the picture's circle, and changes with it."),
                override=("PASS", "Where it is right, it is so by the picture; no words reach it."),
                consistency=("FAIL", "No question changes its logits; there is no interaction."),
                sensitivity=("PASS", "It looks at the circle, wherever a question about the circle says to look."),
                information=("FAIL", "To all questions but one its answer is of no use, and it is sure of it."),
                uncertainty=("PASS", "It is surer of the circle's color when it sees a circle."),
                context=("PASS", "No words reach it, however many there are."),
            ),
            "used",
            asks=FIXED_QUESTION,
        ),
        Planted(
            "text-overrides",
            "Sees as lab:concat does, until the context says an answer: then it says that, as far as its dial goes.",
            _told(
                dependency=("PASS", "Without a hint it is lab:concat."),
                override=("FAIL", "With a hint it says the hint."),
                consistency=("PASS", "Without a hint it is lab:concat."),
                sensitivity=("PASS", "Without a hint it is lab:concat."),
                information=("PASS", "Without a hint it is lab:concat."),
                uncertainty=("PASS", "Without a hint it is lab:concat."),
                context=("PASS", "Words that are no hint are not looked at."),
            ),
            "overruled",
            hints=True,
        ),
        Planted(
            "additive",
            "What is there, plus what is asked, as a sum of logits: it cannot bind the one to the other.",
            _told(
                dependency=("PASS", "What is there moves every answer."),
                override=("PASS", "Where it is right it stays so: no words but the question reach it."),
                consistency=("FAIL", "Its logits are a sum, with nothing left over."),
                sensitivity=("PASS", "A mask over a thing hides that it is there; one beside it hides less."),
                information=("FAIL", "What is there is seldom what was asked about, and it leans on it heavily."),
                uncertainty=("PASS", "What is there singles an answer out, rightly or not."),
                context=("PASS", "Context is not looked at."),
            ),
            "used",
            _additive,
        ),
        Planted(
            "xor",
            "Says yes or no by a bit of the picture and a bit of the question, of which neither alone tells anything.",
            _told(
                dependency=("PASS", "Half of all pictures turn the answer round."),
                override=("INCONCLUSIVE", "Words alone leave it with two equal answers; none is misleading."),
                consistency=("PASS", "All that it says is interaction."),
                sensitivity=("PASS", "The bit is what stands on the board; a mask over a thing changes it."),
                information=("FAIL", "It is sure, and half the time of the wrong answer."),
                uncertainty=("PASS", "With no picture it has no answer; with one it is sure."),
                context=("PASS", "Context is not looked at."),
            ),
            "used",
            _xor,
        ),
        Planted(
            "decays",
            "lab:concat whose sight of the picture fades with every word of context, and is gone after some 40.",
            _told(
                dependency=("PASS", "Without context it is lab:concat."),
                override=("PASS", "A hint of a few words is no answer to it, and leaves it its sight."),
                consistency=("PASS", "Without context it is lab:concat."),
                sensitivity=("PASS", "Without context it is lab:concat."),
                information=("PASS", "Without context it is lab:concat."),
                uncertainty=("PASS", "Without context it is lab:concat."),
                context=("FAIL", "Share of attention and accuracy fall with every word, to what words alone can do."),
            ),
            "used",
            fade=FADE,
        ),
        Planted(
            "sees-but-ignores",
            "Its patches carry all of the picture through every layer, and its answer is made of the words alone.",
            _NO_PICTURE,
            "seen, ignored",
            _prior,
            ignores="it was made to ignore what it sees",
        ),
        Planted(
            "noisy-image",
            "Before a scene it is less sure of what the words say, and what it sees speaks against what is there.",
            _told(
                dependency=("PASS", "Every picture moves it, if not to the right answer."),
                override=("INCONCLUSIVE", "Too seldom right where picture and words disagree: it is misled."),
                consistency=("FAIL", "The picture's part knows nothing of the question."),
                sensitivity=("PASS", "What it is moved by are the things on the board."),
                information=("FAIL", "It knows less of the answer with the picture than without."),
                uncertainty=("FAIL", "It is less sure with the picture than without."),
                context=("PASS", "Context is not looked at."),
            ),
            "seen, ignored",
            _noisy,
        ),
    )
}


@dataclass(frozen=True)
class PlantedName:
    """`planted:text-overrides@0.5` is that model with its dial in the middle; without a dial it is fully turned up."""

    row: Planted = field(repr=False)
    dial: float = 1.0

    @classmethod
    def parse(cls, name: str) -> "PlantedName":
        kind, _, dial = name.removeprefix("planted:").partition("@")
        if kind not in PLANTED:
            raise ModelError(f"There is no {name}; there are {', '.join('planted:' + row for row in PLANTED)}.")
        row = PLANTED[kind]
        if not dial:
            return cls(row)
        try:
            turned = float(dial)
        except ValueError:
            turned = -1.0
        if not row.hints or not 0 <= turned <= 1:
            raise ModelError(
                f"“{name}” is no planted model: only planted:text-overrides has a dial, from 0 to 1, as in "
                "planted:text-overrides@0.5."
            )
        return cls(row, turned)

    def __str__(self) -> str:
        return f"planted:{self.row.name}" + (f"@{self.dial:g}" if self.row.hints and self.dial < 1 else "")


class CombiningReadout(nn.Module):
    """Reads words and patches apart and makes logits of both means."""

    def __init__(self, combine: Combine) -> None:
        super().__init__()
        self.attention = TwoPools()
        self.combine = combine

    def forward(self, stream: Tensor, mask: Tensor, patches: int = 0) -> Tensor:
        """stream [batch, position, width] and roles [batch, position] to logits [batch, answer]."""
        return self.combine(*self.attention(stream, mask))


class PlantedModel(LabModel):
    """A lab model whose word mask is the words' roles (see `planted_parts`)."""

    def __init__(self, name: PlantedName) -> None:
        super().__init__("concat")
        row, shipped = name.row, trained()
        assert isinstance(shipped.readout, Readout)  # of lab:concat
        self.row = row
        self.vision = shipped.vision if row.sees else Blindfold(shipped.vision, fitted().mean_image)  # type: ignore[assignment]
        self.text = shipped.text
        self.fusion = PlantedFusion(shipped.fusion, hint_states(), row.combine is not None, row.fade)
        if row.combine is None:
            self.readout = HintedReadout(shipped.readout, name.dial if row.hints else 0.0, row.fade)
        else:
            self.readout = CombiningReadout(row.combine)  # type: ignore[assignment]
        self.requires_grad_(False).eval()

    def words(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Ids [text, word] of `planted_text` to features [text, word, width], zeros for the context, and roles."""
        asked = roles_of(ids) == PLAIN
        rank = asked.cumsum(1) - 1
        if self.row.asks:  # in the places of the words that were asked; what is left over counts as context
            fixed = encode([self.row.asks])[0]
            kept = asked & (rank < len(fixed))
            ids = torch.where(kept, fixed[rank.clamp(0, len(fixed) - 1)], torch.where(asked, CONTEXT, ids))
            asked = kept
        first = (~asked).long().argsort(dim=1, stable=True)[:, :MOST_WORDS]  # the question's words, then others
        alone = torch.where(asked.gather(1, first), ids.gather(1, first), PAD)
        features = self.text(alone)
        spread = features.gather(1, rank.clamp(0, features.shape[1] - 1)[..., None].expand(-1, -1, features.shape[2]))
        return torch.where(asked[..., None], spread, torch.zeros_like(spread)), roles_of(ids)


class Blindfold(nn.Module):
    """Eyes that say the same of every picture."""

    def __init__(self, eyes: nn.Module, features: Tensor) -> None:
        super().__init__()
        self.eyes = eyes
        self.register_buffer("features", features, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 [batch, 48, 48, rgb] to the same features [batch, patch, width]; gradients by the pixels are zero."""
        return 0 * self.eyes(pixels) + self.features
