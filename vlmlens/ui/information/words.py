"""What stands behind each `?` of the Information page."""

ATOMS = (
    "Partial information decomposition",
    "What picture and words tell about the answer, in bits, split into what only the picture tells (**unique image**), "
    "only the words (**unique text**), either would tell (**redundant**), and only both together (**synergistic**). "
    "BROJA: over all Q with the same pair marginals Q(x1, y), Q(x2, y), the least I(Y; X1, X2) (Bertschinger et al., "
    "Entropy 16, 2014). Every solution is certified: an upper and a lower bound are at most 0.001 bit apart.",
)
PROBE = (
    "Representational PID",
    "X1 and X2: clusters (k-means on ten principal components) of the mean state over picture and over question "
    "positions at the reading point, fitted on every other item and applied to those between. Y: the model's answer. "
    "Whiskers: 95 % intervals, jackknife over tenths, Student's t. Grey: what shuffled answers would show. Tick: the "
    "plug-in estimate, which is too high. Where a source's unique part is no larger than what two equally good sources "
    "would show, its whisker begins at 0.\n\n*It cannot tell* what a few clusters lose, and **after a fusion layer the "
    "positions of one stream hold both**: image positions are then no longer the picture. After Amit et al., arXiv "
    "2511.19470.",
)
SHARE = (
    "Image share",
    "CI = unique image / (unique image + unique text). Shown only where the unique parts rise over what shuffled "
    "answers would show; without that rule the number is pulled to one half by chance alone.",
)
INTERVENTIONAL = (
    "Interventional PID",
    "X1: which picture, X2: which question, Y: the model's answer with its probabilities, over every pair of the "
    "ensemble. Exact: no clusters, no samples, so no interval. *It speaks only of the ensemble that it names*, and "
    "which questions are in it moves the shares more than most changes of the model. By layer: what a logit lens reads "
    "out after each layer.",
)
LENS = (
    "Logit lens",
    "The readout of the last layer applied to the states after an earlier one, as if the model ended there "
    "(nostalgebraist 2020). Early layers need not speak the readout's language: low bits there may mean *not readable "
    "yet* rather than *not there*.",
)
SHAP = (
    "MM-SHAP",
    "Shapley values of regions of the picture and words of the question for the answer's probability, by knock-out, "
    "over random orders (Parcalabescu and Frank, ACL 2023, who mask inputs). Text share: the words' part of the sum of "
    "absolute values. A second opinion that shares nothing with the PID.",
)
ABLATION = (
    "The ablation",
    "Dots: one trained model each, three seeds a wiring; grey: 95 % interval of their mean (Student's t). Upright "
    "lines: image shares published for RoBERTa + ViT on VQAv2 (arXiv 2511.19470). Another task, other encoders, "
    "another estimator: the order can be compared, the numbers cannot. *Rulers disagree*: choose what is measured and "
    "where.",
)
TRUST = (
    "Trying the estimator",
    "Samples are drawn from a distribution whose decomposition is known, as many and with as many clusters as you say, "
    "and estimated exactly as on the probe set. Line: truth. Dots: repetitions. Bias is the mean distance.",
)
PUBLISHED = (
    "The published protocol",
    "Token positions of one input as samples: the longer sequence is replaced by as many k-means centres as the "
    "shorter has tokens, rows are paired in that arbitrary order, each side is clustered into 10, and the table of "
    "labels is decomposed (as the public code of arXiv 2511.19470 has it; here solved exactly and in bits). The "
    "controls re-pair the rows at random, replace the picture by noise, or ask something else.",
)
