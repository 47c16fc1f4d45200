"""Image to text: patches query the words."""

from vlmlens.lab.fusion.wiring import IMAGE, IMAGE_ASKS, Wiring

WIRING = Wiring(
    name="img2txt",
    family="mid",
    sentence="The picture looks at the words: only the image stream is reshaped, and the answer is read from it.",
    layers=((IMAGE,), (IMAGE_ASKS,), (IMAGE,), (IMAGE_ASKS,)),
    reads="image",
    known_as="grounding and segmentation by words: the image branch of GLIP (Li et al., 2022) and Grounding DINO",
    best_for="Answers that are places: the picture keeps its shape, and the words say what to look for.",
    cannot="Reason over words: the words are read as they come and never learn what was seen.",
    steps=1300,
)
