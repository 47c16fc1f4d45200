"""Work can be paused, goes on where it was, and can be cancelled while it is paused."""

import threading
import time

from vlmlens.progress import Cancelled, Progress


def counting(progress: Progress, seen: list[int]) -> None:
    try:
        for step in range(100_000):
            progress.step(0.0)
            seen.append(step)
            time.sleep(0.001)
    except Cancelled:
        return


def test_pause_holds_resume_goes_on_cancel_ends():
    progress, seen = Progress(), []
    worker = threading.Thread(target=counting, args=(progress, seen))
    worker.start()
    while not seen:
        time.sleep(0.001)
    progress.pause()
    time.sleep(0.05)
    held = len(seen)
    time.sleep(0.1)
    assert progress.paused
    assert len(seen) == held
    progress.resume()
    while len(seen) == held:
        time.sleep(0.001)
    progress.pause()
    progress.cancel()  # also while it is paused
    worker.join(5)
    assert not worker.is_alive()
    assert seen == list(range(len(seen)))
