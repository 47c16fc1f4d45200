"""What does aligning a Q-Former first buy? The two stages in small, every variant of the second, seed by seed.

python benchmarks/two_stages.py 0 1 2    # measure the seeds that are not in the results yet, and write them
python benchmarks/two_stages.py          # print what was measured last
"""

import argparse
import json
import platform
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch

import vlmlens
from vlmlens.lab.two_stages import Found, Schedule, run
from vlmlens.lab.two_stages_found import TARGET, sentence, summaries


def measure(seed: int, schedule: Schedule) -> dict[str, Any]:
    began, spent = time.monotonic(), time.process_time()
    found = Found(seed, {}, {}, {}, {}, {})
    for found in run(seed, schedule):
        done = found.curves.get(found.doing)
        last = {name: values[-1] for name, values in done.values.items()} if done else {}
        print(f"seed {seed}, {time.monotonic() - began:.0f} s: {found.doing} {last}", flush=True)
    return found.to_dict() | {"seconds_of_one_core": round(time.process_time() - spent)}


def write(runs: list[dict[str, Any]], schedule: Schedule) -> None:
    table = {
        "command": f"python benchmarks/two_stages.py {' '.join(str(each['seed']) for each in runs)}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
        },
        "device": "cpu, one thread",
        "schedule": asdict(schedule),
        "runs": runs,
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    part = TARGET.with_suffix(".part")
    part.write_text(json.dumps(table, indent=1) + "\n")
    part.replace(TARGET)


def kept(schedule: Schedule) -> list[dict[str, Any]]:
    """Runs of the same schedule that are there already."""
    if not TARGET.exists():
        return []
    table = json.loads(TARGET.read_text())
    return list(table["runs"]) if table["schedule"] == asdict(schedule) else []


def show() -> None:
    runs = [Found.from_dict(each) for each in json.loads(TARGET.read_text())["runs"]]
    print(sentence(runs))
    for row in summaries(runs):
        shares = ", ".join(f"{value:.3f}" for value in row.accuracies)
        print(f"| {row.variant} | {row.mean:.3f} | {row.low:.3f} to {row.high:.3f} | {shares} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seeds", nargs="*", type=int)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    schedule = Schedule()
    runs = kept(schedule)
    for seed in seeds:
        if seed not in {each["seed"] for each in runs}:
            runs = sorted([*runs, measure(seed, schedule)], key=lambda each: each["seed"])
            write(runs, schedule)
    show()


if __name__ == "__main__":
    main()
