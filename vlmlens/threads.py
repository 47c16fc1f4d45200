"""One thread for work that is too small to share: threads that meet cost more than they bring."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread(api: Literal["openmp", "blas"]) -> Iterator[None]:
    """Torch's layers run on OpenMP, numpy's linear algebra on BLAS; what this thread had before is restored.

    On two cores shared with a browser, a pass of a lab model took 230 ms with two threads and 50 with one.
    `torch.set_num_threads` would also slow a large model that runs beside.
    """
    with _pools().limit(limits=1, user_api=api):
        yield


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()
