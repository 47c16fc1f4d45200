"""What does a loaded model do when most image tokens leave its decoder after layer K? No training; FastV's way.

    with prune(vlm, share=0.5, layer=2) as pruning:
        logits, _ = vlm.run(prepared, None)
    pruning.kept                       # [item, position]: who passed the layers after the second

The tokens leave the sequence: later layers are given shorter states, masks and rotary phases, and keep no keys of them,
so that time and memory fall. Those that stay keep their positions. Generation goes on with a cache whose later layers
hold fewer keys. (Chen et al., "An Image is Worth 1/2 Tokens After Layer 2", ECCV 2024, arXiv 2403.06764, section 4.1.)
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from vlmlens.errors import NotApplicable
from vlmlens.models.base import VLM
from vlmlens.models.huggingface import HuggingFaceVLM
from vlmlens.models.mllama import MllamaVLM
from vlmlens.models.qformer import QFormerVLM
from vlmlens.tokens.rank import RANKERS, Ranker
from vlmlens.trace.capture import overhearing, recorded
from vlmlens.trace.rows import Call


def count(share: float, tokens: int) -> int:
    """How many of so many tokens stay: the share, rounded up, so that a single token stays at any share but 0."""
    return min(tokens, math.ceil(share * tokens - 1e-9))


def layers_allowed(vlm: VLM) -> range:
    """The K after which tokens can leave: K layers see all of them. Raises NotApplicable for a model without any."""
    if isinstance(vlm, MllamaVLM) or not isinstance(vlm, HuggingFaceVLM):
        raise NotApplicable(
            f"{vlm.name} has no image tokens in the sequence of a Hugging Face decoder, so none can leave it; "
            "pruning is for models such as lab:llava, LLaVA, Qwen-VL or Gemma 3."
        )
    layers = len(vlm.layers)
    first = max(1, vlm.whole_from)  # before that, more of the picture is still being added to its tokens
    if first >= layers:
        raise NotApplicable(f"{vlm.name} has {layers} layers; there is none after which tokens could still be saved.")
    return range(first, layers)


@dataclass(eq=False)
class Pruning:
    """Who stayed in the latest pass over a prompt. Made by `prune`. Positions are those of the decoder's sequence."""

    vlm: HuggingFaceVLM
    share: float  # of the image tokens that stay
    layer: int  # K: how many layers run on all of them
    ranker: Ranker
    seed: int = 0
    image: Tensor | None = None  # int [item, token], positions of the image tokens
    scores: Tensor | None = None  # [item, token], by which they were ranked; None where all stay
    kept: Tensor | None = None  # int [item, position], ascending: who passed the later layers; None where all do
    length: int = 0  # positions of the prompt, and what was said after it
    _shrunk: dict[int, tuple[Any, Any]] = field(default_factory=dict)  # what layers share is made shorter once

    @property
    def survivors(self) -> Tensor:
        """Which image tokens stayed, bool [item, token]."""
        assert self.image is not None, "nothing has run yet"
        if self.kept is None:
            return torch.ones_like(self.image, dtype=torch.bool)
        return (self.image[:, :, None] == self.kept[:, None, :]).any(-1)

    # One pass, in the order in which it meets these.

    def begin(self, kwargs: Mapping[str, Any]) -> None:
        """A pass enters the model: of a prompt, or of one more token after it."""
        heard = recorded()
        if heard and (heard.watching or heard.edits or heard.branches or heard.whole or heard.split or heard.see):
            raise NotApplicable("A pruned pass is not recorded or edited: later layers have other positions.")
        given = next(kwargs[name] for name in ("inputs_embeds", "input_ids") if kwargs.get(name) is not None)
        cache = kwargs.get("past_key_values")
        if cache is not None and cache.get_seq_length() > 0:
            if given.shape[1] != 1 or (self.kept is not None and len(self.kept) > 1):
                raise NotApplicable("With tokens pruned, one item goes on at a time, by one token.")
            self.length += 1
            self._shrunk.clear()
            return
        self.image, self.length = self._image(given, kwargs), given.shape[1]
        self.scores = self.kept = None
        self._shrunk.clear()

    def _image(self, given: Tensor, kwargs: Mapping[str, Any]) -> Tensor:
        if isinstance(self.vlm, QFormerVLM):  # the queries come first, also before padding
            return torch.arange(self.vlm.queries, device=given.device).expand(len(given), -1)
        where = kwargs["input_ids"] == self.vlm.image_token
        counts = where.sum(1)
        if (counts != counts[0]).any():
            raise NotApplicable(
                "The pictures of this batch became different numbers of tokens; ask of one picture at a time."
            )
        return where.nonzero()[:, 1].view(len(given), -1)

    def hear(self, module: nn.Module, call: Call) -> None:
        """Rank the image tokens at layer K, in the pass over a prompt."""
        if module is not self.vlm.attention[self.layer - 1] or self.image is None or call.query.shape[2] == 1:
            return
        stay = count(self.share, self.image.shape[1])
        if stay == self.image.shape[1]:
            return
        self.scores = self.ranker.score(call, self.image, self.seed).float().cpu()
        best = self.scores.sort(dim=1, descending=True, stable=True).indices[:, :stay].to(self.image.device)
        going = torch.ones(len(self.image), self.length, dtype=torch.bool, device=self.image.device)
        going.scatter_(1, self.image, False)
        going.scatter_(1, self.image.gather(1, best), True)
        self.kept = going.nonzero()[:, 1].view(len(going), -1)

    def enter(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What a layer after the first K is called with, without the tokens that have left."""
        if self.kept is None:
            return args, kwargs
        states = args[0] if args else kwargs["hidden_states"]
        kwargs = dict(kwargs)
        if states.shape[1] == 1:
            kwargs["attention_mask"] = self._seen(number, kwargs["past_key_values"])
            return args, kwargs
        if number == self.layer:
            states = self._select(states, 1, 0)
            if args:
                args = (states, *args[1:])
            else:
                kwargs["hidden_states"] = states
        for name, shrink in _SHRINK.items():
            if kwargs.get(name) is not None:
                kwargs[name] = self._once(kwargs[name], shrink)
        return args, kwargs

    def _once(self, given: Any, shrink: "Shrink") -> Any:
        if id(given) not in self._shrunk:
            self._shrunk[id(given)] = given, shrink(self._select, given)  # which stays, so that its id is its own
        return self._shrunk[id(given)][1]

    def _select(self, given: Tensor, axis: int, item: int) -> Tensor:
        """The positions that stay, along an axis; along another lie the items, or one for all of them."""
        assert self.kept is not None
        kept = self.kept.to(given.device)
        if len(kept) == 1:
            return given.index_select(axis, kept[0])
        shape = [1] * given.ndim
        shape[item], shape[axis] = kept.shape
        return torch.take_along_dim(given, kept.view(shape), axis)

    def _seen(self, number: int, cache: Any) -> Tensor | None:
        """What one more token may look at in a layer whose cache lacks those that left, bool [1, 1, 1, key].

        A window reaches as far back as it would with all of them there.
        """
        assert self.kept is not None
        places = [*self.kept[0].tolist(), *range(self.kept_until, self.length)]
        layer = cache.layers[self.vlm.attention[number].layer_idx]
        if not layer.is_sliding:
            return None
        held = torch.tensor(places[-(layer.keys.shape[-2] + 1) :], device=layer.keys.device)
        return (held > self.length - 1 - layer.sliding_window)[None, None, None]

    @property
    def kept_until(self) -> int:
        """The first position after the prompt."""
        assert self.kept is not None
        return int(self.kept[0, -1]) + 1  # the last of a prompt is no image token, and stays


Shrink = Callable[[Callable[[Tensor, int, int], Tensor], Any], Any]

_SHRINK: dict[str, Shrink] = {  # what decoder layers are given of every position, by name
    "position_embeddings": lambda select, given: tuple(
        select(part, -2, -3) for part in given
    ),  # [..., item, position, x]
    "position_ids": lambda select, given: select(given, -1, -2),  # [..., item, position]
    "attention_mask": lambda select, given: select(select(given, -2, 0), -1, 0),  # [item, 1, query, key]
}

_pruning: ContextVar[Pruning | None] = ContextVar("vlmlens_pruning", default=None)


@contextmanager
def prune(vlm: VLM, share: float, layer: int, by: str = "attention", seed: int = 0) -> Iterator[Pruning]:
    """Until the block ends, passes of this thread through `vlm` lose image tokens after layer K.

    `run` without a watch, `generate`, `batch_logits`, `answer_many` work as before. With share 1 the pass is the full
    model's, bit by bit.

    Args:
        share: of the image tokens that stay, 0 to 1; see `count`.
        layer: K, how many layers run on all tokens; see `layers_allowed`.
        by: a name in `RANKERS`; the ranking is made in layer K.
        seed: for the rankers that take chances.

    Raises:
        NotApplicable: the model, the layer or the share is none that this can be done with; the message says why.
    """
    allowed = layers_allowed(vlm)
    assert isinstance(vlm, HuggingFaceVLM)
    if layer not in allowed:
        raise NotApplicable(
            f"Tokens can leave {vlm.name} after layers {allowed.start} to {allowed.stop - 1} of its {len(vlm.layers)}, "
            f"not after layer {layer}; choose one of these."
        )
    if not 0 <= share <= 1:
        raise NotApplicable(f"A share of {share:g} of the image tokens cannot stay; choose one from 0 to 1.")
    if by not in RANKERS:
        raise NotApplicable(f"No ranking is called {by!r}; choose from {', '.join(RANKERS)}.")
    pruning = Pruning(vlm, share, layer, RANKERS[by], seed)

    def mine() -> bool:
        return _pruning.get() is pruning  # another thread's pass through the same modules is not

    def begin(_module: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
        if mine():
            pruning.begin(kwargs)

    def entering(number: int) -> Any:
        def enter(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return pruning.enter(number, args, kwargs) if mine() else None

        return enter

    token = _pruning.set(pruning)
    try:
        with ExitStack() as stack:
            with vlm.lock:  # no pass is under way while hooks come and go
                entrance = vlm.decoder if isinstance(vlm, QFormerVLM) else vlm.model
                handles = [entrance.register_forward_pre_hook(begin, with_kwargs=True)]
                stack.callback(_remove, vlm, handles)
                for number in range(layer, len(vlm.layers)):
                    hook = entering(number)
                    handles.append(vlm.layers[number].register_forward_pre_hook(hook, with_kwargs=True, prepend=True))
            stack.enter_context(overhearing(pruning.hear))
            yield pruning
    finally:
        _pruning.reset(token)


def _remove(vlm: VLM, handles: list[Any]) -> None:
    with vlm.lock:
        for handle in handles:
            handle.remove()
