"""Attention that is written out in a model's code and calls no attention function: heard from outside, by hooks."""

from collections.abc import Callable

from torch import Tensor, nn

from vlmlens.trace.capture import attend, listener

Asked = tuple[Tensor, Tensor, Tensor, Tensor | None]  # query, key, value [batch, head, position, width of a head], mask


def overhear(module: nn.Module, asked: Callable[[], Asked], output: Tensor) -> Tensor:
    """Let the active recorder hear a module that has computed its output [batch, query, head * width of a head] itself.

    The rows that are watched are computed a second time, from what the module was asked. What comes back is `output`,
    bit by bit, but where edits or gradients need it computed anew.
    """
    heard = listener(module)
    if heard is None:
        return output
    recorder, site = heard
    mine, _ = attend(module, *asked())
    anew = recorder.whole or recorder.knockouts(site, output.device) is not None
    return mine.flatten(2) if anew else output
