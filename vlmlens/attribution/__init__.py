"""Where did it look? Every way to draw it, one row each, and how much each can be trusted.

found = explain("occlusion", Case(vlm, picture, question, trace))     # Map
checked = trust(case, found.cells())                                  # Trust: better than random maps?
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from vlmlens.attribution.case import PASSES, Case, Map, through
from vlmlens.errors import NotApplicable
from vlmlens.progress import Progress


@dataclass(frozen=True)
class Method:
    """One way to draw a map."""

    name: str
    sentence: str  # definition, paper, what it cannot tell
    where: str  # "module:function" below this package, imported when it is first used: Captum takes seconds
    contrasts: bool  # whether it can explain why one answer and not another
    spends: bool = False  # whether `Case.passes` bounds what it costs
    spread: bool = False  # whether it tells of tokens, whose share is then put on the cells that they show

    def compute(self, case: Case, progress: Progress) -> Map:
        from importlib import import_module

        module, _, function = self.where.partition(":")
        found: Callable[[Case, Progress], Map] = getattr(import_module(f"{__name__}.{module}"), function)
        return found(case, progress)


METHODS = {
    method.name: method
    for method in (
        Method(
            "raw",
            "The answering row's attention to each patch. *It cannot tell* whether what was attended to mattered.",
            "from_attention:raw",
            False,
            spread=True,
        ),
        Method(
            "sink-removed",
            "Raw attention without patches whose states are outliers (Kang et al., ICLR 2025): they soak up attention "
            "whatever they show.",
            "from_attention:sink_removed",
            False,
            spread=True,
        ),
        Method(
            "relative",
            "Raw attention divided by that under a neutral question (Zhang et al., ICLR 2025): what this question "
            "makes the model look at.",
            "from_attention:relative_map",
            False,
            spread=True,
        ),
        Method(
            "contrastive",
            "Attention of a late layer less that of an early fusion layer, each renormalised over the picture (Song et "
            "al., arXiv 2601.08151).",
            "from_attention:contrastive",
            False,
            spread=True,
        ),
        Method(
            "rollout",
            "Attention multiplied through all layers, half of each step staying where it is (Abnar and Zuidema, ACL "
            "2020). *It cannot tell* one question's answer from another's.",
            "from_attention:rollout_map",
            False,
            spread=True,
        ),
        Method(
            "value-weighted",
            "Norm of what each patch wrote into the answering row: attention times value, projected (Kobayashi et al., "
            "EMNLP 2020, eq. 3).",
            "from_attention:value_weighted",
            False,
            spread=True,
        ),
        Method(
            "chefer",
            "Attention weighted by the answer's positive gradient and carried through all layers (Chefer et al., ICCV "
            "2021).",
            "chefer:chefer",
            True,
            spread=True,
        ),
        Method(
            "lens",
            "The word the model reads at each patch if it ended at this layer and read that patch alone "
            "(nostalgebraist, 2020). The model was never trained to.",
            "lens:lens_map",
            True,
        ),
        Method(
            "gradcam",
            "Where the channels of the image tokens that favour the answer are active (Selvaraju et al., ICCV 2017).",
            "gradcam:gradcam",
            True,
        ),
        Method(
            "gradient x activation",
            "First-order share of each image token in the answer's log-odds.",
            "gradient_activation:gradient_activation",
            True,
        ),
        Method(
            "integrated gradients",
            "Gradients by the pixels along the way from a plain picture (Sundararajan et al., ICML 2017); they add up "
            "to the whole change.",
            "integrated_gradients:integrated_gradients",
            True,
        ),
        Method(
            "ablation",
            "Each patch in turn filled with the mean colour: how much the answer falls. *It cannot see* what two "
            "patches carry both.",
            "ablation:ablation",
            True,
            True,
        ),
        Method(
            "occlusion",
            "A window of two by two patches, filled with the mean colour, slides over the picture (Zeiler and Fergus, "
            "ECCV 2014).",
            "occlusion:occlusion",
            True,
            True,
        ),
        Method(
            "shapley",
            "Each region's mean effect over random orders in which regions are filled (Castro et al., 2009); sampled, "
            "so it has noise.",
            "shapley:shapley",
            True,
            True,
        ),
        Method(
            "kernel shap",
            "Shapley values by a weighted regression over random subsets of regions (Lundberg and Lee, NeurIPS 2017).",
            "kernel_shap:kernel_shap",
            True,
            True,
        ),
    )
}


def explain(name: str, case: Case, progress: Progress | None = None) -> Map:
    """The map of one method.

    Raises:
        NotApplicable: an unknown method, one that has no meaning on this model, or one that compares no answers.
    """
    if name not in METHODS:
        raise NotApplicable(f"There is no map called {name}; there are {', '.join(METHODS)}.")
    if case.against is not None and not METHODS[name].contrasts:
        raise NotApplicable(f"“{name}” does not know the answer, so it cannot say why one and not another.")
    if not case.trace.grid.cells:
        raise NotApplicable(f"It is not known where on the picture the image tokens of {case.vlm.name} lie: no map.")
    found = METHODS[name].compute(case, progress or Progress())
    told = through(case.trace) if METHODS[name].spread else ""
    return found if told in found.note else replace(found, note=f"{found.note} {told}".strip())


__all__ = ["METHODS", "PASSES", "Case", "Map", "Method", "explain"]
