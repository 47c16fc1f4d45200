"""What stands behind each `?` of Gallery, Side by side and Ablation."""

DIAGRAM = (
    "The diagram",
    "Read from one forward pass, from no table: whatever module calls attention is one, and the gradient of what it "
    "was given tells which positions its queries and keys are. An arrow runs from the stream that is read to the one "
    "that reads, in the color of the first: picture orange, words blue, latents (learned queries) yellow. Dotted: what "
    "a stream carries on by itself. Hover for heads, sizes and gates.\n\n*It cannot tell* how much is read; see the "
    "maps and the contribution.",
)
COST = (
    "Parameters and cost",
    "*Trained*: the share of parameters that training moves while both encoders are frozen. *Multiply-adds*: counted "
    "from the modules that ran and the shapes that they met, for one picture and one question of five words: linear "
    "maps, convolutions, both products of attention. Norms, softmax and activations are left out, as is usual; a FLOP "
    "count is twice this.\n\n*It cannot tell* the time: small products leave a processor waiting. Measure that here.",
)
ACCURACY = (
    "Accuracy over training seeds",
    "Mean over seeds on 2000 held-out questions, with a 95 % interval: Student's t over seeds, never narrower than "
    "what so many questions allow (Wilson, 1927); of one seed Wilson's alone. Dashed: 97 %. *Blind*: an empty board in "
    "place of the picture.\n\n*It cannot tell* how the wiring does on anything but this small world.",
)
LITERATURE = (
    "What is said, and what was measured",
    "What the literature says that a wiring cannot do, as something that can be looked up here: kinds of question it "
    "should fail (confirmed where the whole interval lies below 97 %, contradicted where all of them lie above), a "
    "count against the median of the other wirings, or accuracy early in training.\n\n*It cannot tell* what holds for "
    "large models: a claim that fails here may be true there, and the other way round.",
)
BITS = (
    "Bits, and the image share",
    "Partial information decomposition (BROJA): what only the picture tells of the answer, only the words, either, and "
    "only both together. *Interventional*: exact, over crossed scenes and questions. *Representational*: of clusters "
    "of the states, where picture and words are read. Image share = unique image / (unique image + unique text); by "
    "*behavior* it is the picture's part of how far answers move.\n\n*Rulers disagree*; see Ablation and Rulers.",
)
CURVE = (
    "Training curve",
    "Cross-entropy in nats while training. Seeds: the shipped weights, the loss of one batch every 100 steps, from "
    "their cards (those trained before cards kept it have none). run: runs on this machine, mean of 20 steps.",
)
OPENING = (
    "Gates over training",
    "How far the gate of attention stood open, |tanh| of a number that begins at 0, every 100 steps while the shipped "
    "weights were trained; of the seeds whose cards kept it.",
)
GATES = (
    "Gates",
    "The tanh of a learned number that begins at 0 multiplies what cross-attention and the feed-forward behind it "
    "write (Flamingo, Alayrac et al., 2022). 0: as if the layer were not there. 1: wide open; the sign says nothing "
    "by itself.",
)
BUDGETS = (
    "Two budgets, one ruler",
    "Both charts have the same axes. Where picture and words compete in one softmax in both models, shares of "
    "attention compare. Where they do not in one of them, a share would be 0 or 1 by construction; then both are shown "
    "by their contribution: how much of what attention wrote came from each segment (Kobayashi et al., EMNLP 2020).",
)
MAPS = (
    "The same map for two models",
    "Raw attention tells where a model looked, in units of its own; gradient and occlusion maps tell what its answer "
    "depends on, in the same unit for every wiring. One cursor marks the same place on both.",
)
DIFFER = (
    "Do the wirings differ?",
    "The largest difference between the means of two wirings, with Tukey's 95 % interval over training seeds, which "
    "allows for having looked for the largest of all pairs. *Differ*: the interval lies above 0. *Alike*: it lies "
    "below .05. *Cannot say* otherwise, and where fewer than two wirings have two seeds. The behavioral image share is "
    "the picture's part of how far answers move (Jensen-Shannon, bits) when the picture, or the question, is "
    "another's; n/a where neither moves them by 0.02 bits.",
)
PUBLISHED = (
    "Against the published ablation",
    "Amit et al. (arXiv 2511.19470), RoBERTa + ViT on VQAv2, image / text share in percent: image to text 55.3 / 44.7, "
    "text to image 38.5 / 61.5, concatenation 45.6 / 54.4, bidirectional 54.7 / 45.3. Between the two farthest apart, "
    "image to text and text to image, lie .168. Here the same difference by every ruler, with Welch's 95 % interval "
    "over seeds. *Confirmed*: the interval holds .168 and not 0. *Same direction*: above 0, another size. "
    "*Contradicted*: it does not hold .168, and 0 or less is in it.\n\n*It cannot tell* which is right of large "
    "models: the task, the sizes and the clusters differ.",
)
