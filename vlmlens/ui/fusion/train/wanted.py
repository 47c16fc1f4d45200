"""What the form of the Train view asks for, as values that survive a page change and that a link can carry."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import streamlit as st

from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.pitfalls import REMEDIES
from vlmlens.lab.positions import POSITIONS
from vlmlens.lab.questions import KINDS
from vlmlens.lab.training import Plan, PlanError
from vlmlens.ui.request import address

QUICK, FULL = "Quick", "Full"
SUGGESTED = "gated"  # one sees its gates open
SIDES = (1, 2, 3, 6)
LATENTS = (1, 2, 4, 8, 16, 32)
MOST = 10**9  # a number in a link beyond this is none; what a plan allows is told by the plan
AS_IT_SAYS = 0  # of latents: as many as the wiring has

# What the fields of a plan are called in the form; an error names them so.
LABELS: Mapping[str, str] = {
    "steps": "Steps",
    "seed": "Seed",
    "width": "Width",
    "side": "Image tokens a side",
    "latents": "Latents",
    "positions": "Positions",
    "prior": "Prior strength",
    "batch": "Questions a step",
    "pool": "Pool of questions",
    "rate_new": "Rate of new layers",
    "rate_projection": "Rate of projections",
    "rate_pretrained": "Rate of pretrained encoders",
    "warm_up": "Warm-up",
    "decay": "Weight decay",
    "clip": "Clip gradients at",
    "mix": "The mix",
}


def recipe(name: str, wiring: str) -> dict[str, Any]:
    """The fields in which the two recipes differ."""
    if name == FULL:
        return {"steps": WIRINGS[wiring].steps, "pool": 60_000, "batch": 256}
    return {"steps": 300, "pool": 8_000, "batch": 128}


def _defaults() -> dict[str, Any]:
    plan = {field.name: field.default for field in fields(Plan) if field.name in LABELS and field.name != "mix"}
    return {
        "recipe": QUICK,
        "wiring": SUGGESTED,
        **plan,
        **recipe(QUICK, SUGGESTED),
        "latents": AS_IT_SAYS,
        "remedies": [],
        **{f"mix-{kind}": 1.0 for kind in KINDS},
        **{f"strength-{name}": remedy.default for name, remedy in REMEDIES.items()},
    }


CHOICES: Mapping[str, tuple[Any, ...]] = {
    "recipe": (QUICK, FULL),
    "wiring": tuple(WIRINGS),
    "positions": tuple(POSITIONS),
    "side": SIDES,
    "latents": (AS_IT_SAYS, *LATENTS),
}


def key(name: str) -> str:
    """Of the widget and in the address."""
    return f"train-{name}"


def restore() -> None:
    """In a new session, from the address; on coming back from another page, what the widgets said before."""
    state = st.session_state
    if "train-begun" not in state:
        state["train-begun"] = True
        _from_address()
    for name, default in _defaults().items():
        mine = key(name)
        state[mine] = state[f"kept-{mine}"] = state.get(mine, state.get(f"kept-{mine}", default))


def _from_address() -> None:
    """What cannot be used is left as it would be without a link. The recipe first: single fields go before it."""
    told = st.query_params
    asked = {name: told.get_all(key(name)) for name in _defaults() if key(name) in told}
    defaults = _defaults()
    read = {name: _read(name, asked[name], defaults[name]) for name in asked}
    read = {name: value for name, value in read.items() if value is not None}
    if {"recipe", "wiring"} & set(read):
        read = recipe(read.get("recipe", QUICK), read.get("wiring", SUGGESTED)) | read
    for name, value in read.items():
        st.session_state[key(name)] = value


def _ends(name: str) -> tuple[float, float]:
    """Of a slider; a number that is typed may be anything, and the plan says what is wrong with it."""
    if name == "prior":
        return 0.0, 1.0
    if name.startswith("strength-"):
        remedy = REMEDIES[name.removeprefix("strength-")]
        return remedy.low, remedy.high
    return -MOST, MOST


def _read(name: str, told: list[str], default: Any) -> Any:
    """A value from the address, or None for what is none."""
    if isinstance(default, list):
        return [one for one in told if one in REMEDIES]
    try:
        value = type(default)(told[0])
    except ValueError:
        return None
    low, high = _ends(name)
    if isinstance(value, int | float) and not low <= value <= high:  # not-a-number, either
        return None
    return value if value in CHOICES.get(name, (value,)) else None


def remember() -> None:
    """Write what differs from the recipe into the address, so that the link restores the form."""
    now = {name: st.session_state[key(name)] for name in _defaults()}
    usual = _defaults() | recipe(now["recipe"], now["wiring"])
    for name, default in usual.items():
        value = now[name]
        told = [] if value == default or value is None else [*value] if isinstance(value, list) else [f"{value}"]
        address({key(name): told})


def take_recipe() -> None:
    """For the widgets of recipe and wiring: the fields of the recipe follow them."""
    state = st.session_state
    for name, value in recipe(state[key("recipe")], state[key("wiring")]).items():
        state[key(name)] = value


def plan() -> Plan:
    """The plan that the form describes. Raises PlanError, which names the field as the form does."""
    now = {name: st.session_state[key(name)] for name in _defaults()}
    empty = [name for name, value in now.items() if value is None]
    if empty:
        raise PlanError(f"{LABELS.get(empty[0], empty[0])} is empty; type a number.")
    odds = {kind: float(now[f"mix-{kind}"]) for kind in KINDS}
    even = len(set(odds.values())) == 1 and max(odds.values()) > 0
    latents = now["latents"] if WIRINGS[now["wiring"]].latents else AS_IT_SAYS
    names = [field.name for field in fields(Plan) if field.name in now and field.name not in ("latents", "remedies")]
    wanted = Plan(
        **{name: now[name] for name in names},
        latents=latents or None,
        mix={} if even else odds,
        remedies=tuple((name, float(now[f"strength-{name}"])) for name in now["remedies"]),
    )
    try:
        return wanted.check()
    except PlanError as error:
        field, _, rest = str(error).partition(" ")
        raise PlanError(f"{LABELS[field]} {rest}" if field in LABELS else str(error)) from error
