"""Processors from a folder or the hub, and how their tokens read.

Those that also read videos come without that half, which needs torchvision.
"""

from functools import cache
from typing import Any

import transformers
from transformers import AutoProcessor


def load_processor(source: str, name: str = "") -> Any:
    """The processor in `source`; with `name`, as that class of transformers' and without its video half."""
    kind = still(name) if name else AutoProcessor
    return kind.from_pretrained(source, trust_remote_code=False)


def token_text(tokenizer: Any, token: int) -> str:
    """A token as people read it: without the sign for a space before it, and with signs for blanks alone."""
    text = str(tokenizer.decode([token]))
    if not text or "\ufffd" in text:  # a part of a letter
        return str(tokenizer.convert_ids_to_tokens(token))
    return text.strip() or ("⏎" if "\n" in text else "␣")


@cache
def still(name: str) -> Any:
    """A processor class of transformers' for still pictures only."""
    whole: Any = getattr(transformers, name)

    class Still(whole):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [attribute for attribute in super().get_attributes() if attribute != "video_processor"]

        @classmethod
        def _get_arguments_from_pretrained(cls, *args: Any, **kwargs: Any) -> list[Any]:
            return [*super()._get_arguments_from_pretrained(*args, **kwargs), None]  # in the place of the video half

    Still.__name__ = Still.__qualname__ = name  # as it is written to a folder
    return Still
