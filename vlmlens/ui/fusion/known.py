"""What the gallery knows of all wirings: cards, costs, conditions; counted once, shared by all sessions."""

from vlmlens.information.claims import Measured
from vlmlens.information.measured import conditions
from vlmlens.lab.cards import cards
from vlmlens.lab.cost import cost
from vlmlens.lab.diagram import Diagram, diagram
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.weights import HOME, SEEDS, LabName, load_wiring
from vlmlens.progress import Progress
from vlmlens.ui.jobs import result

FAMILIES = ("early", "mid", "late")
NAMES = tuple(sorted(WIRINGS, key=lambda name: FAMILIES.index(WIRINGS[name].family)))


def measured() -> Measured:
    """Raises Pending while it is being counted, ModelError for a damaged card."""

    def work(progress: Progress) -> Measured:
        found = {name: cards(name) for name in NAMES}
        costs = {name: cost(LabModel(name)) for name in progress.over(NAMES, len(NAMES) + 1, "wiring")}
        progress.step(0.9, "how many held-out questions there are of each kind")
        for each in found.values():
            _ = each.by_question  # draws the questions once
        return Measured(found, costs, conditions())

    return result(("fusion", "measured", _stamp()), "Counting parameters and costs", work)


def drawn(wiring: str, seed: int | None) -> Diagram:
    """The diagram of a trained seed, or of the wiring untrained where there is none."""

    def work(_: Progress) -> Diagram:
        return diagram(LabModel(wiring) if seed is None else load_wiring(LabName(wiring, seed)))

    return result(("fusion", "diagram", wiring, seed, _stamp()), "Reading the modules", work)


def trained(wiring: str) -> tuple[int, ...]:
    """The seeds whose weights are here, measured or not."""
    return tuple(seed for seed in SEEDS if LabName(wiring, seed).path.exists())


def _stamp() -> float:
    """Changes when weights or cards do."""
    return max((file.stat().st_mtime for file in HOME.glob("*.*")), default=0.0)
