"""Training a wiring by a plan: one loop, one seed, deterministic; runs that survive whatever ends them."""

from vlmlens.lab.training.plan import Plan, PlanError

__all__ = ["Plan", "PlanError"]
