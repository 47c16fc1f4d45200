"""A higher rate for new layers: fusion and readout learn faster than what was there before."""

from dataclasses import replace

from vlmlens.lab.pitfalls.remedy import Remedy
from vlmlens.lab.training.plan import Plan


def plan(asked: Plan, strength: float) -> Plan:
    """(1 + strength) times the rate of fusion and readout, at most 1."""
    return replace(asked, rate_new=min(1.0, (1 + strength) * asked.rate_new))


REMEDY = Remedy(
    name="higher rate",
    sentence="Fusion and readout learn at a higher rate than projections and encoders: 2 triples it.",
    against="dead gates, vanishing gradients at cross-attention",
    low=0.0,
    high=19.0,
    default=2.0,
    plan=plan,
)
