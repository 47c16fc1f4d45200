"""`lab:llava`: a native Hugging Face LLaVA of small size, trained on the lab's data.

It exists so that the path that real models take (processor, chat prompt, image tokens in a causal decoder) is exercised
by a model that truly answers. Its vision tower carries the weights of the lab's own vision encoder.
"""

from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from vlmlens.lab.draw import PIXELS
from vlmlens.lab.questions import ANSWERS, all_questions
from vlmlens.lab.text import WORDS
from vlmlens.lab.train import Pool, Recipe, Report, optimise
from vlmlens.lab.vision import DEPTH, HEADS, HIDDEN, PATCH, PATCHES, WIDTH, VisionEncoder

PROMPT = "USER: <image>\n{question}? ASSISTANT:"
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>", "<image>")
RECIPE = Recipe(pool=60_000, steps=1200, rate=3e-3)
TEXT_WIDTH = 96


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, the answers included."""
    words = dict.fromkeys((*SPECIAL, "USER", "ASSISTANT", ":", "?", *WORDS[1:], *ANSWERS))
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
        padding_side="left",
    )


def make_processor() -> LlavaProcessor:
    """Resize to 48 pixels, centre crop, 36 image tokens: what LLaVA-1.5 does at 336 and 576."""
    side = {"height": PIXELS, "width": PIXELS}
    images = CLIPImageProcessorPil(
        size={"shortest_edge": PIXELS}, crop_size=side, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return LlavaProcessor(
        images,
        make_tokenizer(),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def make_model(vision: VisionEncoder, seed: int) -> LlavaForConditionalGeneration:
    """An untrained decoder behind the lab's trained eyes."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=HIDDEN,
            num_hidden_layers=DEPTH,
            num_attention_heads=HEADS,
            image_size=PIXELS,
            patch_size=PATCH,
            projection_dim=WIDTH,
            hidden_act="quick_gelu",
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=256,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=128,
            initializer_range=0.07,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=PATCHES,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )
    model = LlavaForConditionalGeneration(config)
    transplant(vision, model)
    return model


def transplant(vision: VisionEncoder, model: LlavaForConditionalGeneration) -> None:
    """Put the lab's vision encoder into the tower; both compute the same features."""
    names = (
        ("class_embedding", "embeddings.class_embedding"),
        ("patch_embedding.", "embeddings.patch_embedding."),
        ("position_embedding", "embeddings.position_embedding.weight"),
        ("layers.", "encoder.layers."),
        (".fc", ".mlp.fc"),
    )
    state = {}
    for name, weights in vision.state_dict().items():
        for ours, theirs in names:
            name = name.replace(ours, theirs)
        state[name] = weights
    tower = model.model.vision_tower
    missing, unexpected = tower.load_state_dict(state, strict=False)
    if unexpected or any("post_layernorm" not in name for name in missing):
        raise RuntimeError(f"the vision tower does not fit: missing {missing}, unexpected {unexpected}")
    tower.requires_grad_(False)


@dataclass(frozen=True)
class Prompts:
    """Every question as the model reads it, padded on the right with one answer slot."""

    ids: Tensor  # [question, position]
    last: Tensor  # [question]: the position that the answer is read from
    image: slice  # of positions


def prompts(tokenizer: PreTrainedTokenizerFast) -> Prompts:
    texts = [PROMPT.format(question=q.text).replace("<image>", "<image>" * PATCHES) for q in all_questions()]
    rows = [tokenizer(text)["input_ids"] for text in texts]
    longest = max(map(len, rows)) + 1
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row in rows])
    first = rows[0].index(tokenizer.convert_tokens_to_ids("<image>"))
    return Prompts(ids, torch.tensor([len(row) - 1 for row in rows]), slice(first, first + PATCHES))


def train_llava(
    seed: int, pool: Pool, vision: VisionEncoder, recipe: Recipe = RECIPE, report: Report = print
) -> LlavaForConditionalGeneration:
    """Projector and decoder over the frozen tower; loss at the answer and at the end token after it."""
    model = make_model(vision, seed)
    tokenizer = make_tokenizer()
    every = prompts(tokenizer)
    answers = torch.tensor(tokenizer.convert_tokens_to_ids(list(ANSWERS)))
    trained = [p for p in model.parameters() if p.requires_grad]

    def loss_of(index: np.ndarray) -> Tensor:
        which, answer = pool.question[index], answers[pool.answer[index]]
        ids, last, row = every.ids[which], every.last[which], torch.arange(len(index))
        ids[row, last + 1] = answer
        embeds = model.get_input_embeddings()(ids)
        embeds[:, every.image] = model.model.multi_modal_projector(pool.image[index].float())
        states = model.model.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        at_answer, at_end = model.lm_head(states[row, last]), model.lm_head(states[row, last + 1])
        end = torch.full_like(answer, tokenizer.eos_token_id)
        return F.cross_entropy(at_answer, answer) + 0.1 * F.cross_entropy(at_end, end)

    model.train()
    optimise(trained, recipe, len(pool.answer), seed, loss_of, report, f"lab:llava@{seed}")
    model.generation_config.max_new_tokens = 4
    return model.eval()
