"""Pitfalls of a run under way: what its curve alone can tell, before there is a model to ask.

for name, finding in of_curve(run.curve()): ...
"""

from collections.abc import Callable, Iterator

from vlmlens.lab.training.curve import Curve
from vlmlens.lab.training.watch import Measured
from vlmlens.pitfalls.finding import Finding, judged, not_applicable
from vlmlens.pitfalls.gates import SHUT
from vlmlens.pitfalls.gradients import LEAST

MARGIN = 0.05  # of the accuracy


def of_curve(curve: Curve) -> Iterator[tuple[str, Finding]]:
    """What the run's last measurement says of each pitfall that a curve shows."""
    for name, find in CURVES.items():
        yield name, find(curve.measured[-1][1]) if curve.measured else not_applicable("Nothing has been measured yet.")


def ignored(measured: Measured) -> Finding:
    """Held-out accuracy with the picture against the same with an empty board.

    The interval is that of a difference of two independent shares; asked of the same items they differ less.
    """
    gain = measured.accuracy - measured.blind
    (low, high), (low_blind, high_blind) = measured.interval, measured.blind_interval
    below = ((measured.accuracy - low) ** 2 + (high_blind - measured.blind) ** 2) ** 0.5
    above = ((high - measured.accuracy) ** 2 + (measured.blind - low_blind) ** 2) ** 0.5
    ends = gain - below, gain + above
    return Finding(
        judged(ends, MARGIN, ill_above=False),
        f"With its picture the model is right in {measured.accuracy:.0%}, over an empty board in {measured.blind:.0%}: "
        f"a gain of {gain:+.0%} (95 % interval {ends[0]:+.0%} to {ends[1]:+.0%}).",
        gain,
        ends,
        measured.n,
    )


def vanishing(measured: Measured) -> Finding:
    """Norm of the gradient at the last cross-attention against that of all new layers."""
    if measured.last_cross is None:
        return not_applicable("In this wiring no stream looks at another.")
    ratio = measured.last_cross / max(measured.gradients.get("new", 0.0), 1e-30)
    return Finding(
        "found" if ratio < LEAST else "not found",
        f"The gradient at the last cross-attention is {ratio:.2g} of that of all new layers.",
        ratio,
        n=1,
    )


def shut(measured: Measured) -> Finding:
    """The gates of attention by layer; what comes through them only the model itself shows."""
    gates = [abs(pair[0]) for pair in measured.gates if pair is not None]
    if not gates:
        return not_applicable("This wiring has no gates.")
    told = ", ".join(f"{gate:.3g}" for gate in gates)
    return Finding(
        "not found" if min(gates) >= SHUT else "cannot tell",
        f"The gates of attention stand at {told}; below {SHUT:g} it depends on what comes through.",
        min(gates),
        n=1,
    )


CURVES: dict[str, Callable[[Measured], Finding]] = {
    "vision ignored": ignored,
    "vanishing gradients": vanishing,
    "dead gates": shut,
}
