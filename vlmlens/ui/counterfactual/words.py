"""What stands behind each `?` of this page."""

DIFFERENCE = (
    "Before and after",
    "Both runs are of one model. *Bits apart*: the Jensen-Shannon divergence of the two answer distributions, 0 for "
    "equal and 1 for disjoint ones. *Noise floor*: the largest change of the answer's probability when the picture "
    "changes by at most one grey level, or stands elsewhere in a batch; a change within it says nothing. *It cannot "
    "tell* why: a changed picture may be unlike any that the model has seen. Compare with a change of the same size "
    "elsewhere.",
)
DOSE = (
    "Dose and response",
    "One change at 21 strengths, the others as they are. A vertical step is a threshold, a slope a gradual cause. "
    "*It cannot tell* strengths of two kinds of change apart: 0.5 of a blur is not 0.5 of noise.",
)
SMALLEST = (
    "The smallest change that flips",
    "Greedy: fill the patch that lowers the answer the most, again and again until the answer is another; then put "
    "back what can be spared. *Control*: how many patches in random order it takes. A search that needs about as many "
    "as chance has found nothing special. A smaller set may exist: greedy search does not promise the smallest.",
)
PATCHING = (
    "Activation patching",
    "States of the run before are put into the run after, one layer and one group of positions at a time; 1 where "
    "that brings the whole answer back, 0 where it changes nothing (Vig et al., NeurIPS 2020; Meng et al., NeurIPS "
    "2022; Zhang and Nanda, ICLR 2024). *Restore* shows what suffices, *break* what is needed. *It cannot tell* "
    "what a patch does together with another.",
)
EFFECTS = (
    "Words and parts of the picture",
    "Each is hidden alone, by knock-out of its tokens; drawn is how much the answer's log-odds fall, in nats. *It "
    "cannot tell* what two parts do together, nor what the encoder had already mixed into neighbours.",
)
LOOKS = (
    "Where it looks",
    "Attention of the row that the answer is read from to each patch, head mean. In the difference red is where the "
    "model looks more after the change, blue where it looks less. *It cannot tell* whether looking mattered.",
)
TRAY = (
    "Kept runs",
    "Numbers of runs, not their pictures: answers and budgets. They stay on this server under the number in the "
    "link (tray=…) until it is stopped or has 200 newer trays; a file that you export is yours.",
)
