"""Tables whose decomposition is known: what unique, redundant and synergistic mean, and a truth to test against.

    gate("XOR", noise=0.1)              # joint[x1, x2, y], probabilities
    mixture({"AND": 0.5, "RDN": 0.5})

A gate is one row of `GATES`.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from vlmlens.information.solver import InformationError


@dataclass(frozen=True)
class Gate:
    """Inputs that are drawn evenly from `inputs`, and the output of each."""

    sentence: str
    output: Callable[[int, int], Hashable]
    truth: tuple[float, float, float, float]  # U1, U2, R, S in bits
    inputs: tuple[tuple[int, int], ...] = ((0, 0), (0, 1), (1, 0), (1, 1))


# Truths: Bertschinger et al. 2014, section 5; AND's is 3/4 log2(4/3) shared, half a bit only together.
AND_SHARED = 0.75 * float(np.log2(4 / 3))
GATES: dict[str, Gate] = {
    "AND": Gate("Both must be on.", lambda a, b: a & b, (0.0, 0.0, AND_SHARED, 0.5)),
    "XOR": Gate("One or the other, not both: neither says anything alone.", lambda a, b: a ^ b, (0.0, 0.0, 0.0, 1.0)),
    "COPY": Gate("The output repeats both inputs.", lambda a, b: (a, b), (1.0, 1.0, 0.0, 0.0)),
    "UNQ": Gate("The output repeats the first input.", lambda a, b: a, (1.0, 0.0, 0.0, 0.0)),
    "RDN": Gate("Both inputs are one and the same.", lambda a, b: a, (0.0, 0.0, 1.0, 0.0), ((0, 0), (1, 1))),
}


def gate(name: str, noise: float = 0.0) -> np.ndarray:
    """The table of a gate, [x1, x2, y]; with probability `noise` the output is drawn evenly instead.

    Raises:
        InformationError: no such gate, or a noise outside 0 to 1.
    """
    if name not in GATES:
        raise InformationError(f"There is no gate {name}; there are {', '.join(GATES)}.")
    if not 0 <= noise <= 1:
        raise InformationError(f"noise: a probability is needed, 0 to 1, got {noise}.")
    chosen = GATES[name]
    outputs = list(dict.fromkeys(chosen.output(*pair) for pair in chosen.inputs))
    table = np.zeros((2, 2, len(outputs)))
    for pair in chosen.inputs:
        table[pair] += noise / len(outputs)
        table[(*pair, outputs.index(chosen.output(*pair)))] += 1 - noise
    return table / len(chosen.inputs)


def mixture(weights: Mapping[str, float]) -> np.ndarray:
    """Gates of two outputs ("AND", "XOR", "UNQ", "RDN") side by side: each is used as often as its weight says.

    Raises:
        InformationError: weights that are negative or sum to nothing, or a gate of another size.
    """
    total = float(sum(weights.values()))
    if min(weights.values(), default=-1.0) < 0 or total <= 0:
        raise InformationError(f"weights: not negative, and at least one above 0, got {dict(weights)}.")
    tables = {name: gate(name) for name in weights}
    if wide := [name for name, table in tables.items() if table.shape != (2, 2, 2)]:
        raise InformationError(f"{wide[0]} has more than two outputs and cannot be mixed with the others.")
    return np.sum([weight / total * tables[name] for name, weight in weights.items()], axis=0)
