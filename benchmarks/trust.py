"""Does the badge of a map say what it should? True objects should be better than random, random maps should not.

    python benchmarks/trust.py lab:concat 100

Held-out lab questions about one thing (its color, shape, size or place) that the model answers rightly. For each, the
map that marks the thing's patches and nothing else; a random map, half of them smooth; and the verdict on both. Told
apart: questions whose answer hangs on the thing, as its probability at least halves when the scene is drawn without it.
Where it does not (a guess that happens to be right), no map can show what the answer hangs on.
"""

import sys

import numpy as np
from scipy.ndimage import gaussian_filter

import vlmlens
from vlmlens.attribution import Case
from vlmlens.attribution.faithfulness import trust
from vlmlens.attribution.ground_truth import relevant_cells
from vlmlens.lab.evaluate import wilson
from vlmlens.lab.sample import items
from vlmlens.lab.scenes import Scene

KINDS = ("color", "shape", "size", "where")


def random_map(shape: tuple[int, int], smooth: bool, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=shape)
    return (gaussian_filter(noise, 1.0, mode="wrap") if smooth else noise).ravel()


def main(model: str, count: int) -> None:
    vlm, rng = vlmlens.load(model), np.random.default_rng(0)
    found: dict[str, list[str]] = {"true object": [], "random map": []}
    hangs: list[bool] = []
    for item in items("test", 12, kinds=KINDS):
        trace = vlm.inspect(item.scene, item.question.text)
        if trace.answer != item.answer:
            continue
        number, best = len(hangs), trace.answers[0]
        (cell,) = item.question.relevant(item.scene)
        without = Scene(tuple(thing for thing in item.scene.things if thing.cell != cell), item.scene.noise_seed)
        left = vlm.probabilities([without], [item.question.text])[0, best.candidate]
        hangs.append(bool(left <= best.probability / 2))
        case = Case(vlm, item.scene, item.question.text, trace, seed=number)
        found["true object"].append(trust(case, relevant_cells(item.question, item.scene, trace.grid)).verdict)
        found["random map"].append(trust(case, random_map(trace.grid.shape, number % 2 == 0, rng)).verdict)
        if number + 1 in (10, 20, 50, count):
            report(f"{model}, {number + 1} questions", found)
            kept = {name: [v for v, hang in zip(vs, hangs, strict=True) if hang] for name, vs in found.items()}
            report(f"  of these, {sum(hangs)} whose answer hangs on the thing", kept)
        if number + 1 == count:
            return


def report(title: str, found: dict[str, list[str]]) -> None:
    print(title)
    for name, verdicts in found.items():
        better, unsure = verdicts.count("better than random"), verdicts.count("inconclusive")
        low, high = wilson(better, len(verdicts))
        print(f"  {name}: better than random {better} ({low:.0%} to {high:.0%}), inconclusive {unsure}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "lab:concat", int(sys.argv[2]) if len(sys.argv) > 2 else 100)
