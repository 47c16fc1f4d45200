"""What stands behind each `?` of the Diagnostics page."""

TESTS = {
    "dependency": (
        "Dependency",
        "Every item is asked again with up to 8 other pictures whose true answer is another. D: mean Jensen-Shannon "
        "divergence of the answers, in bits: JS(p, q) = H((p+q)/2) − (H(p)+H(q))/2. An item depends where D is above "
        "10 times the noise floor: what invisible noise and another batch change. *It cannot tell* whether the "
        "picture moves the answer towards the truth.",
    ),
    "override": (
        "Counterfactual override",
        "A hint at a wrong answer is put before or after the question. Among items answered rightly without it, "
        "where the text alone (over a blank picture) says otherwise: is the picture's answer still the more "
        "probable? Exact binomial test against one half, at least 69 items. After VLind-Bench (Lee et al., 2024). "
        "*It cannot tell* how the model weighs other kinds of text than this hint.",
    ),
    "consistency": (
        "Cross-modal consistency",
        "Of the variance of the answers' log odds over all pictures crossed with all questions, the share that no "
        "sum of a picture's part and a question's part makes (EMAP: Hessel and Lee, EMNLP 2020); and I(picture; "
        "question | answer) − I(picture; answer), bits. A blind model and one that merely adds both have none. *It "
        "cannot tell* whether what is read together is read rightly.",
    ),
    "sensitivity": (
        "Perturbation sensitivity",
        "How far the answer moves, in bits, when the place that carries it is hidden, minus the same for a random "
        "place of equal size; mean colour, blur and another picture's pixels must agree. Paired sign flips over "
        "pictures. A model that tells things from ground and no more can pass. *It cannot tell* what the model does on "
        "whole pictures: half-hidden ones are unlike any that it was trained on.",
    ),
    "information": (
        "Information contribution",
        "log2 p(true answer | picture, text) − log2 p(true answer | text), bits, against four stand-ins for “no "
        "picture”: the mean answer to other pictures, a blank one, noise, and its tokens knocked out. None is "
        "neutral, so all must agree. The donor mean alone could never say no, by convexity. *It cannot tell* "
        "anything without true answers.",
    ),
    "uncertainty": (
        "Uncertainty reduction",
        "Probability of the most probable answer with the picture minus without it, against blank, noise and "
        "knocked-out tokens; a loss of up to 0.02 is let pass. Means nothing where the answer does not depend on the "
        "picture: VACUOUS. *It cannot tell* whether being surer is being right; see information.",
    ),
    "context": (
        "Context growth",
        "Neutral filler of growing length is put before or after the question. Slope of the dependency relative to "
        "its value without filler, and slope of accuracy, each along the straight line from no filler to the most, "
        "with intervals over pictures. Share and rate of the answer's attention to the picture are shown and do not "
        "decide. *It cannot tell* how other text, or longer, would do.",
    ),
}

DIAGNOSIS = (
    "The words of the diagnosis",
    "*Language prior*: the answer stays with any picture. *Not seen*: a linear probe on the picture's features, "
    "fitted on other pictures, cannot tell the answer either. *Seen, ignored*: the probe can, and the answer does "
    "not follow. *Overruled*: follows the picture until the text objects. *Used*: follows the picture. Dependency, "
    "consistency, override, the probe, and whether the true answer comes more often with its own picture than with "
    "others decide. *It cannot tell* what a linear probe cannot read.",
)

CARD = (
    "How to read the card",
    "Dot: effect. Line: its 95 % interval, by drawing the pictures anew 2000 times. Dashed: the threshold; PASS lies "
    "right of it. **✓ PASS** and **✕ FAIL** are said only where the whole interval lies on one side, **~ "
    "INCONCLUSIVE** where it does not or where there are too few items, **○ VACUOUS** where the question makes no "
    "sense. *n*: items. *p*: one-sided, against the threshold. *q*: p among all tests of the card (Benjamini and "
    "Hochberg, 1995).",
)

VERSUS = (
    "Two cards",
    "Effect of the second minus the first. On the same probe set and seed the same pictures are drawn anew for both, "
    "so that what makes a picture hard for both cancels. An interval on one side of 0 is a difference.",
)

ITEMS = (
    "One word an item",
    "The same words as for the whole model, for each picture and question. *Moves*: mean divergence from the answers "
    "to other pictures, bits. *Without the picture*: the answer over a blank one.",
)
