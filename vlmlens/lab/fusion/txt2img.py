"""Text to image: words query the patches."""

from vlmlens.lab.fusion.wiring import QUESTION, QUESTION_ASKS, Wiring

WIRING = Wiring(
    name="txt2img",
    family="mid",
    sentence="The words look at the picture: only the question stream is reshaped, and the answer is read from it.",
    layers=((QUESTION,), (QUESTION_ASKS,), (QUESTION,), (QUESTION_ASKS,)),
    reads="question",
    known_as="ALBEF (Li et al., 2021), BLIP (Li et al., 2022), Llama 3.2 Vision",
    best_for="Long texts over one picture: patches are read and never updated, so they cost little and can be kept.",
    cannot="Relate patches to each other after fusion: what the vision encoder left apart stays apart.",
    steps=3000,
)
