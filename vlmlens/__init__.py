"""Did the model look at the picture, where, at which layer, and did looking change the answer?

    vlm = vlmlens.load("lab:concat")
    trace = vlm.inspect("picture.png", "what color is the circle?")
    vlmlens.attention.budget(trace).to_frame()

Names are imported when they are first used: torch takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlmlens import attention, attribution, counterfactual, diagnostics, information, models, perturb
    from vlmlens.models import list_models, load
    from vlmlens.trace import Knockout, Replace, Trace, Watch, open_trace

__version__ = "0.1.0"

_HOMES = {
    "load": "vlmlens.models",
    "list_models": "vlmlens.models",
    "open_trace": "vlmlens.trace",
    "Trace": "vlmlens.trace",
    "Watch": "vlmlens.trace",
    "Knockout": "vlmlens.trace",
    "Replace": "vlmlens.trace",
}

_PACKAGES = ("attention", "attribution", "counterfactual", "diagnostics", "information", "models", "perturb")

__all__ = [
    "Knockout",
    "Replace",
    "Trace",
    "Watch",
    "__version__",
    "attention",
    "attribution",
    "counterfactual",
    "diagnostics",
    "information",
    "list_models",
    "load",
    "models",
    "open_trace",
    "perturb",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"vlmlens.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"vlmlens has no {name!r}")
