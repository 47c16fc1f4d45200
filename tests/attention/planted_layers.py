"""Decoders built by hand, weights set and not trained, in which the picture is read at known layers and nowhere else.

A state's coordinates have meanings: what image tokens carry, what words carry, the result that the answer is read from.
Heads that read the picture are told to by a marker that only the last token has; all other heads are random, read words
alone and write words alone, and give image positions a weight of exactly zero.
"""

from pathlib import Path

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from vlmlens.lab.llava import make_processor
from vlmlens.lab.text import WORDS

WIDTH, HEAD, HEADS = 32, 8, 4
IMAGE, CONTENT, RESULT, LAST, TEXT, WORD, COPY = range(7)  # coordinates
FREE = slice(8, 32)  # what words say
SLOW = 3  # with SLOW + 4 the coordinates of a head that rotary positions leave as they are


def build(folder: Path, layers: int, reads: tuple[int, ...], seed: int, copied: tuple[int, int] | None = None) -> Path:
    """Save a LLaVA that reads the picture into its last position at `reads`.

    With `copied` = (a, b) the words read it at layer a instead, and the last position reads the words at layer b.
    """
    torch.manual_seed(seed)
    processor = make_processor()
    words = processor.tokenizer
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=48,
            patch_size=8,
            projection_dim=32,
        ),
        text_config=LlamaConfig(
            vocab_size=len(words),
            hidden_size=WIDTH,
            intermediate_size=8,
            num_hidden_layers=layers,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            head_dim=HEAD,
            attention_bias=True,
            rope_parameters={"rope_type": "default", "rope_theta": 1e12},
            pad_token_id=words.pad_token_id,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            tie_word_embeddings=False,
        ),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        image_seq_length=36,
        vision_feature_layer=-1,
    )
    model = LlavaForConditionalGeneration(config).eval().requires_grad_(False)
    decoder = model.model.language_model
    embedding = decoder.embed_tokens.weight
    embedding.zero_()
    embedding[:, FREE] = torch.randn(len(embedding), 24) * 0.3
    embedding[:, TEXT] = 2.0
    embedding[words.convert_tokens_to_ids(":"), LAST] = 3.0
    embedding[words.convert_tokens_to_ids([word for word in WORDS[1:]]), WORD] = 3.0
    projector = model.model.multi_modal_projector
    projector.linear_2.weight.zero_()
    projector.linear_2.weight[CONTENT] = torch.randn(projector.linear_2.weight.shape[1]) * 0.3
    projector.linear_2.bias.zero_()
    projector.linear_2.bias[[IMAGE, CONTENT]] = 3.0
    for number, layer in enumerate(decoder.layers):
        layer.mlp.down_proj.weight.zero_()
        attention = layer.self_attn
        for part in (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj):
            part.weight.zero_()
            if part.bias is not None:
                part.bias.zero_()
        for head in range(1, HEADS):
            at = head * HEAD
            attention.q_proj.weight[at : at + 3, FREE] = torch.randn(3, 24) * 0.5
            attention.k_proj.weight[at : at + 3, FREE] = torch.randn(3, 24) * 0.5
            attention.q_proj.bias[at + SLOW] = 60.0  # words, and never a patch, even one set to zero
            attention.k_proj.weight[at + SLOW, TEXT] = 6.0
            attention.v_proj.weight[at : at + HEAD, FREE] = torch.randn(HEAD, 24) * 0.3
            attention.o_proj.weight[FREE, at : at + HEAD] = torch.randn(24, HEAD) * 0.1
        if number in reads:
            _reading(attention, LAST, IMAGE, CONTENT, RESULT)
        if copied is not None and number == copied[0]:
            _reading(attention, WORD, IMAGE, CONTENT, COPY)
        if copied is not None and number == copied[1]:
            _reading(attention, LAST, WORD, COPY, RESULT)
    model.lm_head.weight.zero_()
    model.lm_head.weight[words.convert_tokens_to_ids("red"), RESULT] = 2.0
    model.generation_config.eos_token_id = list(range(len(words)))
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _reading(attention: torch.nn.Module, reader: int, read: int, value: int, target: int) -> None:
    """Head 0 lets tokens with `reader` look at those with `read`, and adds their `value` to `target`."""
    attention.q_proj.weight[SLOW, reader] = 20.0
    attention.k_proj.weight[SLOW, read] = 20.0
    attention.q_proj.bias[SLOW + 4] = 20.0  # all others look at words, not at a patch
    attention.k_proj.weight[SLOW + 4, TEXT] = 6.0
    attention.v_proj.weight[0, value] = 1.0
    attention.o_proj.weight[target, 0] = 1.0
