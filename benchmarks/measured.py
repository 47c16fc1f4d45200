"""Write docs/measured.md from the cards beside the weights, so that no figure there is typed by hand."""

import json
from pathlib import Path
from typing import Any

from vlmlens.lab.weights import HOME, LabName
from vlmlens.models import lab_models

TARGET = Path(__file__).resolve().parents[1] / "docs" / "measured.md"

HEAD = """# What the lab models measure

Written by `benchmarks/measured.py` from the cards in `assets/lab`; `vlmlens train --card` measures them anew.

## Accuracy

2000 held-out questions a model (test split, seed 0, language prior 0.3), 95 % Wilson intervals. *Blind*: an empty
board in place of the picture; the prior allows {ceiling:.3f} to a model that never looks. *Never seen*: accuracy on
1000 questions about colour-shape pairs that no training scene showed; small models do not compose well. Training times
are on one thread of a two-core machine that was busy with other work; `lab:gated`, `lab:gated@2`, `lab:perceiver@2`,
`lab:late@2` and `lab:contrastive@2` had a core to themselves, where 1400 steps of `lab:concat` or `lab:bidirectional`,
the dearest, take 6.5 to 7.6 minutes (by 600 of them).

"""

CAUSAL = """
## Causal check

300 held-out questions a model (test split, seed 1): the hottest window of a map (2 x 2 of 36 cells) is hidden, and the
same window at every other place that does not touch it. Means over questions of the answer's probability; *difference*
is elsewhere minus hidden with its 95 % bootstrap interval over questions; *mattered* is the share of questions with
that verdict; *on target* the share of windows that touch a thing the question speaks of. Seed 0 of each model;
*shown first* is the layer that the app opens on (the most concentrated map).

"""


def main() -> None:
    names = [LabName.parse(model.name) for model in lab_models(every_seed=True) if model.present]
    cards = {str(name): json.loads(name.card.read_text()) for name in names}
    kinds = list(next(iter(cards.values()))["held_out"]["by_question"])
    lines = [HEAD.format(ceiling=next(iter(cards.values()))["held_out"]["blind_ceiling"])]
    lines.append(row(["model", "accuracy", *kinds, "blind", "never seen", "steps", "minutes"]))
    lines.append(row(["---"] * (len(kinds) + 6)))
    for name, card in cards.items():
        held_out = card["held_out"]
        low, high = held_out["accuracy_interval"]
        novel = card["never_seen_pairs"]["accuracy"]
        lines.append(
            row(
                [
                    f"`{name}`",
                    f"{held_out['accuracy']:.3f} [{low:.3f}, {high:.3f}]",
                    *(f"{held_out['by_question'][kind]:.3f}" for kind in kinds),
                    f"{held_out['accuracy_blind']:.3f}",
                    f"{novel:.3f}",
                    card["steps"],
                    f"{card['seconds'] / 60:.1f}",
                ]
            )
        )
    lines.append(CAUSAL)
    lines.append(
        row(["model", "map of", "before", "hidden", "elsewhere", "difference", "mattered", "inconclusive", "on target"])
    )
    lines.append(row(["---"] * 9))
    for name, card in cards.items():
        if "@" not in name:
            lines += [causal_row(name, place) for place in card["causal_check_over_300_questions"]]
    total = sum(file.stat().st_size for file in HOME.rglob("*.safetensors"))
    lines.append(f"\nAll weights together: {total / 1e6:.1f} MB.\n")
    TARGET.write_text("".join(line if line.endswith("\n\n") else line + "\n" for line in lines))
    print(f"wrote {TARGET.name}")


def causal_row(name: str, place: dict[str, Any]) -> str:
    low, high = place["difference"]
    return row(
        [
            f"`{name}`",
            place["place"],
            f"{place['before']:.2f}",
            f"{place['after']:.2f}",
            f"{place['elsewhere']:.2f}",
            f"{place['elsewhere'] - place['after']:.2f} [{low:.2f}, {high:.2f}]",
            f"{place['mattered']:.2f}",
            f"{place['inconclusive']:.2f}",
            f"{place['on_target']:.2f}",
        ]
    )


def row(cells: list[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
