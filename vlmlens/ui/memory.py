"""When memory runs out in the middle of work: what is freed, and what a person is told to lower."""

from collections.abc import Hashable

from vlmlens.models import VLM
from vlmlens.ui import pool

GIB = 2**30


def told(vlm: VLM | None) -> str:
    """Why the work ended and what to lower, for the model that it asked."""
    if vlm is None or vlm.info.lab:
        return "The machine ran out of memory. Take a smaller picture, or unload a large model; the page goes on."
    info = vlm.info
    ways = [f"unload {other.name}" for other in pool.loaded() if other.name != vlm.name]
    if getattr(getattr(vlm, "family", None), "detail", None) is not None:
        ways.append("unload it and load it with low detail, which makes fewer tokens of a picture")
    if info.dtype == "float32":
        ways.append("unload it and load it in bfloat16")
    elif info.device.startswith("cuda"):
        ways.append("unload it and load it in 8bit or 4bit")
    ways.append("take a shorter question or a smaller model")
    return (
        f"Memory ran out on {info.device} while {info.name} worked; it holds {info.memory / GIB:.1f} GiB in "
        f"{info.dtype}. To lower what it needs: {'; or '.join(ways)}. What was half done is freed."
    )


def asked_by(key: Hashable) -> VLM | None:
    """The loaded model that a piece of work is about: its name stands in the work's key."""
    parts = key if isinstance(key, tuple) else (key,)
    names = [part for part in parts if isinstance(part, str) and pool.here(part)]
    return pool.get(names[0]) if names else None
