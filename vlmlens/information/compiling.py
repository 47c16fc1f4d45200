"""How functions are compiled, once for all processes."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit

# Sums may be reordered; that there are infinities and what is not a number may not be forgotten.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}
compiled = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)  # for what is compiled to call
inlined = njit(inline="always")  # in the one place that calls it, so that it is compiled once and not twice
exactly = njit(nogil=True, error_model="numpy", fastmath={"contract"})

SOURCES = [Path(__file__).with_name(f"{name}.py") for name in ("arithmetic", "climb", "compiling", "lanes")]


def kept_on_disk(function: Callable) -> Callable:
    """Compiled once for all processes, unless numba finds no folder that it may write to.

    What is on disk is filed under the function's name. As numba notices only changes in the file of the function,
    that name comes with a digest of all files that are compiled into it.
    """
    function.__qualname__ += f"_{digest()}"
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        return njit(**OPTIONS)(function)


def digest() -> str:
    return sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()[:16]
