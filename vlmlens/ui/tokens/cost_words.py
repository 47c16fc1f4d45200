"""The `?` of the Cost view: what each number means, its formula, where it is from, what it cannot tell."""

COST = (
    "What one pass costs",
    """Counted from the shapes of the parts, no estimate; a multiply-add is two operations (FLOP), as torch counts
them.

With $n$ tokens, width $d$, $a$ heads of width $h$, $k$ of them for keys, MLP width $m$, per layer: projections
$2nd(2ah + 2kh)$; scores and mixing $4n^2ah$; MLP $6ndm$ ($4ndm$ without a gate). The head is computed for the last
position alone. The vision tower and the connector are counted the same way, over the patches of all tiles.

Tests hold every row against torch's own counter on the real classes (to 1 %).

*It cannot tell* time or energy: memory traffic, softmax, norms and activations are left out. Attention is counted
over all pairs, as most kernels are counted; one that skips what the causal mask hides does up to half of that part.
A window is counted like full attention, for the same reason. Words that InstructBLIP's Q-Former reads are left out.""",
)

TOKENS = (
    "Image tokens",
    """How many places of the decoder's sequence the picture takes, by the family's own rule: the same number that
its processor writes (tests compare 50 sizes a family). Signs around a picture and between its tiles are text; add
them to the text where you count them. In Llama 3.2 Vision the picture stands beside the sequence: its tokens are
keys that some layers look at.

*It cannot tell* how much of the picture these tokens carry, or how many of them the answer needs: see Compression
and Pruning.""",
)

PAIRS = (
    "Pairs of tokens",
    """What is often called attention operations: a query and a key meet, once for all heads. $L n^2$ for $L$
layers; in layers that look at a picture beside the sequence, text tokens times keys. It is the only part that grows
with the square of the length.""",
)

CACHE = (
    "Keys and values",
    """What has to stay in memory while the answer is written: a key and a value a token, layer and key head, in the
chosen precision; $2 L n k h$ numbers. Windowed layers keep no more than their window. Tests compare it with the
real cache.

*It cannot tell* what the weights take, or what a pass holds at its fullest; the model picker's card does.""",
)

TIME = (
    "Seconds on this machine",
    """Operations divided by the rate at which this machine multiplied square matrices just now: median, and the
middle half of the repetitions.

*It cannot tell* the time of a real pass, and is a lower bound of it: reading weights and cache from memory,
softmax, norms, activations, the first pass's warm-up and other work on this machine are left out. Every further
token of an answer is decided by memory, not by this rate.""",
)

BUDGETS = (
    "Budgets of image tokens",
    """The same picture and text, and the decoder given so many image tokens in place of the family's own count. The
vision tower works as before; what makes the tokens fewer is not counted.

The lab's accuracy beside it is **scaled**: measured on lab scenes of 36 patches, by the chosen compressor, where it
keeps the same share of them (64 of 576 as 4 of 36). It is shown where the lab measured a share within 15 %.

*It cannot tell* how well the real model would answer: its pictures, questions and training are others.""",
)

EXAMPLE = (
    "The worked example",
    """Pairs a layer are the square of the sequence's length, times the layers. Beside them stand all operations of
a decoder of that many layers (LLaVA-1.5 7B): most of them are maps of single tokens, which shrink with the length
and not with its square.""",
)

RATIOS = (
    "Published ratios, worked out again",
    """Tokens before divided by tokens after. *Agrees*: the ratio as it is usually told is within 5 % of that.
*Cannot say*: one of the numbers is told as "so many or more".

*It cannot tell* what is lost: a token after is not as wide as one before, and was trained for other things.""",
)

QUOTED = (
    "Quoted counts against the rule",
    """What is often told of a model, and what its own rule makes of a picture of that size; the rule is tested
against the real processor.""",
)
