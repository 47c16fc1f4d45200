"""What stands behind each `?` of the Positions view, and what was published."""

from vlmlens.lab.positions.reach import DRAWS

__all__ = ["DRAWS", "FITTED", "FREQUENCIES", "LEARNED", "LITERATURE", "LOOKED", "MEASURED", "REACH"]

REACH = (
    "Score by distance",
    "Query and key are turned by the encoding; pair p of a head by its position times its frequency (Su et al., 2021, "
    "eq. 34). Here query and key are the same random vector q, a token that looks for its like: q . R(d) q / |q|^2, "
    f"the mean and the middle 90 % of {DRAWS} draws. For query and key drawn apart the mean is 0 at every distance. "
    "*It cannot tell* what a trained model attends to: its weights choose which pairs to use. That is measured below.",
)
LEARNED = (
    "Learned places",
    "The cosine between the vectors that lab:concat learned for two patches, over all pairs of patches with this "
    "distance: mean, smallest and largest. Each place has a vector of its own, so the cosine is not bound to depend on "
    "distance alone, as the spread shows. *It cannot tell* what attention makes of these vectors.",
)
FREQUENCIES = (
    "Frequencies by axis",
    "A pair with frequency f is back where it was after 2 pi / f patches. Fast pairs tell neighbors apart and repeat "
    "soon; slow pairs change little from one patch to the next and span large pictures. Frequencies here fall from 1 "
    "towards 1/100 (as in RoPE-ViT, Heo et al., 2024); language models go to 1/10 000 and below.",
)
MEASURED = (
    "Accuracy by encoding",
    "One lab model, trained with each encoding and nothing else changed: local eyes see every patch alone and know no "
    "place. Trained on the 3x3 board, tested there on unseen scenes and on larger ones. Every answer is equally "
    "likely; the dashed line is what one reaches without looking. Whiskers: 95 % of the mean over training seeds, "
    "Student's t. "
    "On any board the first column is *left*, the last *right* and all between *center*. *It cannot tell* what more "
    "training, larger models or other wirings would do.",
)
FITTED = (
    "Fitted boards",
    "Rotary positions can be counted on beyond what was trained, or set closer, so that the larger board spans the "
    "trained range (position interpolation, Chen et al., 2023). Learned places are always stretched between corners.",
)
LOOKED = (
    "Attention by distance",
    "In the trained models: the weight that a patch gives to patches so many rows and columns away, mean over heads, "
    "400 questions and seeds, times the number of patches; 1 is even attention. On the 3x3 board of training, of a few "
    "pairs of patches at the largest distances. *It cannot tell* what was read there: see the budgets on Inspect.",
)
LITERATURE = (
    "RoPE-ViT (Heo et al., ECCV 2024) finds that 2-D rotary positions keep more accuracy than learned ones when "
    "pictures at test are larger than in training. “Revisiting Multimodal Positional Encoding in Vision-Language "
    "Models” (Huang "
    "et al., 2025, arXiv 2510.23095) finds the chunked layout of M-RoPE weaker than its interleaved one, which gives "
    "every axis all frequencies, most of all where places are asked for; Qwen3-VL uses such a layout. Both speak of "
    "large models and many data sets; the table above is one small model on one task, and may differ."
)
