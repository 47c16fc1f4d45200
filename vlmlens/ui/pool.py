"""Models in memory: loaded once for all browser sessions, the least recently used large one dropped first.

Knows nothing of Streamlit, so that the launcher can warm it before the first page.
"""

import ctypes
import gc
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import suppress

import torch

from vlmlens.models import VLM, lab_models, load

DEFAULT = "lab:concat"
PAUSE = 4.0  # seconds before each model that nobody has asked for yet
MOST_LARGE = 2  # models other than the lab's kept at once

_lock = threading.Lock()
_models: "OrderedDict[str, Future[VLM]]" = OrderedDict()


def get(name: str) -> VLM:
    """The model of this name, loading it if it is not here; a second caller waits for the first one's load."""
    with _lock:
        future = _models.get(name)
        mine = future is None
        if future is None:
            future = _models[name] = Future()
        _models.move_to_end(name)
    if mine:
        try:
            future.set_result(load(name))
        except BaseException as error:
            with _lock:
                _models.pop(name, None)  # a failed load may be tried again
            future.set_exception(error)
            raise
        _shrink()
    return future.result()


def here(name: str) -> bool:
    """Whether `get` would return at once."""
    future = _models.get(name)
    return future is not None and future.done()


def drop(name: str) -> None:
    """Forget a model and give its memory back; who is using it at the moment finishes first."""
    with _lock:
        _models.pop(name, None)
    _give_back()


def _give_back() -> None:
    """What is no longer used, back to the system: models hold themselves in cycles, allocators keep what is freed."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _shrink() -> None:
    with _lock:
        large = [name for name in _models if not name.startswith("lab:")]
        dropped = large[:-MOST_LARGE]
        for name in dropped:
            del _models[name]
    if dropped:
        _give_back()


def warm() -> threading.Thread:
    """Load the lab models in the background, the default first, then the PID solver. What fails says so when asked for.

    The others wait until the first page is likely to stand, and do not compete with it.
    """

    def work() -> None:
        for listed in sorted(lab_models(), key=lambda model: model.name != DEFAULT):
            if not listed.present:
                continue
            if listed.name != DEFAULT and not here(listed.name):
                time.sleep(PAUSE)
            get(listed.name).check()  # once more: the first pass of a process is the slow one
            gc.freeze()  # a full collection over all that torch and transformers hold stops every session for 0.3 s
        time.sleep(PAUSE)
        from vlmlens.information import decompose, gate

        decompose(gate("XOR"))  # the solver is compiled at its first use, once a machine

    thread = threading.Thread(target=work, name="warm", daemon=True)
    thread.start()
    return thread
