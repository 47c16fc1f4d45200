"""What stands behind each `?` of the Pruning view."""

from vlmlens.tokens.pruned import DRAWS

PAPER = "FastV (Chen et al., “An Image is Worth 1/2 Tokens After Layer 2”, ECCV 2024, arXiv 2403.06764)"

EFFECT = (
    "Pruning image tokens",
    f"{PAPER}: all tokens pass the first K layers; there the image tokens are ranked, and those of the lowest rank"
    " leave the sequence. Later layers are given shorter states, masks and keys, and those that stay keep their "
    "positions; nothing is trained. The probability is that of the full model's answer (its first token), in the "
    "pruned model. *It cannot tell* what other questions about the picture would lose: what leaves is chosen anew"
    " for each.",
)
STAYS = (
    "Who stays",
    "In color: what the decoder's later layers still read of the picture. Gray and hatched: cells whose tokens "
    "left after layer K. What lies outside a model's crop is drawn as it was. The vision tower has mixed patches "
    "by then: a token that stays also knows something of its neighbors. Where queries of a Q-Former stand "
    "between, a cell fades by the part of its reading that was done by queries that left. Coarse tokens of a "
    "whole picture (LLaVA-NeXT) are ranked as well but not drawn.",
)
CURVE = (
    "The answer by the share kept",
    "*attention*: ranked by what the answer's row pays to each token at layer K, mean over heads, as published; "
    "it has read the question. *received*: by the attention that each token gets from the picture's own, which is"
    f" blind to the question. *random*: mean of {DRAWS} draws, the band from the worst to the best. Better than "
    "chance: fewer than 1 in 20 of the draws, the ranking counted among them, do as well. *It cannot tell* of one"
    " picture and question how it is on others; the table of held-out questions below can, for the lab's model.",
)
COST = (
    "What is saved",
    "*Published formula*: 4nd² + 2n²d + 2ndm a layer, of n tokens, width d, inner width m of the perceptron; K "
    f"layers on all tokens, the rest without those that left ({PAPER}, section 4.2). It knows the decoder's layers"
    " alone. *Operations counted*: PyTorch's own counter over the same layers, with gated perceptrons, grouped "
    "keys and the ranking itself. *Clock*: full and pruned passes in turn, whole passes with the vision tower and"
    " all else; median of the ratios, interval by order statistics, 95 %. Small models are ruled by what does not"
    " shrink with the sequence. *It cannot tell* of answers of many tokens, whose later steps also read a shorter"
    " cache.",
)
ACCURACY = (
    "Accuracy by the share kept",
    "Held-out questions; bands 95 %: Wilson's, for chance a bootstrap over questions of the mean of its draws. A "
    "difference to chance is paired by question. *It cannot tell* of larger models: this one has 3 layers and 36 "
    "image tokens, on scenes where one cell often carries the answer.",
)
