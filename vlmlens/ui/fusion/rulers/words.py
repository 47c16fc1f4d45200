"""What stands behind each `?` of the Rulers view: title and text."""

from vlmlens.rulers.ensemble import ITEMS, KIND, SCENES
from vlmlens.rulers.nature import ALIKE, FOLLOWS, LEVEL, MUCH, TIED

SIDE_BY_SIDE = (
    "Image share",
    "How much of an answer is the picture's, 0 to 1, by ten rulers over the same pictures and questions: "
    f"{SCENES} held-out scenes crossed with all questions for a {KIND}, {ITEMS} pairs of them one by one. A dot is the "
    "mean over training seeds, its whisker the 95 % interval of that mean (Student's t, wide with three seeds); with "
    "one seed, a bootstrap over pictures. Each `?` below the chart has a ruler's definition, formula and paper.\n\n"
    "*It cannot tell* which ruler is right: they answer different questions. The tables below say which.",
)
NATURE = (
    "Wiring or use",
    f"A ruler *varies with the wiring* where the means of wirings lie at least {MUCH:g} apart and such differences are "
    f"rarer than {LEVEL:g} were seeds dealt to wirings at random (permutation test), over the wirings whose answers "
    f"another picture changes alike (within {ALIKE:g} bit of the most). It *follows use* where, on both dials that "
    f"turn one model's use of the picture down, it goes along with the knock-out's effect in at least {FOLLOWS:g} "
    f"(Goodman and Kruskal's gamma: pairs that agree less pairs that do not, of those whose shares differ by {TIED:g} "
    "and by more than their intervals) and moves by "
    f"at least {MUCH:g}. “Made for” is what its definition says; “shows” is what these readings say.\n\n"
    "*It cannot tell* what it would say of larger models, nor of dials that act elsewhere than at the readout.",
)
TRUTH = (
    "Planted models",
    "Models whose right share is known because of how they were made. PASS: within the tolerance; FAIL: the whole "
    "interval lies beyond it; ~ INCONCLUSIVE otherwise; n/a where the ruler has no share, with the reason below.\n\n"
    "*It cannot tell* that a ruler that passes is right elsewhere. One that is made for wiring has no duty to pass.",
)
AGAINST = (
    "Ruler against effect",
    "Knock-out: nobody may read the picture's tokens; the change is the mean Jensen-Shannon divergence of the answers, "
    "in bits, or the fall of the answer's probability. Another picture: the mean divergence between the answers to two "
    "pictures of the ensemble. r is Spearman's; its interval, 2.5 to 97.5 % of draws of one seed a wiring.\n\n"
    "*It cannot tell* whether a share *should* be proportional to an effect: only whether both rank models alike.",
)
YOURS = (
    "Your own model on the chart",
    "The current model by the same rulers, live: what was found is drawn as it comes, and Stop keeps it. Over the "
    "lab's probe a model from elsewhere is shown the same scenes, drawn larger; over your own picture and question, "
    "whole-picture changes of the one and variants of the other. Then shares of other models on this chart were "
    "measured over another ensemble, and compare in kind only.",
)
