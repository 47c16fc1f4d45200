"""What stands behind each `?` of the Pitfalls view."""

DETECTORS = {
    "attention collapse": (
        "Attention collapse",
        "For every site and item: the key that takes the most of the row where it takes least, min over rows of "
        "A[row, key], in the head where that is smallest. The mean over 12 items, with a 95 % bootstrap interval, "
        "against .9. Zhai et al. (ICML 2023) call the same a collapse of attention's entropy. *It cannot tell* "
        "whether the one key is the right one; a row with fewer than three keys is left out.",
    ),
    "vision ignored": (
        "Vision ignored",
        "log2 p(true answer) with the own picture minus its mean with every other picture of the probe set, bits a "
        "question (an answer held impossible costs 10 bits at most); 95 % bootstrap over pictures against .05 bit. "
        "Goyal et al. (CVPR 2017) on why words alone go so far. *It cannot tell* a model that ignores the picture "
        "from one that reads it and answers no better for it; the Diagnostics page can.",
    ),
    "vanishing gradients": (
        "Vanishing gradients",
        "Root mean square of the loss's gradient over the weight matrices of the attention that joins picture and "
        "words, divided by that over all other matrices of fusion and readout; and at its first layer divided by its "
        "last. The smaller of both, geometric mean over 6 batches with a 95 % bootstrap interval, against 1e-4. "
        "Biases and gates are left out: the loss reaches them even where nothing comes through. He et al. (CVPR 2016) "
        "on skips. *It cannot tell* whether the gradient points anywhere useful.",
    ),
    "dead gates": (
        "Dead gates",
        "A gate multiplies what attention writes by the tanh of a learned number that begins at 0 (Alayrac et al., "
        "NeurIPS 2022, section 2.2). Dead: |tanh| below .01, and for no item and no row what it lets through reaches "
        "1 % of the norm of the stream that it is added to. *It cannot tell* whether what an open gate lets in is of "
        "use.",
    ),
    "sinks": (
        "Sinks",
        "A key that takes more than five times its even share (or more than half, where keys are few) in most rows, "
        "while the answer moves by less than .02 bit (Jensen-Shannon) when its value is set to zero and its attention "
        "left as it is: cutting its edges would hand its share to others, and that would be felt. Xiao et al. (ICLR "
        "2024), Kang et al. (ICLR 2025). *It cannot tell* whether the sink does harm; models that learn one often "
        "need a place for attention with nothing to say.",
    ),
    "collapsed vision encoder": (
        "Collapsed vision encoder",
        "Mean cosine of two pictures' features, all patches side by side, with a 95 % bootstrap interval over "
        "pictures, against .98; beside it the participation ratio, (sum of eigenvalues)² / sum of squared eigenvalues "
        "of their covariance: over how many dimensions what differs is spread. Jing et al. (ICLR 2022). *It cannot "
        "tell* whether what differs is what is asked about. Of models from elsewhere these are the states that enter "
        "the first layer.",
    ),
}
VERDICTS = {  # a shape, a word and a color: never color alone
    "found": ("✕", "Found", "red"),
    "not found": ("✓", "Not found", "green"),
    "cannot tell": ("~", "Cannot tell", "gray"),
    "n/a": ("○", "n/a", "gray"),
}
MEASURED = (
    "How the detectors were tried",
    "Each detector was given 20 models in which its pitfall was planted and 20 in which it was not, by seeds that "
    "nobody had looked at while it was written: shipped and untrained wirings, changed in one way, each far from the "
    "threshold. *It cannot tell* how often a detector errs near its threshold: there it is to say that it cannot "
    "tell.",
)
REMEDIES = (
    "What each remedy moves",
    "Two small runs for each of three training seeds, alike but for the remedy: the difference of the quantity that "
    "the remedy is for, and of the held-out accuracy. Mean over seeds with a 95 % interval (paired, Student's t). “No "
    "change” where the interval holds 0: with three seeds only a large and steady effect shows. *It cannot tell* what "
    "the remedy does at another size, strength or length of training.",
)
