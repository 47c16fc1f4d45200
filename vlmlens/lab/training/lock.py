"""One trainer a run: a lock on a file, which the system lets go of when its process ends, however it ends."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PATIENCE = 0.3  # seconds; whoever only looks holds the lock for a moment


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether the lock is ours until the block ends; two threads of one process exclude each other, too.

    Raises OSError where the file cannot be made.
    """
    with open(path, "a+b") as file:
        until = time.monotonic() + PATIENCE
        while not (mine := _take(file)) and time.monotonic() < until:
            time.sleep(0.02)
        try:
            yield mine
        finally:
            if mine:
                _give(file)


def is_locked(path: Path) -> bool:
    """Whether somebody holds it at the moment."""
    try:
        with open(path, "r+b") as file:
            mine = _take(file, look=True)
            if mine:
                _give(file)
            return not mine
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes], look: bool = False) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _give(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: IO[bytes], look: bool = False) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if look else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _give(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
