"""The fusion ablation over all shipped wirings and seeds, written to assets/information/ablation.json.

python benchmarks/ablation.py [kind ...]     # by default color, size, where; some minutes a kind
"""

import json
import sys
import time

import vlmlens
from vlmlens.information.ablation import PUBLISHED, Reading, ablate, order_probability
from vlmlens.lab.weights import HOME, SEEDS, LabName

OUT = HOME.parent / "information" / "ablation.json"


def main() -> None:
    kinds = sys.argv[1:] or ["color", "size", "where"]
    models = [str(LabName(wiring, seed)) for seed in SEEDS for wiring in PUBLISHED]
    readings: list[Reading] = []
    for kind in kinds:
        for reading in ablate(vlmlens.load, models, kind):
            if reading.kind == "any" and kind != kinds[0]:
                continue  # the same for every kind
            readings.append(reading)
            print(f"{reading.model} {reading.kind} {reading.ruler} {reading.point}: {reading.share:.3f}", flush=True)
    for ruler, kind, point in sorted({(r.ruler, r.kind, r.point) for r in readings}):
        rows = [r for r in readings if (r.ruler, r.kind, r.point) == (ruler, kind, point)]
        shares = {name: [r.share for r in rows if r.wiring == name] for name in PUBLISHED}
        means = ", ".join(f"{name} {sum(values) / len(values):.3f}" for name, values in shares.items())
        print(f"{ruler} · {kind} · {point}: {means}. {order_probability(shares).sentence()}")
    OUT.parent.mkdir(exist_ok=True)
    table = {
        "command": "python " + " ".join(["benchmarks/ablation.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "version": vlmlens.__version__,
        "readings": [reading.to_dict() for reading in readings],
    }
    OUT.write_text(json.dumps(table, indent=0, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
