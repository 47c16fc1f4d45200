"""How often the intervals of `information.estimate` hold the truth: known problems, drawn again and again.

python benchmarks/intervals.py [repetitions]      # 200 take about a quarter of an hour on one core
"""

import sys
import time

import numpy as np

from vlmlens.information import TRUTHS, decompose
from vlmlens.information.estimate import TERMS, of_samples
from vlmlens.information.samples import Samples
from vlmlens.information.truths import STATES

SIZES = (500, 1000, 2000, 5000, 10_000)
ROUNDING = 1e-3  # bits: the tolerance of the estimator's solutions


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    began = time.monotonic()
    print(f"k = {STATES}, {STATES} answers; {repetitions} repetitions; coverage in %, mean value and width in bits")
    print("| truth | n | term | true | value | width | covered | told from none |\n|---|---|---|---|---|---|---|---|")
    for name, truth in TRUTHS.items():
        joint = truth.joint(STATES)
        exact = decompose(joint, 1e-9)
        for n in SIZES:
            rng = np.random.default_rng([n, len(name)])
            found = []
            for _ in range(repetitions):
                cells = rng.choice(joint.size, n, p=joint.ravel())
                found.append(of_samples(Samples.of(*np.unravel_index(cells, joint.shape))))
            if all(term.status == "refused" for term in found[0].terms):
                print(f"| {name} | {n} | | | | | refused | |", flush=True)
                continue
            for term in TERMS:
                rows = [estimate[term] for estimate in found]
                if rows[0].status == "refused":
                    continue
                true = getattr(exact, term)
                held = np.mean([row.low - ROUNDING <= true <= row.high + ROUNDING for row in rows])
                value, width = np.mean([row.value for row in rows]), np.mean([row.high - row.low for row in rows])
                clear = np.mean([row.clear for row in rows])
                mark = " (bracket)" if rows[0].status == "bracket" else ""
                print(
                    f"| {name} | {n} | {term} | {true:.3f} | {value:.3f} | {width:.3f} | {100 * held:.0f}{mark} "
                    f"| {100 * clear:.0f} |",
                    flush=True,
                )
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
