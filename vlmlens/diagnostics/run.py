"""The card, run: every test on one model and one probe set, with one runner between them.

card = run(vlm, lab_probe(seed=0))
for card in running(vlm, probe): ...          # as tests finish
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmlens.diagnostics import (
    consistency,
    context,
    dependency,
    information,
    override,
    sensitivity,
    uncertainty,
)
from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.crossed import Answers, Runner
from vlmlens.diagnostics.diagnosis import diagnose
from vlmlens.diagnostics.finding import Finding, Supply, Test, cannot_say
from vlmlens.diagnostics.probe import ProbeError, ProbeSet
from vlmlens.diagnostics.scorecard import Scorecard, weigh
from vlmlens.diagnostics.scoring import scoring
from vlmlens.errors import NotApplicable
from vlmlens.models import VLM
from vlmlens.progress import Progress

if TYPE_CHECKING:
    from vlmlens.diagnostics.probes import Seen

TESTS: dict[str, Test] = {
    module.TEST.name: module.TEST
    for module in (dependency, override, consistency, sensitivity, information, uncertainty, context)
}


def named(tests: str | Sequence[str] = "all") -> tuple[Test, ...]:
    """Tests by name, in the card's order; "all" of them. Raises ProbeError for a name that is none."""
    names = list(TESTS) if tests == "all" else [tests] if isinstance(tests, str) else list(tests)
    if unknown := [name for name in names if name not in TESTS]:
        raise ProbeError(f"There is no test “{unknown[0]}”; there are {', '.join(TESTS)}.")
    return tuple(test for name, test in TESTS.items() if name in names)


def needs(test: str, probe: ProbeSet) -> Supply:
    """What a test needs for the effect it looks for, and what this probe set has; known before anything runs."""
    row = named(test)[0]
    usable = row.usable(probe)
    return Supply(row.needs.items, usable, row.needs.pictures, len(probe.pictures), row.needs.effect)


def run(
    vlm: VLM,
    probe: ProbeSet,
    tests: str | Sequence[str] = "all",
    seed: int = 0,
    progress: Progress | None = None,
    answers: Answers | None = None,
) -> Scorecard:
    """The whole card.

    Args:
        tests: "all", or names; `dependency` is measured with any of them, because others mean nothing without it.
        seed: of donors, resamples and samples of items.
        answers: of an earlier run that was cancelled; it goes on from there, and adds to them.

    Raises:
        ProbeError: an unknown test, or options that the model can never say.
        Cancelled: by `progress`; `answers` hold what was asked until then.
    """
    *_, last = running(vlm, probe, tests, seed, progress, answers)
    return last


def running(
    vlm: VLM,
    probe: ProbeSet,
    tests: str | Sequence[str] = "all",
    seed: int = 0,
    progress: Progress | None = None,
    answers: Answers | None = None,
) -> Iterator[Scorecard]:
    """As `run`; yields the card after each test, and last with its diagnosis."""
    asked = named(tests)
    chosen = [test for test in TESTS.values() if test in asked or test is TESTS["dependency"]]
    if seed < 0:
        raise ProbeError(f"The seed is 0 or more, got {seed}.")
    kept = answers if answers is not None else Answers()
    owner = f"{vlm.name} {vlm.info.revision}: {', '.join(probe.vocabulary)}"
    if kept.kept and kept.owner != owner:
        raise ProbeError("The answers kept are of another model or other options; start without them.")
    kept.owner = owner
    runner = Runner(vlm, scoring(vlm, probe), probe.vocabulary, kept, progress)
    bench = Bench(vlm, probe, runner, seed)
    found: list[tuple[Test, Finding, Supply]] = []
    for number, test in enumerate(chosen):
        runner.doing = test.name
        runner.span = (number / (len(chosen) + 1), (number + 1) / (len(chosen) + 1))
        vacuous = test.relies and found[0][1].verdict != "PASS"
        finding = (
            cannot_say("The answer is not shown to depend on the picture, so this says nothing.", verdict="VACUOUS")
            if vacuous
            else test.measure(bench)
        )
        found.append((test, finding, needs(test.name, probe)))
        yield _card(bench, found)
    runner.doing, runner.span = "seen or not", (len(chosen) / (len(chosen) + 1), 1.0)
    card = _card(bench, found)
    yield replace(card, diagnosis=diagnose(bench, card.rows, _seen(bench)))


def _card(bench: Bench, found: Sequence[tuple[Test, Finding, Supply]]) -> Scorecard:
    probe = bench.probe
    how = bench.runner.scoring.how
    return Scorecard(bench.vlm.name, probe.ensemble, probe.weak, how, bench.seed, len(probe.pictures), weigh(found))


def _seen(bench: Bench) -> "Seen | None":
    from vlmlens.diagnostics.probes import seen  # scikit-learn takes seconds to import

    try:
        return seen(bench)
    except NotApplicable:
        return None  # the diagnosis is then made without it
