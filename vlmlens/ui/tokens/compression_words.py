"""What stands behind each `?` of the Compression view."""

MEASURED = (
    "Accuracy by tokens kept",
    "The share of held-out lab questions that are answered rightly when the picture's 36 patches are told in so many "
    "tokens. Mean over training seeds; the interval is Student's t over seeds, never narrower than so many questions "
    "allow (Wilson, 1927). Each model begins at the shipped lab:concat of its seed; the encoders stay frozen, "
    "compressor, fusion and readout learn. One model serves all budgets: each step of training draws one (Matryoshka "
    "query transformers, Hu et al., 2024; M3, Cai et al., 2024). The dashed line is what the language prior gives to "
    "a model that never looks. *It cannot tell* what a model trained for one budget alone would reach (see the note "
    "below the table), nor how photographs fare: a patch of a lab scene holds little, and its neighbors tell the same.",
)
COST = (
    "What the tokens cost",
    "Multiply-adds of one question of five words. Attention: scores and mixing in the fusion's four layers, 2 layers "
    "(tokens + words)² width; it falls with the square. Everything: the whole fusion and the compressor itself, which "
    "sees all 36 patches whatever the budget, so that a dear compressor may cost more than it saves on so small a "
    "model. Encoders and readout are left out: they are the same for all. *It cannot tell* milliseconds.",
)
SURVIVES = (
    "What survives",
    "How much is told of each patch: the shares of all tokens, summed. A token's shares sum to one and say of which "
    "patches it tells: one-hot where patches are kept, even where they are averaged, the mean attention over heads "
    "where queries look (what a query reads of another query is left out). 1: told in a token of its own; 0: gone. "
    "*It cannot tell* what of a patch a token says, nor whether the answer used it; the encoder has also mixed some of "
    "each patch into its neighbors before.",
)
AWARE = (
    "Query-aware and query-blind",
    "A query-aware compressor reads the question before it decides, so that each question has a telling of its own. A "
    "query-blind one tells the same whatever is asked: one telling can be kept and serves every further question, and "
    "must hold what any of them may need. The overlap is the sum over patches of the smaller of both tellings' parts, "
    "1 for the same. *It cannot tell* which is better on one picture; the accuracies over many say that.",
)
KINDS = (
    "By kind of question",
    "The same held-out questions, by kind. Some kinds need all things at once (count), some exact places (where, "
    "relation), some one thing alone; which of them a compressor can spare is what this shows. The interval of a kind "
    "is wider: it has about a seventh of the questions.",
)
