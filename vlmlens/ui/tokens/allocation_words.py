"""What the `?` of the Allocation view say."""

PAPER = "ARR-COC-0-1, by its description, which names the processes and their numbers and gives no formulas"

INFORMATION = (
    "Information: entropy",
    "How much a patch's features say: they are standardized over the width, softmaxed to p, and H = - sum p log2 p in "
    "bits (Shannon, 1948), at most 6 for 64 features. It is taken from the glance. *It cannot tell* what is said: even "
    "features have the most entropy, so plain ground may score above a thing. The table below says how well each score "
    "finds what is asked about.",
)
SALIENCE = (
    "Salience: distinctness",
    "The distance of a patch's features from the mean of its up to eight neighbors, in spreads: the root mean square "
    "distance of all patches from their mean (center against surround, after Itti, Koch and Niebur, PAMI 1998). Taken "
    "from the glance. *It cannot tell* whether anybody asked: it knows nothing of the question.",
)
COUPLING = (
    "Coupling: question to patch",
    "How the question's words share out their attention among the patches at the glance: each word's attention to the "
    "picture brought to sum 1, mean over words, heads and the layers where words look at patches. Where a wiring's "
    "words never do, the learned queries' or the readout's, and the map says so. *It cannot tell* what is used: "
    "attention is not use (see Inspect's causal check).",
)
BUDGET = (
    "Budget",
    "Relevance r from the scores, each brought to 0 to 1 by its least and most. Exploit-explore e: u = (1 - e)/2 "
    "coupling + (1 + e)/2 (information + salience)/2. Focus-diversify d: v = u - d x (mean of u over the neighbors), "
    "brought to 0 to 1. Compress-particularize p: r = softmax(8 (1 + p)/2 v). Tokens = min(maximum, minimum + level x "
    "r), the level such that they sum to the total, rounded by largest remainders: total, minimum and maximum hold "
    f"exactly. The three tensions are those of {PAPER}; the formulas are ours. *It cannot tell* whether the detail "
    "went to the right place; the measured comparison does.",
)
REDRAWN = (
    "Drawn again",
    "A patch with b tokens is told in floor(sqrt b) rows of samples, b / rows in each, rounded down: each sample the "
    "mean of its part, drawn back to 8 x 8 pixels. 64 tokens are every pixel. The model gets this picture and is "
    "otherwise untouched; it never learned on coarse pictures. Tokens between two levels are not used, in any of the "
    "pictures. *By chance*: the same budgets dealt to patches at random, 40 draws. *One picture cannot tell* whether "
    "allocation helps; the measured comparison is over 1,500.",
)
DESCRIBED = (
    "The described numbers",
    f"The five numbers are quoted from {PAPER}: K = 200 patches, 64 to 400 tokens each, 14,400 in all, 115,200 if "
    "uniform. All else is computed from them here. *It cannot tell* whether the description was carried out so.",
)
MEASURED = (
    "Accuracy at equal total",
    "Held-out scenes and questions, the same for every way; 95 % intervals by bootstrap over scenes. Differences are "
    "paired by item; those of the adapter also draw its training seeds anew, and Student's interval over seeds must "
    "agree before “better” or “worse” is said. *Random* and *shuffled* have the same budgets on other patches: what is "
    "better than they are knows where to look. *Truth* gives all free tokens to what is asked about, as a bound. *It "
    "cannot tell* what a model trained on such pictures would do.",
)
CELLS = (
    "K best cells of a loaded model",
    "The three scores of the model's own image tokens: entropy and distinctness of their features as they enter the "
    "decoder, and the question's attention to them, mean over words, heads and layers. The K most relevant cells share "
    "the described total within the described bounds; the others get none. A map only: this model reads every cell in "
    "one token, so nothing is drawn again and no answer follows from it.",
)
