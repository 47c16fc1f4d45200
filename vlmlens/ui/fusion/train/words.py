"""What stands behind each `?` of the Train view."""

LOSS = (
    "Loss",
    "Cross-entropy of the right answer, in nats: minus the logarithm of the probability that the model gave it, mean "
    "over the questions of a step, without what remedies add. The dashed line is an even guess over all answers.\n\n"
    "*It cannot tell* whether the model looks: learning how often each answer comes lowers it, too.",
)
ACCURACY = (
    "Held-out accuracy",
    "The part of the questions of the validation split that it answers rightly; their scenes are never practiced, all "
    "kinds come evenly, and the prior is that of the shipped models, whatever is practiced here. Bands: 95 % (Wilson "
    "1927). **Empty board**: the same questions with nothing to see. **Never looking**: what the prior allows to a "
    "model without eyes.\n\n*It cannot tell* whether the right picture was used for the right reason: see Diagnostics.",
)
SHARE = (
    "Image share, by two rulers",
    "**Behavior**: how far the answers move (Jensen-Shannon divergence, bits) when the picture is another item's, "
    "over that and the same for the question. **Gradient x input** (Shrikumar et al., arXiv 1605.01713): the picture's "
    "part of the absolute contributions to the answer's logit at what enters the fusion.\n\n*They need not agree*: "
    "the first follows data and questions, the second how the model is wired. Where the picture is only read through a "
    "layer norm, as in txt2img and gated, the second is near 0 whatever the picture does: to scale what a norm takes "
    "in changes nothing that comes out. Points without interval: 64 items.",
)
GATES = (
    "Gates",
    "The size of the tanh of a learned number that begins at zero and multiplies what a gated layer writes (Flamingo, "
    "Alayrac et al., arXiv 2204.14198, section 2.2). At 0 the layer does nothing: the model is the text-only one.\n\n"
    "*It cannot tell* how much a layer does: what it writes may be large behind a gate that is hardly open.",
)
GRADIENTS = (
    "Norms of the gradient",
    "Of one step's loss, by group of parameters, before clipping; the scale is logarithmic. Frozen parts have none. "
    "The last cross-attention is the last layer in which one stream looks at another: where its norm vanishes, what "
    "joins picture and words has stopped learning.\n\n*It cannot tell* how far a step goes: that also takes the rate, "
    "and AdamW divides by past gradients.",
)
TIME = (
    "Time, an estimate",
    "Seconds a step of earlier runs on this machine with the same wiring, tokens, width and questions a step, or else "
    "of a few steps tried now. Other work on the machine makes it longer.",
)
TRAINED = (
    "What is trained",
    "Parameters whose rate is above 0, of all parameters of the model, encoders included. Frozen encoders keep what "
    "they learnt from naming what each patch shows and what each word means.",
)
