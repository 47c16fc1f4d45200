"""One protocol for every model: prepare, run under a watch and edits, rank answers.

A model of any kind implements `prepare`, `sites`, `logits`, `rank` for one item, `batch`, `batch_logits`, `answer_text`
for many; all else is the same code for all.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import ModelError, NotApplicable
from vlmlens.lab.draw import draw, render
from vlmlens.lab.scenes import Scene
from vlmlens.models.many import Batch, Pooling, Readings, pool, probability
from vlmlens.models.record import Prepared, Said, assemble, peaks, watched_rows
from vlmlens.picture import encode_png, for_display, open_picture, picture_hash
from vlmlens.progress import Progress
from vlmlens.trace import Answer, Edit, Knockout, Segment, Site, Trace, Watch
from vlmlens.trace.capture import Kept, Recorder, recording

if TYPE_CHECKING:
    from vlmlens.models.inside import Eyes

MOST_NEW_TOKENS = 32

Picture = Image.Image | np.ndarray | bytes | str | Path | Scene


@dataclass(frozen=True)
class ModelInfo:
    """What a model is, for lists and for small type under figures."""

    name: str
    family: str
    revision: str
    parameters: int
    device: str
    dtype: str
    lab: bool  # knows only lab scenes
    memory: int = 0  # bytes of its weights and buffers; 0 where nobody counted
    reduced: str = ""  # what is not to be had of it, in words
    ignores: str = ""  # why hiding the picture changes nothing, where a model was made so


SCENE_SIDE = 336  # pixels of a lab scene for models that are not the lab's


def as_image(picture: Picture) -> Image.Image:
    """The RGB picture in anything that `inspect` takes; a scene becomes the pixels that lab models get."""
    return render(picture) if isinstance(picture, Scene) else open_picture(picture)


@lru_cache(maxsize=64)
def drawing(scene: Scene) -> bytes:
    """A scene as people see it, PNG; kept, because drawing takes as long as a small model takes to answer."""
    return encode_png(draw(scene))


def _adds_up(kept: Kept) -> bool:
    """Whether the rows of a site are shares of 1."""
    sums = kept.attention.sum(-1)
    most = bool((sums > 0).all() and (sums < 1.001).all())
    return most and (kept.sinks or bool((sums > 0.999).all()))


class VLM(ABC):
    """A vision-language model that can be looked into. One forward pass at a time: `lock` is held during each."""

    info: ModelInfo
    variants_at_once = 32  # of one input, in one batch
    items_at_once = 100
    causal = False  # whether positions read only what comes before them
    branching = True  # whether a batch may grow between layers
    whole_from = 0  # the first layer that all of the picture has entered, and from which on a batch may grow

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.after: Mapping[nn.Module, nn.Module] = {}  # attention module -> norm of what it writes

    @property
    def name(self) -> str:
        return self.info.name

    @abstractmethod
    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        """Tensors, tokens, segments and grid. Raises QuestionError for a question the model cannot read."""

    def prepare_with(self, picture: Image.Image, second: Image.Image, question: str) -> Prepared:
        """The same with a second picture after the first; the grid is the first one's.

        Raises NotApplicable where the model has no place for a second one.
        """
        raise NotApplicable(f"{self.name} reads one picture; it has no place for a second one.")

    @abstractmethod
    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        """The attention modules of the answering streams, in the order of the forward pass."""

    @abstractmethod
    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        """Logits that the answer is read from, [variant, candidate]; the variants differ only by edits."""

    @abstractmethod
    def rank(self, probabilities: np.ndarray) -> tuple[Answer, ...]:
        """The most probable answers, from probabilities [candidate]."""

    @abstractmethod
    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        """Items side by side. Raises QuestionError as `prepare` does."""

    @abstractmethod
    def batch_logits(self, batch: Batch) -> Tensor:
        """Logits that the answers are read from, [item, candidate]."""

    @abstractmethod
    def answer_text(self, candidate: int) -> str:
        """A candidate answer as a word."""

    @property
    @abstractmethod
    def points(self) -> tuple[str, ...]:
        """The reading points: where both streams can be read, in the order of the forward pass."""

    @abstractmethod
    def read_out(self, states: Tensor) -> Tensor:
        """Logits [state, candidate], if the model ended with these states [state, width] and read each alone.

        Raises NotApplicable where the answer is never read from image positions.
        """

    @abstractmethod
    def eyes(self, prepared: Prepared) -> "Eyes":
        """The picture as the vision encoder gets it. Raises NotApplicable where pixels do not belong to cells."""

    def ending(self, prepared: Prepared) -> Callable[[int], Tensor]:
        """Runs all but the last position; what comes back runs that one, for so many variants: [variant, candidate].

        Raises NotApplicable where positions read what comes after them.
        """
        raise NotApplicable(f"In {self.name} every position reads every other; its last one cannot be run alone.")

    def endings_at_once(self, prepared: Prepared) -> int:
        """How many variants of the last position fit in memory; each holds the keys and values of all before it."""
        return 1

    def branches_at_once(self, prepared: Prepared) -> int:
        """How many branches of one pass fit in memory."""
        return self.variants_at_once

    def say(
        self,
        prepared: Prepared,
        watch: Watch | None,
        most: int,
        given: str | None = None,
        progress: Progress | None = None,
    ) -> Said | None:
        """An answer of at most so many tokens, or the one that is given, and what was heard while it was said.

        None where a model names an answer in one pass and says nothing after it.
        """
        return None

    def generate(self, prepared: Prepared) -> str:
        """The whole answer, where a model says more than one word; "" where it does not."""
        with self.lock:
            said = self.say(prepared, None, MOST_NEW_TOKENS)
        return "" if said is None else said.text

    def listening(self) -> AbstractContextManager[object]:
        """What must be in place while the model computes, and is gone after it."""
        return nullcontext()

    # From here on: the same for every model.

    def image(self, picture: Picture) -> Image.Image:
        """The RGB picture in anything that holds one; a lab scene as lab models know it, or large enough for others."""
        if isinstance(picture, Scene) and not self.info.lab:
            return draw(picture, SCENE_SIDE)
        return as_image(picture)

    def inspect(
        self,
        picture: Picture,
        question: str,
        *,
        answer: str | None = None,
        watch: Watch | None = None,
        edits: Sequence[Edit] = (),
        new_tokens: int = MOST_NEW_TOKENS,
        progress: Progress | None = None,
    ) -> Trace:
        """Ask and record.

        Args:
            picture: anything that holds one: an image, an array, bytes, a path, a lab scene.
            question: as a person would type it.
            answer: scored in place of the model's own, where a model generates; as the model would write it, a leading
                space included if it writes one.
            watch: which rows to keep; by default the answer's and the question's.
            edits: interventions during the pass; what follows the answer's first token is then not generated.
            new_tokens: the most that a model generates; 0 for none, and the answer's first token alone.
            progress: told of every token; may stop the work.
        """
        watch = watch or Watch()
        prepared = self.prepare(self.image(picture), question)
        if answer is not None and edits:
            raise NotApplicable("A given answer is scored without edits; leave out either.")
        with self.lock:
            said = None
            if answer is not None or (new_tokens and not edits):
                said = self.say(prepared, watch, new_tokens, answer, progress)
            if said is None and answer is not None:
                raise NotApplicable(
                    f"Of what {self.name} says one word is recorded, the first; there is no other answer to score."
                )
            if said is None:
                logits, recorder = self.run(prepared, watch, edits)
                said = Said(self.rank(logits.softmax(-1)[0].double().numpy()), (recorder,))
        places, records = assemble(prepared, list(self.sites(prepared).values()), said, watch)
        return Trace(
            model=self.name,
            revision=self.info.revision,
            question=prepared.question,
            picture=drawing(picture) if isinstance(picture, Scene) else encode_png(for_display(prepared.image)),
            picture_hash=picture_hash(prepared.image),
            tokens=(*prepared.tokens, *said.tokens),
            segments=np.append(prepared.segments, np.full(len(said.tokens), Segment.ANSWER, np.int8)),
            grid=prepared.grid,
            places=places,
            answers=said.answers,
            text=said.text,
            rows=records,
            peaks=peaks(said, prepared.length + len(said.tokens)),
            steps=said.steps,
        )

    def recorder(self, prepared: Prepared, watch: Watch | None, edits: Sequence[Edit] = ()) -> Recorder:
        """What listens to a pass over what is prepared."""
        sites = self.sites(prepared)
        return Recorder(
            sites,
            prepared.segments,
            {site.name: watched_rows(site, prepared, watch) for site in sites.values()} if watch else {},
            contributions=bool(watch and watch.contributions),
            edits=edits,
            after=self.after,
        )

    def run(self, prepared: Prepared, watch: Watch | None, edits: Sequence[Edit] = ()) -> tuple[Tensor, Recorder]:
        """One forward pass: logits float32 [variant, candidate] on the CPU, and what the recorder kept."""
        recorder = self.recorder(prepared, watch, edits)
        variants = max((len(e.keys) for e in edits if isinstance(e, Knockout) and e.keys.ndim == 2), default=1)
        with torch.inference_mode(), self.listening(), recording(recorder):
            return self.logits(prepared, variants).float().cpu(), recorder

    def answer_probability(
        self, picture: Picture, question: str, candidate: int, knockouts: np.ndarray, progress: Progress | None = None
    ) -> np.ndarray:
        """Probability of one candidate answer under many knock-outs of image cells: bool [variant, cell] to [variant].

        Every row but the knocked-out tokens themselves stops reading them, at every layer.
        """
        prepared = self.prepare(self.image(picture), question)
        return self.hidden_probability(prepared, candidate, prepared.grid.tokens(knockouts, prepared.length), progress)

    def hidden_probability(
        self,
        prepared: Prepared,
        candidate: int,
        keys: np.ndarray,
        progress: Progress | None = None,
        against: int | None = None,
    ) -> np.ndarray:
        """The same for any positions of what is prepared: bool [variant, position] to [variant].

        With `against`, of these two candidates alone.
        """
        found = []
        starts = range(0, len(keys), self.variants_at_once)
        for start in (progress or Progress()).over(starts, len(starts), "batch"):
            with self.lock:
                logits, _ = self.run(prepared, None, [Knockout(keys[start : start + self.variants_at_once])])
            found.append(probability(logits, candidate, against))
        return np.concatenate(found) if found else np.zeros(0)

    def token_states(self, picture: Picture, question: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """States [token, width]: the picture's and the text's before the first layer, and all after the last."""
        batch = self.batch([picture], [question])
        found: dict[int, Tensor] = {}
        self._listen(batch, found.__setitem__)
        first, last = (found[layer][0].float().cpu() for layer in (min(found), max(found)))
        image = batch.image[0].cpu()
        return first[image].numpy(), first[~image].numpy(), last.numpy()

    def read(
        self,
        pictures: Sequence[Picture],
        questions: Sequence[str],
        pooling: Pooling = "mean",
        progress: Progress | None = None,
    ) -> Iterator[Readings]:
        """Ask one question of each picture; yields pooled states and probabilities, `items_at_once` at a time."""
        starts = range(0, len(pictures), self.items_at_once)
        for start in (progress or Progress()).over(starts, len(starts), "batch"):
            part = slice(start, start + self.items_at_once)
            batch = self.batch(pictures[part], questions[part])
            found: dict[int, tuple[Tensor, Tensor]] = {}

            def see(layer: int, states: Tensor, batch: Batch = batch, found: dict = found) -> None:
                states = states.float()
                found[layer] = pool(states, batch.image, pooling).cpu(), pool(states, batch.question, pooling).cpu()

            logits = self._listen(batch, see)
            image, question = (
                torch.stack([pair[side] for _, pair in sorted(found.items())]).numpy() for side in (0, 1)
            )
            yield Readings(self.points, image, question, logits.softmax(-1).numpy())

    def probabilities(self, pictures: Sequence[Picture], questions: Sequence[str]) -> np.ndarray:
        """Probabilities of the answers to many questions, float64 [item, candidate]."""
        parts = []
        for start in range(0, len(pictures), self.items_at_once):
            part = slice(start, start + self.items_at_once)
            parts.append(self._listen(self.batch(pictures[part], questions[part])).double().softmax(-1).numpy())
        return np.concatenate(parts)

    def answer_many(self, pictures: Sequence[Picture], questions: Sequence[str]) -> list[str]:
        """The most probable answers to many questions."""
        return [self.answer_text(int(i)) for i in self.probabilities(pictures, questions).argmax(axis=1)]

    def crossed(
        self, pictures: Sequence[Picture], questions: Sequence[str], lens: bool = False
    ) -> Iterator[tuple[slice, Tensor]]:
        """Every picture with every question: yields which pictures, and their logits.

        Logits are float32 [point, picture, question, candidate]. The last point is the model's own output. With `lens`
        there is one before it for every layer but the last, read as if the model ended there (nostalgebraist's logit
        lens, 2020), where the family allows.
        """
        for index, picture in enumerate(pictures):
            parts = []
            for start in range(0, len(questions), self.items_at_once):
                asked = questions[start : start + self.items_at_once]
                parts.append(self._listen(self.batch([picture] * len(asked), asked)))
            yield slice(index, index + 1), torch.cat(parts)[None, None]

    def _listen(self, batch: Batch, see: Callable[[int, Tensor], None] | None = None) -> Tensor:
        """Logits of a batch, float32 on the CPU, while `see` is shown the states."""
        recorder = Recorder({}, np.zeros(0), {}, see=see)
        with self.lock, torch.inference_mode(), self.listening(), recording(recorder):
            return self.batch_logits(batch).float().cpu()

    def check(self) -> None:
        """The promises that every figure rests on, tried on one scene. Raises ModelError naming the broken one."""
        from vlmlens.lab.scenes import Thing

        scene = Scene((Thing(4, "red", "circle", "large"), Thing(0, "blue", "square", "small")))
        prepared = self.prepare(draw(scene, SCENE_SIDE), "what color is the circle?")
        with self.lock:
            plain, _ = self.run(prepared, None)
            watched, recorder = self.run(prepared, Watch())
            image = prepared.segments == Segment.IMAGE
            aside = np.isin(np.arange(prepared.length), prepared.aside)
            blind, _ = self.run(prepared, None, [Knockout(image)])
        # Hiding rounds otherwise, also where nothing hidden is read.
        if self.info.ignores:
            hiding, as_promised = "nothing", torch.allclose(plain, blind, atol=1e-4)
        else:
            hiding, as_promised = "something", not torch.equal(plain, blind)
        problems = {
            "watching must not change the answer": torch.equal(plain, watched),
            "every watched row must sum to 1, or to less where a learned sink takes a part of it": bool(recorder.kept)
            and all(_adds_up(kept) for kept in recorder.kept.values()),
            "every image token must have a place on the picture": not prepared.grid.cells
            or prepared.grid.places(image & ~aside),
            f"hiding the whole picture must change {hiding}": as_promised,
            "every number must be finite": bool(torch.isfinite(plain).all() and torch.isfinite(blind).all()),
        }
        broken = [promise for promise, kept_it in problems.items() if not kept_it]
        if broken:
            raise ModelError(
                f"{self.name} loaded, but its inside cannot be shown truthfully: {broken[0]}. "
                "Pick another model, or report this one."
            )
