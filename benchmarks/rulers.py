"""The picture's share of the same models by every ruler, and what knocking the picture out of them really does.

python benchmarks/rulers.py --measure                 # all trained, planted and graded models, written one by one
python benchmarks/rulers.py --measure --missing       # those that the results lack
python benchmarks/rulers.py --measure --models lab:concat planted:blind
python benchmarks/rulers.py                           # print what was measured last
"""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import vlmlens
from vlmlens.rulers import RULERS, Bench, measured
from vlmlens.rulers.ensemble import lab_ensemble
from vlmlens.rulers.subjects import Subject, subjects
from vlmlens.rulers.truth import TRUTHS, judge

TARGET = Path(__file__).resolve().parents[1] / "assets" / "rulers" / "measured.json"


def known() -> dict[str, Any]:
    """What was measured before, by the key of its subject."""
    rows = json.loads(TARGET.read_text())["rows"] if TARGET.exists() else []
    return {row["key"]: row for row in rows}


def row(subject: Subject) -> dict[str, Any]:
    began = time.perf_counter()
    ensemble = subject.ensemble()
    vlm = vlmlens.load(subject.model)
    bench = Bench(vlm, ensemble)
    *_, found = measured(bench)
    told = {
        "key": subject.key,
        "group": subject.group,
        "family": subject.family,
        "seed": subject.seed,
        "dial": subject.dial,
        **found.to_dict(),
    }
    if truth := TRUTHS.get(subject.model):
        expected = truth.expected(bench.found.table)
        verdicts = {name: judge(reading, expected, truth.tolerance) for name, reading in found.readings.items()}
        told["truth"] = {"expected": round(expected, 4), "tolerance": truth.tolerance, "verdicts": verdicts}
    return told | {"seconds": round(time.perf_counter() - began, 1), "date": f"{datetime.now(UTC):%Y-%m-%d}"}


def measure(wanted: Sequence[str], missing: bool) -> None:
    rows = known()
    for subject in subjects():
        if (wanted and subject.model not in wanted) or (missing and subject.key in rows):
            continue
        rows[subject.key] = row(subject)
        print(line(rows[subject.key]), flush=True)
        write(rows)


def write(rows: dict[str, Any]) -> None:
    order = {subject.key: place for place, subject in enumerate(subjects())}
    ensemble = lab_ensemble()
    found = {
        "command": "python benchmarks/rulers.py --measure",
        "date": max(row["date"] for row in rows.values()),
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
        },
        "device": "cpu, one thread",
        "ensemble": ensemble.words,
        "items": len(ensemble.items),
        "rows": sorted(rows.values(), key=lambda row: order.get(row["key"], len(order))),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=1) + "\n")


def line(row: dict[str, Any]) -> str:
    shares = ("n/a" if (r := row["readings"][name])["share"] is None else f"{r['share']:.2f}" for name in RULERS)
    return (
        "| " + " | ".join((row["key"], f"{row['effect']['knockout']:.2f}", *shares, f"{row['seconds']:.0f} s")) + " |"
    )


def show() -> None:
    """The shares as a Markdown table, the knock-out's effect in bits first."""
    print("| " + " | ".join(("model", "knock-out", *RULERS, "")) + " |")
    print("| --- " * (len(RULERS) + 3) + "|")
    print("\n".join(map(line, known().values())))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="measure and write")
    parser.add_argument("--missing", action="store_true", help="only what was not measured yet")
    parser.add_argument("--models", nargs="+", default=[], help="only these")
    asked = parser.parse_args()
    if asked.measure:
        torch.set_num_threads(1)
        measure(asked.models, asked.missing)
    show()


if __name__ == "__main__":
    main()
