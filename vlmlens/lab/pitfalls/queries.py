"""More queries: a wiring that reads the picture through learned queries gets more of them."""

from dataclasses import replace

from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.pitfalls.remedy import Remedy
from vlmlens.lab.training.plan import Plan, PlanError

MOST = 64


def plan(asked: Plan, strength: float) -> Plan:
    """(1 + strength) times as many latents, at most MOST. Raises PlanError where the wiring has none."""
    usual = WIRINGS[asked.wiring].latents
    if not usual:
        having = ", ".join(name for name, wiring in WIRINGS.items() if wiring.latents)
        raise PlanError(f"{asked.wiring} has no learned queries of which it could have more; {having} have.")
    before = asked.latents or usual
    return replace(asked, latents=min(MOST, round((1 + strength) * before)))


REMEDY = Remedy(
    name="more queries",
    sentence="So many more learned queries than the wiring has: 1 doubles them.",
    against="attention collapse, a picture that does not fit through few queries",
    low=0.0,
    high=7.0,
    default=1.0,
    plan=plan,
)
