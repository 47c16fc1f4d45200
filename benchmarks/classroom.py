"""Thirty learners and a teacher on one server: how long a click takes, what fails, what memory does over three rounds.

Sessions are websocket clients that speak Streamlit's protocol (`visitor.py`): the same script runs in them as in a
browser, fragments included, without thirty browsers taking the processor that is to be measured. In each round a
teacher opens a class, the learners come within `--ramp` seconds, read `--think` seconds a step (each its own, between
half and one and a half of it), predict, and walk the lesson to its end; in the second round the teacher holds every
reveal until all have predicted, and then opens it for all at once. Then everybody leaves. Checked on the way: no error
on any page or in the server's log, and every prediction in the teacher's count.

    python benchmarks/classroom.py --write          # 30 learners, 3 rounds: about 15 minutes
    python benchmarks/classroom.py --learners 5 --rounds 1 --think 1 --leave 5 --settle 5
"""

import argparse
import asyncio
import datetime
import os
import platform
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from visitor import PATIENCE, Took, Visitor

from vlmlens.lessons import Lesson, shelf

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "classroom.md"
HELD = "Your teacher opens the reveal"
PREDICTED = re.compile(r"(\d+) of (\d+) learners have predicted")
BAR = 1.0  # seconds, of the median


@dataclass
class Round:
    """What happened in one round."""

    held: bool
    clicks: dict[str, list[Took]] = field(default_factory=dict)  # by what was done
    errors: list[str] = field(default_factory=list)
    made: dict[int, int] = field(default_factory=dict)  # predictions by step, as learners made them
    counted: dict[int, int] = field(default_factory=dict)  # as the teacher read them
    opened: dict[int, float] = field(default_factory=dict)  # step of a reveal: when the teacher opened it
    released: list[float] = field(default_factory=list)  # seconds from there to the reveal on a learner's page
    peak: float = 0.0  # MB
    after: float = 0.0  # MB, when all have left
    received: int = 0  # bytes, by all learners
    fragments: int = 0  # runs that pages asked for by themselves
    seconds: float = 0.0

    def note(self, what: str, took: Took) -> None:
        self.clicks.setdefault(what, []).append(took)

    @property
    def all(self) -> list[Took]:
        return [took for own in self.clicks.values() for took in own]


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen
    log: Path

    @property
    def memory(self) -> float:
        """MB that are resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def complaints(self) -> list[str]:
        """Lines of the log in which something went wrong."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line.strip()[:200] for line in lines if re.search(r"Traceback|Error\b|Exception", line)]


@contextmanager
def served() -> Iterator[Server]:
    """The app as `make app` starts it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "vlmlens", "app", "--headless", "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        with log.open("wb") as sink:
            process = subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT)
            try:
                while process.poll() is None:
                    try:
                        urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
                        break
                    except OSError:
                        time.sleep(0.2)
                yield Server(port, process, log)
            finally:
                process.terminate()
                process.wait()


async def learner(
    server: Server, code: str, lesson: Lesson, found: Round, wanted: argparse.Namespace, seed: int
) -> None:
    """One learner, from the link to the last step."""
    dice, number = random.Random(seed), 0
    await asyncio.sleep(dice.uniform(0, wanted.ramp))
    async with Visitor(server.port, "learn", f"class={code}&lesson={lesson.name}") as visitor:
        try:
            found.note("open the link", await visitor.open())
            for number, step in enumerate(lesson.steps):
                await _wait_for_teacher(visitor, number, found)
                await asyncio.sleep(wanted.think * dice.uniform(0.5, 1.5))
                if step.kind == "predict":
                    await _predict(visitor, lesson, number, found, dice)
                elif step.kind == "try":
                    await _try(visitor, lesson, number, found, dice)
                if number + 1 < len(lesson.steps):
                    where = "next, to a reveal" if lesson.steps[number + 1].kind == "reveal" else "next"
                    found.note(where, await visitor.click("lesson-next"))
        except (LookupError, TimeoutError, OSError) as error:
            found.errors.append(f"learner {seed} at step {number + 1}: {type(error).__name__}: {error}")
        found.errors += visitor.errors
        found.received += visitor.bytes
        found.fragments += visitor.reruns


async def _wait_for_teacher(visitor: Visitor, number: int, found: Round) -> None:
    """Where the reveal is held, until it is there."""
    if HELD not in visitor.text():
        return
    async with asyncio.timeout(3 * PATIENCE):
        while HELD in visitor.text() or visitor.pending():
            await asyncio.sleep(0.02)
    found.released.append(time.perf_counter() - found.opened[number])


async def _predict(visitor: Visitor, lesson: Lesson, number: int, found: Round, dice: random.Random) -> None:
    step, key = lesson.steps[number], f"predict-{lesson.name}-{number}"
    if step.slider is not None:
        places = round((step.slider.high - step.slider.low) / step.slider.step)
        value = step.slider.low + dice.randint(0, places) * step.slider.step
        found.note("choose", await visitor.slide(key, value))
    else:
        found.note("choose", await visitor.choose(key, dice.choice(list(visitor.found(key).element.options))))
    found.note("commit", await visitor.click(f"commit-{lesson.name}-{number}"))
    found.made[number] = found.made.get(number, 0) + 1


async def _try(visitor: Visitor, lesson: Lesson, number: int, found: Round, dice: random.Random) -> None:
    """Change one thing that may be changed."""
    keys = sorted(key for key in visitor.names() if key.startswith(f"try-{lesson.name}-{number}-"))
    if not keys:
        return
    key = dice.choice(keys)
    widget = visitor.found(key)
    if widget.kind == "selectbox":
        found.note("try", await visitor.choose(key, dice.choice(list(widget.element.options))))
    elif widget.kind == "slider":
        low, high, step = widget.element.min, widget.element.max, widget.element.step
        found.note("try", await visitor.slide(key, low + step * dice.randint(0, int((high - low) / step))))


async def walked(server: Server, lesson: Lesson, wanted: argparse.Namespace, which: int) -> Round:
    """One round: a class from its opening to its end."""
    found, began = Round(held=which == 1), time.perf_counter()
    asked = [number for number, step in enumerate(lesson.steps) if step.kind == "predict"]
    async with Visitor(server.port, "learn", f"teacher=1&lesson={lesson.name}&step={asked[0] + 1}") as teacher:
        await teacher.open()
        await teacher.click("class-open")
        link = {name: values[0] for name, values in parse_qs(teacher.query).items()}
        mine = f"teacher=1&class={link['class']}&key={link['key']}&lesson={lesson.name}"
        if found.held:
            await teacher.switch("class-hold", True)
        learners = [
            asyncio.create_task(learner(server, link["class"], lesson, found, wanted, 1000 * which + number))
            for number in range(wanted.learners)
        ]
        sampler = asyncio.create_task(_sampled(server, found))
        if found.held:
            await _steered(server, lesson, found, mine, asked, wanted.learners)
        await asyncio.gather(*learners)
        for number in asked:
            found.counted[number] = (await _read(server, f"{mine}&step={number + 1}"))[0]
        await teacher.click("class-end")
        sampler.cancel()
        found.errors += teacher.errors
    await asyncio.sleep(wanted.leave)
    async with Visitor(server.port, "learn") as last:  # a session that comes lets the server forget those that left
        await last.open()
    await asyncio.sleep(2)
    found.after, found.seconds = server.memory, time.perf_counter() - began
    return found


async def _steered(server: Server, lesson: Lesson, found: Round, mine: str, asked: list[int], learners: int) -> None:
    """The teacher opens each reveal when all have predicted."""
    for number in asked:
        async with Visitor(server.port, "learn", f"{mine}&step={number + 1}") as teacher:
            await teacher.open()
            try:
                async with asyncio.timeout(5 * PATIENCE):
                    while (said := PREDICTED.search(teacher.text())) is None or int(said[1]) < learners:
                        await asyncio.sleep(0.1)
            except TimeoutError:
                found.errors.append(f"step {number + 1}: {said[0] if said else 'nobody predicted'}, and no more came")
            reveal = next(after for after in range(number, len(lesson.steps)) if lesson.steps[after].kind == "reveal")
            found.opened[reveal] = time.perf_counter()
            try:
                found.note("the teacher opens a reveal", await teacher.click("class-release"))
            except (LookupError, TimeoutError) as error:
                found.errors.append(f"the teacher at step {number + 1}: {type(error).__name__}: {error}")
            found.errors += teacher.errors


async def _read(server: Server, query: str) -> tuple[int, int]:
    """How many of how many have predicted, as a teacher who opens this page reads it."""
    async with Visitor(server.port, "learn", query) as teacher:
        await teacher.open()
        said = PREDICTED.search(teacher.text())
        return (int(said[1]), int(said[2])) if said else (0, 0)


async def _sampled(server: Server, found: Round) -> None:
    while True:
        found.peak = max(found.peak, server.memory)
        await asyncio.sleep(0.5)


async def measured(wanted: argparse.Namespace) -> str:
    lesson = shelf().lessons[wanted.lesson]
    rounds: list[Round] = []
    with served() as server:
        async with Visitor(server.port, "learn") as first:
            await first.open()
        await asyncio.sleep(wanted.settle)  # the models that nobody asked for are loaded, too
        before = server.memory
        for which in range(wanted.rounds):
            rounds.append(await walked(server, lesson, wanted, which))
            print(_line(which, rounds[-1]), *rounds[-1].errors, sep="\n  ", file=sys.stderr, flush=True)
        complaints = server.complaints()
    return report(lesson, wanted, before, rounds, complaints)


# What it found, in words


def report(
    lesson: Lesson, wanted: argparse.Namespace, before: float, rounds: list[Round], complaints: list[str]
) -> str:
    clicks = [took for each in rounds for took in each.all]
    errors = [error for each in rounds for error in each.errors] + complaints
    lost = sum(each.made[number] != each.counted.get(number, 0) for each in rounds for number in each.made)
    middle = statistics.median(took.settled for took in clicks)
    cores = len(os.sched_getaffinity(0))
    lines = [
        f"# {wanted.learners} learners and a teacher walk “{lesson.title}” on one server",
        "",
        f"`python benchmarks/classroom.py --learners {wanted.learners} --rounds {wanted.rounds} --lesson {lesson.name} "
        f"--think {wanted.think:g} --ramp {wanted.ramp:g} --leave {wanted.leave:g}`, "
        f"{datetime.date.today():%Y-%m-%d}, {cores} {'core' if cores == 1 else 'cores'} ({platform.machine()}) for "
        f"the server and all sessions, {lesson.minutes} minutes long as its author says; a step is read for "
        f"{wanted.think / 2:g} to {1.5 * wanted.think:g} s. Sessions speak Streamlit's protocol without a browser: "
        "*answered* is from the click to the end of the script, *settled* until no bar is left; drawing is not in it.",
        "",
        f"{len(clicks)} clicks: settled after a median of **{middle:.2f} s** ({_against(middle < BAR)} a bar of "
        f"{BAR:g} s), 95 % within {_quantile([t.settled for t in clicks], 0.95):.2f} s. **{len(errors)} errors** on "
        f"pages and in the log; {'every prediction was counted' if not lost else f'{lost} steps lost predictions'}.",
        "",
        _memory(before, rounds),
        "",
        "| round | clicks | answered: median | settled: median | 95 % | longest | errors | memory, most | all gone | "
        "sent to a learner | runs by themselves | took |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(which, each, wanted.learners) for which, each in enumerate(rounds)),
        "",
        "| what was done | clicks | answered: median | settled: median | 95 % | longest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for what in dict.fromkeys(what for each in rounds for what in each.clicks):
        own = [took for each in rounds for took in each.clicks.get(what, ())]
        lines.append(f"| {what} | {len(own)} | {_seconds(own)} |")
    held = [seconds for each in rounds for seconds in each.released]
    if held:
        lines += [
            "",
            f"Opened by the teacher for all at once, a held reveal stood on a learner's page after a median of "
            f"{statistics.median(held):.2f} s, 95 % within {_quantile(held, 0.95):.2f} s ({len(held)} of them; a page "
            "asks every two seconds).",
        ]
    if errors:
        lines += ["", "Errors:", "", *(f"- {error}" for error in sorted(set(errors))[:20])]
    return "\n".join(lines) + "\n"


def _memory(before: float, rounds: list[Round]) -> str:
    after = [each.after for each in rounds]
    told = f"The server held {before:.0f} MB before anybody came and {', '.join(f'{mb:.0f}' for mb in after)} MB "
    told += "when all had left again, round by round."
    if len(after) < 2:
        return f"{told} One round cannot tell whether it grows."
    grown = after[-1] - after[0]
    a_session = grown / (len(after) - 1)
    return (
        f"{told} From the first round's end to the last one's it grew by {grown:+.0f} MB, {a_session:+.1f} MB a round."
    )


def _row(which: int, each: Round, learners: int) -> str:
    cells = [
        f"{which + 1}{', reveals held' if each.held else ''}",
        str(len(each.all)),
        _seconds(each.all),
        str(len(each.errors)),
        f"{each.peak:.0f} MB",
        f"{each.after:.0f} MB",
        f"{each.received / max(1, learners) / 1e6:.2f} MB",
        str(each.fragments),
        f"{each.seconds:.0f} s",
    ]
    return f"| {' | '.join(cells)} |"


def _seconds(clicks: list[Took]) -> str:
    done, settled = [took.done for took in clicks], [took.settled for took in clicks]
    if not clicks:
        return "n/a | n/a | n/a | n/a"
    return (
        f"{statistics.median(done):.2f} s | {statistics.median(settled):.2f} s | {_quantile(settled, 0.95):.2f} s | "
        f"{max(settled):.2f} s"
    )


def _quantile(values: list[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def _against(holds: bool) -> str:
    return "under" if holds else "OVER"


def _line(which: int, each: Round) -> str:
    told = f"{len(each.all)} clicks, {_seconds(each.all)}, {len(each.errors)} errors, {each.after:.0f} MB"
    return f"round {which + 1}: {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--learners", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lesson", default="xor", choices=sorted(shelf().lessons))
    parser.add_argument("--think", type=float, default=4.0, help="seconds that a step is read, on average")
    parser.add_argument("--ramp", type=float, default=10.0, help="seconds within which all come")
    parser.add_argument(
        "--leave", type=float, default=150.0, help="seconds after a round; Streamlit keeps a session 120"
    )
    parser.add_argument("--settle", type=float, default=45.0, help="seconds before the first round")
    parser.add_argument("--write", action="store_true", help=f"keep the report in {RESULT.relative_to(ROOT)}")
    wanted = parser.parse_args()
    told = asyncio.run(measured(wanted))
    print(told)
    if wanted.write:
        RESULT.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
