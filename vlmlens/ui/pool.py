"""Models in memory: loaded once for all browser sessions, the least recently used large one dropped first.

Knows nothing of Streamlit, so that the launcher can warm it before the first page.
"""

import gc
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future

from vlmlens.models import VLM, list_models, load

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


def _shrink() -> None:
    with _lock:
        large = [name for name in _models if not name.startswith("lab:")]
        for name in large[:-MOST_LARGE]:
            del _models[name]


def warm() -> threading.Thread:
    """Load the lab models in the background, the default first, then the PID solver. What fails says so when asked for.

    The others wait until the first page is likely to stand, and do not compete with it.
    """

    def work() -> None:
        for listed in sorted(list_models(), key=lambda model: model.name != DEFAULT):
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
