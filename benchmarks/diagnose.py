"""Does the card call every planted model by its name, and how often does it cry out falsely?

    python -m benchmarks.diagnose cards     20 seeds x 8 planted models, full size
    python -m benchmarks.diagnose alarms    200 small probe sets: a blind model, and one that uses the picture
    python -m benchmarks.diagnose lab       the trained lab models, three seeds of probe sets
    python -m benchmarks.diagnose speed     the runner against one pair after the other; a full card on lab:concat
    python -m benchmarks.diagnose page      docs/diagnostics.md from what was measured

Everything is kept in assets/diagnostics/*.json after every card, and goes on from there. One thread.
"""

import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

import vlmlens
from vlmlens.diagnostics import TESTS, Scorecard, lab_probe, running
from vlmlens.diagnostics.crossed import Answers, Runner
from vlmlens.diagnostics.scoring import scoring
from vlmlens.lab.draw import render
from vlmlens.lab.planted import PLANTED
from vlmlens.models import VLM

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "assets" / "diagnostics"
PAGE = ROOT / "docs" / "diagnostics.md"
SEEDS = 20
RUNS = 200
TRIES = 3
ALARM_SIZE = 32, 8  # scenes and questions of each of the many runs
LEVEL = 0.05
UNSEEN = 14  # seeds from here on were not looked at while the planted models were made
LAB = ("lab:img2txt", "lab:txt2img", "lab:concat", "lab:bidirectional", "lab:llava")
USED, BLIND = "lab:concat", "planted:blind"
FIRST_SIX = tuple(TESTS)[:6]


def measured(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def card_of(vlm: VLM, seed: int, size: tuple[int, int], tests: tuple[str, ...]) -> Scorecard:
    """The card, with its diagnosis where all tests are asked for."""
    for card in running(vlm, lab_probe(seed, *size), tests, seed):
        if len(card.rows) == len(tests) < len(TESTS):
            break
    return card


def cards(
    name: str,
    models: list[str],
    seeds: int,
    size: tuple[int, int] = (64, 16),
    tests: tuple[str, ...] = tuple(TESTS),
) -> None:
    """Every model with every seed that is not there yet, seed by seed."""
    found = measured(name)
    FOLDER.mkdir(parents=True, exist_ok=True)
    loaded = {}
    for seed in range(seeds):
        for model in models:
            if f"{model} {seed}" in found:
                continue
            loaded[model] = loaded.get(model) or vlmlens.load(model)
            began = time.perf_counter()
            card = card_of(loaded[model], seed, size, tests)
            found[f"{model} {seed}"] = {
                "model": model,
                "seed": seed,
                "seconds": round(time.perf_counter() - began, 1),
                "diagnosis": card.diagnosis.name if card.diagnosis else None,
                "tests": {
                    row.name: [row.verdict, *(None if v != v else round(v, 4) for v in (row.effect, *row.interval))]
                    for row in card.rows
                },
            }
            (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=0) + "\n")
            print(model, seed, found[f"{model} {seed}"]["seconds"], "s", flush=True)


def speed() -> None:
    """The same numbers, and how much sooner; medians of interleaved runs."""
    probe = lab_probe(0, 32, 16)
    pairs = [(picture, question) for picture in probe.pictures for question in probe.questions]
    for name in ("lab:llava", "lab:concat"):
        vlm = vlmlens.load(name)
        rule = scoring(vlm, probe)
        ours, plain = [], []
        apart = 0.0
        for _ in range(TRIES):
            began = time.perf_counter()
            runner = Runner(vlm, rule, probe.vocabulary, Answers())
            found = runner.mass([p for p, _ in pairs], [q for _, q in pairs])
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            alone = [rule.mass(vlm.run(vlm.prepare(render(p), q), None)[0])[0] for p, q in pairs]  # type: ignore[arg-type]
            plain.append(time.perf_counter() - began)
            apart = max(apart, float(np.abs(np.exp(found) - np.exp(alone)).max()))
        fast, slow = statistics.median(ours), statistics.median(plain)
        print(f"{name}, 32 x 16: {fast:.2f} s, one by one {slow:.2f} s, {slow / fast:.1f} x; at most {apart:.1e} apart")
    vlm = vlmlens.load("lab:concat")
    began = time.perf_counter()
    card_of(vlm, 0, (64, 16), tuple(TESTS))
    print(f"a full card on lab:concat, 64 x 16: {time.perf_counter() - began:.1f} s")


def verdict_table(found: dict[str, Any]) -> list[str]:
    """Models x tests: how often each verdict was the expected one, and what else it was."""
    lines = ["| model | " + " | ".join(TESTS) + " | diagnosis |", "|---" * (len(TESTS) + 2) + "|"]
    right = total = opposite = 0
    unseen: Counter[bool] = Counter()
    for row in PLANTED.values():
        runs = [one for one in found.values() if one["model"] == f"planted:{row.name}"]
        if not runs:
            continue
        entries = []
        for test in TESTS:
            expected = row.truth[test][0]
            counts = Counter(one["tests"][test][0] for one in runs)
            right, total = right + counts[expected], total + len(runs)
            unseen.update(one["tests"][test][0] == expected for one in runs if one["seed"] >= UNSEEN)
            other = ", ".join(f"{verdict} {count}" for verdict, count in counts.items() if verdict != expected)
            opposite += counts[{"PASS": "FAIL", "FAIL": "PASS"}.get(expected, "")]
            entries.append(f"{expected} {counts[expected]}/{len(runs)}" + (f" ({other})" if other else ""))
        names = Counter(one["diagnosis"] for one in runs)
        told = ", ".join(f"{name} {count}" for name, count in names.most_common())
        lines.append(f"| {row.name} | " + " | ".join(entries) + f" | {told} |")
    lines += [
        "",
        f"{right} of {total} cells are as expected ({right / max(1, total):.1%}), {opposite} are the opposite. What "
        f"some of the models add to the words was set while looking at seeds below {UNSEEN}; from there on "
        f"{unseen[True]} of {unseen.total()} cells are as expected.",
    ]
    return lines


def alarm_table(found: dict[str, Any]) -> list[str]:
    lines = ["| test | blind: PASS | uses the picture: FAIL |", "|---|---|---|"]
    for test in FIRST_SIX:
        entries = []
        for model, alarm in ((BLIND, "PASS"), (USED, "FAIL")):
            runs = [one for one in found.values() if one["model"] == model]
            entries.append(f"{sum(one['tests'][test][0] == alarm for one in runs)} of {len(runs)}")
        lines.append(f"| {test} | {entries[0]} | {entries[1]} |")
    return lines


def lab_table(found: dict[str, Any]) -> list[str]:
    lines = ["| model | " + " | ".join(TESTS) + " | diagnosis |", "|---" * (len(TESTS) + 2) + "|"]
    for one in found.values():
        entries = []
        for test in TESTS:
            verdict, effect, low, high = one["tests"][test]
            entries.append(verdict if effect is None else f"{verdict} {effect:.2f} ({low:.2f} to {high:.2f})")
        lines.append(f"| {one['model']}, seed {one['seed']} | " + " | ".join(entries) + f" | {one['diagnosis']} |")
    return lines


def lab_story(found: dict[str, Any]) -> str:
    """What the lab models' cards say, with their own numbers."""

    def span(test: str, only: str = "", without: str = "") -> str:
        names = [one for one in found.values() if only in one["model"] and not (without and without in one["model"])]
        effects = [one["tests"][test][1] for one in names]
        return f"{min(effects):.2f} to {max(effects):.2f}"

    verdicts = {test: Counter(one["tests"][test][0] for one in found.values()) for test in TESTS}
    alike = [test for test, counts in verdicts.items() if len(counts) == 1]
    return (
        f"All five use the picture: another one moves the answer by {span('dependency')} bit, and it adds "
        f"{span('information')} bits to the true answer. How they are wired decides no verdict: {', '.join(alike)} "
        "come out the same for all. Where a hint objects, the picture's answer wins "
        f"{span('override', without='llava')} of the items on the four wirings and {span('override', only='llava')} "
        "on lab:llava. All fail context: from no filler to the most that they can read (five words on the wirings), "
        f"the dependency changes by {span('context')} of itself. They were trained on bare questions; "
        "a word that is no part of one is off their data, and the test sees just that."
    )


def page() -> None:
    thresholds = [f"- **{test.name}**: {test.question} {test.threshold}" for test in TESTS.values()]
    scenes, questions = ALARM_SIZE
    PAGE.write_text(
        "\n".join(
            [
                "# The seven diagnostics, tried on models whose behaviour is known",
                "",
                "Made by `python -m benchmarks.diagnose`; definitions are in [definitions.md](definitions.md).",
                "",
                *thresholds,
                "",
                f"## Planted models, {SEEDS} seeds, 64 scenes x 16 questions",
                "",
                "How often each verdict was the expected one; in brackets what else it was.",
                "",
                *verdict_table(measured("cards")),
                "",
                f"## False alarms, {RUNS} runs of {scenes} scenes x {questions} questions",
                "",
                f"A blind model must not pass, {USED} must not fail, more often than {LEVEL:.0%}.",
                "",
                *alarm_table(measured("alarms")),
                "",
                "## The trained lab models",
                "",
                lab_story(measured("lab")),
                "",
                *lab_table(measured("lab")),
                "",
            ]
        )
    )


def main() -> None:
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["cards"]:
            cards("cards", [f"planted:{name}" for name in PLANTED], SEEDS)
        case ["alarms"]:
            cards("alarms", [BLIND, USED], RUNS, ALARM_SIZE, FIRST_SIX)
        case ["lab"]:
            cards("lab", list(LAB), 3)
        case ["speed"]:
            speed()
        case ["page"]:
            page()
        case _:
            print(__doc__)


if __name__ == "__main__":
    main()
