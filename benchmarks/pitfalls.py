"""Are the detectors right, and do the remedies do what they are for?

python benchmarks/pitfalls.py detectors             # 20 ill and 20 healthy cases each, of seeds 200 to 219
python benchmarks/pitfalls.py detectors --first 0   # seeds that were looked at while writing; prints, writes nothing
python benchmarks/pitfalls.py remedies              # small runs with and without; goes on where it was ended
python benchmarks/pitfalls.py show                  # print what was measured last
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import vlmlens
from vlmlens.lab.pitfalls.effects import EXPERIMENTS, run
from vlmlens.pitfalls import DETECTORS, Evidence, found
from vlmlens.pitfalls.planted import plant

HOME = Path(__file__).resolve().parents[1] / "assets" / "pitfalls"
UNSEEN, CASES = 200, 20
SEEDS = (0, 1, 2)


def about(command: str) -> dict[str, Any]:
    return {
        "command": f"python benchmarks/pitfalls.py {command}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
            "numpy": np.__version__,
        },
        "device": "cpu, one thread",
    }


def cases(first: int) -> Iterator[dict[str, Any]]:
    for name, detector in DETECTORS.items():
        for ill in (True, False):
            for seed in range(first, first + CASES):
                case = plant(name, seed, ill)
                finding = found(detector, Evidence(case.vlm, case.probe, seed))
                told = finding.to_dict()
                wanted = "found" if ill else "not found"
                yield {
                    "detector": name,
                    "seed": seed,
                    "ill": ill,
                    "planted": case.told,
                    "right": told["verdict"] == wanted,
                } | {key: _short(value) for key, value in told.items() if key != "sentence"}


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def detectors(first: int) -> None:
    rows = []
    for row in cases(first):
        rows.append(row)
        if not row["right"]:
            print(f"wrong: {row}", flush=True)
    if first == UNSEEN:
        HOME.mkdir(parents=True, exist_ok=True)
        whole = about("detectors") | {"first": first, "cases": CASES, "rows": rows}
        (HOME / "detectors.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    print(counted(rows))


def counted(rows: list[dict[str, Any]]) -> str:
    lines = ["| detector | ill, found | healthy, not found | cannot tell |", "| --- | --- | --- | --- |"]
    for name in DETECTORS:
        own = [row for row in rows if row["detector"] == name]
        ill, healthy = ([row for row in own if row["ill"] is wanted] for wanted in (True, False))
        right = (f"{sum(row['right'] for row in part)} of {len(part)}" for part in (ill, healthy))
        unsure = sum(row["verdict"] == "cannot tell" for row in own)
        lines.append(f"| {name} | {' | '.join(right)} | {unsure} |")
    return "\n".join(lines)


def remedies(minutes: float) -> None:
    target = HOME / "remedies.json"
    HOME.mkdir(parents=True, exist_ok=True)
    kept: list[dict[str, Any]] = json.loads(target.read_text())["runs"] if target.exists() else []
    began = time.monotonic()
    for seed in SEEDS:
        for name, experiment in EXPERIMENTS.items():
            for treated in (False, True):
                plan = json.loads(json.dumps(experiment.arm(treated, seed).to_dict()))
                same = next((row for row in kept if row["plan"] == plan), None)
                if same is None:
                    if time.monotonic() - began > 60 * minutes:
                        print("out of time; run again to go on")
                        return
                    start = time.process_time()
                    figures = {key: _short(value) for key, value in run(experiment, treated, seed).items()}
                    figures = {key: value for key, value in figures.items() if value == value}
                    same = {"plan": plan, "figures": figures, "seconds": round(time.process_time() - start, 1)}
                    kept.append(same)
                    write(target, kept)
                print(name, "with" if treated else "without", seed, same["figures"], same["seconds"], flush=True)


def write(target: Path, kept: list[dict[str, Any]]) -> None:
    rows = []
    for name, experiment in EXPERIMENTS.items():
        for treated in (False, True):
            for seed in SEEDS:
                plan = json.loads(json.dumps(experiment.arm(treated, seed).to_dict()))
                same = next((row for row in kept if row["plan"] == plan), None)
                if same is not None:
                    rows.append({"remedy": name, "treated": treated, "seed": seed, **same["figures"]})
    tried = {
        name: {k: v for k, v in asdict(e).items() if k not in ("plan", "against")} for name, e in EXPERIMENTS.items()
    }
    whole = about("remedies") | {"experiments": tried, "rows": rows, "runs": kept}
    target.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def show() -> None:
    print(counted(json.loads((HOME / "detectors.json").read_text())["rows"]))
    for row in json.loads((HOME / "remedies.json").read_text())["rows"]:
        print(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("detectors", "remedies", "show"))
    parser.add_argument("--first", type=int, default=UNSEEN, help="the first of the seeds")
    parser.add_argument("--minutes", type=float, default=30, help="after which no new run is begun")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.what == "detectors":
        detectors(asked.first)
    elif asked.what == "remedies":
        remedies(asked.minutes)
    else:
        show()


if __name__ == "__main__":
    main()
