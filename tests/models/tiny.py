"""Tiny untrained models of every family, made of the real classes: `BUILDERS[model_type]()` is a model and a processor.

As initialised, some towers say nearly the same of every picture and decoders hardly listen to it, so that tests on them
would be vacuous; `awake` makes them louder.
"""

import io
from functools import partial

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn
from transformers import PreTrainedTokenizerFast

from vlmlens.models import as_image
from vlmlens.models.processor import still

TEXT = (
    "USER ASSISTANT user assistant answer en what color is the circle how many red objects are there image please "
    "look at this picture and describe it in one sentence is the square left of the star"
)
DECODER = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.15,
}
QUERIES = 5
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def make_tokenizer(*special: str, bos: str | None = None, **named: str) -> PreTrainedTokenizerFast:
    """Bytes, and the words of a few sentences; `named` signs are attributes of the tokenizer."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    names = ["<pad>", "</s>", *([bos] if bos else []), *special, *named.values()]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        [TEXT] * 3, trainers.BpeTrainer(vocab_size=480, special_tokens=names, initial_alphabet=sorted(alphabet))
    )
    core.post_processor = processors.ByteLevel(trim_offsets=False)
    extra = {"bos_token": bos} if bos else {}
    if named:
        extra |= {"model_specific_special_tokens": named}
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        eos_token="</s>",
        additional_special_tokens=list(special),
        padding_side="left",
        **extra,
        **named,
    )


def begin_with_bos(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{tokenizer.bos_token} $A", special_tokens=[(tokenizer.bos_token, tokenizer.bos_token_id)]
    )


def ids(tokenizer: PreTrainedTokenizerFast) -> dict:
    return {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}


def awake(model: nn.Module) -> nn.Module:
    """Louder eyes, norms that are not all one, and an end to whatever an untrained model says."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() and parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif any(part in name for part in ("vision", "visual", "projector", "connector")):
                parameter.mul_(4)
    if model.can_generate():
        model.generation_config.max_new_tokens = 3
        first = model.generation_config.forced_bos_token_id
        every = range(model.config.get_text_config().vocab_size)
        model.generation_config.eos_token_id = [token for token in every if token != first]
    return model.eval()


def _llava(text_config):
    """`text_config(**shared)` is that of the decoder."""
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    words = make_tokenizer("<image>", bos="<s>")
    begin_with_bos(words)
    images = CLIPImageProcessorPil(size={"shortest_edge": 48}, crop_size={"height": 48, "width": 48})
    processor = LlavaProcessor(
        images, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**TOWER, image_size=48, patch_size=8, projection_dim=32),
        text_config=text_config(**DECODER, **ids(words), vocab_size=len(words), bos_token_id=words.bos_token_id),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        image_seq_length=36,
        vision_feature_layer=-1,
    )
    return LlavaForConditionalGeneration(config), processor


def llava():
    from transformers import LlamaConfig

    return _llava(LlamaConfig)


def llava_with_sinks():
    """No row of its own: any decoder can stand behind LLaVA's tower."""
    from transformers import GptOssConfig

    model, processor = _llava(
        partial(GptOssConfig, head_dim=12, num_local_experts=2, num_experts_per_tok=1, sliding_window=24)
    )
    for layer in model.model.language_model.layers:
        nn.init.normal_(layer.self_attn.sinks, mean=1.0)
    return model, processor


PINPOINTS = [[48, 96], [96, 48], [96, 96], [144, 48], [48, 144]]  # tiles of 48 pixels, laid out in these ways


def llava_next():
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextProcessor,
    )
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    words = make_tokenizer("<image>", bos="<s>")
    begin_with_bos(words)
    side = {"height": 48, "width": 48}
    images = LlavaNextImageProcessorPil(size={"shortest_edge": 48}, crop_size=side, image_grid_pinpoints=PINPOINTS)
    processor = LlavaNextProcessor(
        images, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**TOWER, image_size=48, patch_size=8, projection_dim=32),
        text_config=LlamaConfig(**DECODER, **ids(words), vocab_size=len(words), bos_token_id=words.bos_token_id),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=-1,
    )
    return LlavaNextForConditionalGeneration(config), processor


def llava_onevision():
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        Qwen2Config,
        SiglipVisionConfig,
    )
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
        LlavaOnevisionImageProcessorPil,
    )

    words = make_tokenizer("<|im_start|>", "<|im_end|>", "<image>", "<video>")
    images = LlavaOnevisionImageProcessorPil(size={"height": 48, "width": 48}, image_grid_pinpoints=PINPOINTS)
    processor = still("LlavaOnevisionProcessor")(
        images,
        words,
        num_image_tokens=36,
        vision_feature_select_strategy="full",
    )
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(**TOWER, image_size=48, patch_size=8, vision_use_head=False),
        text_config=Qwen2Config(**DECODER, **ids(words), vocab_size=len(words), bos_token_id=None),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=-1,
    )
    return LlavaOnevisionForConditionalGeneration(config), processor


def internvl():
    from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen2Config
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    words = make_tokenizer(
        "<|im_start|>",
        "<|im_end|>",
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    images = GotOcr2ImageProcessorPil(size={"height": 48, "width": 48}, max_patches=6)
    processor = still("InternVLProcessor")(images, words, image_seq_length=9)
    config = InternVLConfig(
        vision_config=InternVLVisionConfig(**TOWER, image_size=[48, 48], patch_size=[8, 8]),
        text_config=Qwen2Config(**DECODER, **ids(words), vocab_size=len(words), bos_token_id=None),
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=9,
    )
    return InternVLForConditionalGeneration(config), processor


def _paligemma(text_config):
    """`text_config(words, **shared)` is that of the decoder."""
    from transformers import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        SiglipVisionConfig,
    )
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    words = make_tokenizer("<image>", bos="<bos>")
    images = SiglipImageProcessorPil(size={"height": 48, "width": 48})
    images.image_seq_length = 36
    processor = PaliGemmaProcessor(images, words)  # adds words of its own
    config = PaliGemmaConfig(
        vision_config=SiglipVisionConfig(
            **TOWER, image_size=48, patch_size=8, vision_use_head=False, projection_dim=48
        ).to_dict(),
        text_config=text_config(
            **DECODER, **ids(words), vocab_size=len(words), head_dim=12, bos_token_id=words.bos_token_id
        ).to_dict(),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        projection_dim=48,
        hidden_size=48,
        vocab_size=len(words),
        **ids(words),
    )
    return PaliGemmaForConditionalGeneration(config), processor


def paligemma():
    from transformers import GemmaConfig

    return _paligemma(GemmaConfig)


def paligemma2():
    """The window is shorter than the picture; both caps bend what they are given."""
    from transformers import Gemma2Config

    return _paligemma(
        partial(
            Gemma2Config,
            sliding_window=24,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
            query_pre_attn_scalar=12,
        )
    )


def gemma3():
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    signs = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    words = make_tokenizer("<start_of_turn>", "<end_of_turn>", bos="<bos>", **signs)
    begin_with_bos(words)
    number = {f"{name}_index": words.convert_tokens_to_ids(sign) for name, sign in signs.items()}
    images = Gemma3ImageProcessorPil(size={"height": 96, "width": 96})
    processor = Gemma3Processor(images, words, image_seq_length=36)
    config = Gemma3Config(
        vision_config={**TOWER, "image_size": 96, "patch_size": 8},
        text_config={
            **DECODER,
            **ids(words),
            "vocab_size": len(words),
            "bos_token_id": words.bos_token_id,
            "head_dim": 12,
            "query_pre_attn_scalar": 12,
            "sliding_window": 24,  # shorter than the picture
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
        mm_tokens_per_image=36,
        **number,
    )
    model = Gemma3ForConditionalGeneration(config)
    nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.1)  # zero as initialised
    return model, processor


def _qwen(prefix: str, **vision):
    """All generations are configured alike but for the tower."""
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    words = make_tokenizer(
        "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
    )
    images = Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=2, size={"shortest_edge": 32 * 32, "longest_edge": 96 * 96}
    )
    processor = still(f"{prefix}Processor")(images, words)
    number = {
        f"{name}_token_id": words.convert_tokens_to_ids(f"<|{word}|>")
        for name, word in {
            "image": "image_pad",
            "video": "video_pad",
            "vision_start": "vision_start",
            "vision_end": "vision_end",
        }.items()
    }
    config = getattr(transformers, f"{prefix}Config")(
        vision_config={"depth": 2, "num_heads": 2, "patch_size": 8, "spatial_merge_size": 2, **vision},
        text_config={
            **DECODER,
            **ids(words),
            "vocab_size": len(words),
            "bos_token_id": None,
            "head_dim": 12,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 2, 2]},
        },
        **number,
    )
    return getattr(transformers, f"{prefix}ForConditionalGeneration")(config), processor


def qwen2_vl():
    return _qwen("Qwen2VL", embed_dim=32, hidden_size=48, mlp_ratio=2)


def qwen2_5_vl():
    return _qwen(
        "Qwen2_5_VL",
        hidden_size=32,
        intermediate_size=64,
        out_hidden_size=48,
        window_size=32,
        fullatt_block_indexes=[1],
    )


def qwen3_vl():
    return _qwen(
        "Qwen3VL",
        hidden_size=32,
        intermediate_size=64,
        out_hidden_size=48,
        num_position_embeddings=144,
        deepstack_visual_indexes=[0],
    )


def glm4v():
    from transformers import Glm4vConfig, Glm4vForConditionalGeneration
    from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil

    signs = {name: f"<|{name}|>" for name in ("image", "video", "begin_of_image", "end_of_image")}
    words = make_tokenizer("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", *signs.values())
    images = Glm4vImageProcessorPil(
        patch_size=8, merge_size=2, size={"shortest_edge": 2 * 32 * 32, "longest_edge": 2 * 96 * 96}
    )
    processor = still("Glm4vProcessor")(images, words)
    number = {name: words.convert_tokens_to_ids(sign) for name, sign in signs.items()}
    config = Glm4vConfig(
        vision_config={
            "depth": 2,
            "num_heads": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "out_hidden_size": 48,
            "image_size": 96,
            "patch_size": 8,
        },
        text_config={
            **DECODER,
            **ids(words),
            "vocab_size": len(words),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.5,
                "mrope_section": [1, 1, 1],
            },
        },
        image_token_id=number["image"],
        video_token_id=number["video"],
        image_start_token_id=number["begin_of_image"],
        image_end_token_id=number["end_of_image"],
    )
    return Glm4vForConditionalGeneration(config), processor


CHAT = (
    "<|im_start|>{% for turn in messages %}{{ turn['role'] | capitalize }}:{% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


def _idefics(prefix: str):
    import importlib

    import transformers

    name = prefix.lower()
    module = importlib.import_module(f"transformers.models.{name}.image_processing_pil_{name}")
    side = {"longest_edge": 48}
    images = getattr(module, f"{prefix}ImageProcessorPil")(size={"longest_edge": 96}, max_image_size=side)
    rows = [f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)]
    words = make_tokenizer(
        "<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *rows, bos="<|im_start|>"
    )
    processor = still("Idefics3Processor")(images, words, image_seq_len=9)
    config = getattr(transformers, f"{prefix}Config")(
        vision_config={**TOWER, "image_size": 48, "patch_size": 8},
        text_config={
            "model_type": "llama",
            **DECODER,
            **ids(words),
            "vocab_size": len(words),
            "bos_token_id": words.bos_token_id,
        },
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=words.pad_token_id,
    )
    return getattr(transformers, f"{prefix}ForConditionalGeneration")(config), processor


def idefics3():
    """Both its chat template and its tokenizer begin with the first token."""
    model, processor = _idefics("Idefics3")
    processor.chat_template = CHAT
    begin_with_bos(processor.tokenizer)
    return model, processor


def smolvlm():
    return _idefics("SmolVLM")


def wordpieces(*special: str):
    """BERT's own tokenizer: every letter, and the words of a few sentences."""
    from transformers import BertTokenizer

    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = sorted(set(TEXT.lower().split()))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *special, *letters, *(f"##{c}" for c in letters), *words]
    vocab = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    return BertTokenizer(vocab=vocab, do_lower_case=True)


def blip():
    """Its class is made for two streams of one width."""
    from transformers import BlipConfig, BlipForQuestionAnswering, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    words = wordpieces("[DEC]")
    processor = BlipProcessor(BlipImageProcessorPil(size={"height": 48, "width": 48}), words)
    text = {name: value for name, value in DECODER.items() if name != "num_key_value_heads"}
    config = BlipConfig(
        vision_config={**TOWER, "hidden_size": 48, "image_size": 48, "patch_size": 8, "initializer_range": 0.02},
        text_config={
            **text,
            "vocab_size": len(words),
            "bos_token_id": len(words) - 1,
            "pad_token_id": words.pad_token_id,
            "sep_token_id": words.sep_token_id,
        },
    )
    return BlipForQuestionAnswering(config), processor


def mllama():
    """Its gates are shut as initialised, so that no layer would look at the picture. The prompt begins with words."""
    from transformers import MllamaConfig, MllamaForConditionalGeneration, MllamaProcessor
    from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

    words = make_tokenizer("<|image|>", "<|python_tag|>", bos="<|begin_of_text|>")
    begin_with_bos(words)
    processor = MllamaProcessor(MllamaImageProcessorPil(size={"height": 48, "width": 48}), words)
    processor.chat_template = "{{ bos_token }}" + CHAT.replace("<|im_start|>", "").replace("<image>", "<|image|>")
    config = MllamaConfig(
        vision_config={
            "hidden_size": 32,
            "attention_heads": 2,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "image_size": 48,
            "patch_size": 8,
            "intermediate_layers_indices": [0],
            "vision_output_dim": 64,
        },
        text_config={
            **DECODER,
            **ids(words),
            "vocab_size": len(words),
            "bos_token_id": words.bos_token_id,
            "cross_attention_layers": [1],
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        image_token_index=words.convert_tokens_to_ids("<|image|>"),
    )
    model = MllamaForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "gate" in name.rpartition(".")[2]:
                parameter.fill_(0.7)
    return model, processor


def florence2():
    """Answers begin with two tokens, as the published ones do."""
    from transformers import BartConfig, Florence2Config, Florence2ForConditionalGeneration, Florence2Processor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    words = make_tokenizer(bos="<s>", image_token="<image>")
    side = {"height": 48, "width": 48}
    images = CLIPImageProcessorPil(size=side, crop_size=side, do_center_crop=False)
    images.image_seq_length = 1 + 6 * 6
    config = Florence2Config(
        vision_config={
            "depths": (1, 1),
            "patch_size": (7, 3),
            "patch_stride": (4, 2),
            "patch_padding": (3, 1),
            "patch_prenorm": (False, True),
            "embed_dim": (16, 32),
            "num_heads": (2, 2),
            "num_groups": (2, 2),
            "window_size": 6,
            "drop_path_rate": 0.0,
            "projection_dim": 48,
        },
        text_config=BartConfig(
            d_model=48,
            encoder_layers=3,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=96,
            decoder_ffn_dim=96,
            max_position_embeddings=256,
            init_std=0.15,
            vocab_size=len(words),
            bos_token_id=words.bos_token_id,
            decoder_start_token_id=words.eos_token_id,
            forced_eos_token_id=None,
            **ids(words),
        ),
        image_token_id=words.image_token_id,
    )
    model = Florence2ForConditionalGeneration(config)
    model.generation_config.forced_bos_token_id = words.bos_token_id
    model.generation_config.decoder_start_token_id = words.eos_token_id
    model.generation_config.forced_eos_token_id = None
    return model, Florence2Processor(images, words)


def vilt():
    from transformers import ViltConfig, ViltForQuestionAnswering, ViltProcessor
    from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

    words = wordpieces()
    images = ViltImageProcessorPil(size={"shortest_edge": 48}, size_divisor=8)
    config = ViltConfig(
        **{name: value for name, value in DECODER.items() if name != "num_key_value_heads"},
        vocab_size=len(words),
        image_size=48,
        patch_size=8,
        max_position_embeddings=40,
        id2label={i: word for i, word in enumerate(("yes", "no", "red", "blue", "1", "2", "circle"))},
    )
    model = ViltForQuestionAnswering(config)
    with torch.no_grad():
        model.vilt.embeddings.position_embeddings.normal_(0, 0.1)  # all zero as initialised
        model.vilt.embeddings.patch_embeddings.projection.weight.mul_(4)
    return model, ViltProcessor(images, words)


def _resampled(prefix: str, text_config, words, number, **asking):
    """The towers are all but zero as initialised, and the queries all alike."""
    import importlib

    import transformers
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    images = BlipImageProcessorPil(size={"height": 48, "width": 48})
    asking["num_query_tokens"] = QUERIES
    processor = getattr(transformers, f"{prefix}Processor")(images, words, **asking)
    module = importlib.import_module(f"transformers.models.{number}.configuration_{number}")
    config = getattr(module, f"{prefix}Config")(
        vision_config={**TOWER, "image_size": 48, "patch_size": 8, "initializer_range": 0.02},
        qformer_config={
            **{name: value for name, value in DECODER.items() if name != "num_key_value_heads"},
            "hidden_size": 32,
            "num_hidden_layers": 4,
            "vocab_size": len(asking.get("qformer_tokenizer", ())) or 1,
            "max_position_embeddings": 64,
        },
        text_config=text_config(vocab_size=len(words), bos_token_id=words.bos_token_id, **ids(words)).to_dict(),
        num_query_tokens=QUERIES,
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    model = getattr(transformers, f"{prefix}ForConditionalGeneration")(config)
    with torch.no_grad():
        model.query_tokens.normal_()
        model.language_projection.weight.normal_(0, 0.3)
    return model, processor


def blip_2():
    """Its processor adds the image token; with one of its own, the tokenizer would make it fail."""
    from transformers import OPTConfig

    words = make_tokenizer(bos="<s>")
    begin_with_bos(words)
    decoder = partial(
        OPTConfig,
        hidden_size=48,
        word_embed_proj_dim=48,
        ffn_dim=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        init_std=0.15,
        max_position_embeddings=4096,
    )
    return _resampled("Blip2", decoder, words, "blip_2")


def instructblip():
    """The Q-Former has a tokenizer of its own."""
    from transformers import LlamaConfig

    words = make_tokenizer(bos="<s>")
    begin_with_bos(words)
    return _resampled(
        "InstructBlip", partial(LlamaConfig, **DECODER), words, "instructblip", qformer_tokenizer=wordpieces("[DEC]")
    )


BUILDERS = {
    builder.__name__: builder
    for builder in (
        llava,
        llava_with_sinks,
        llava_next,
        llava_onevision,
        internvl,
        paligemma,
        paligemma2,
        gemma3,
        qwen2_vl,
        qwen2_5_vl,
        qwen3_vl,
        glm4v,
        idefics3,
        smolvlm,
        blip,
        mllama,
        florence2,
        vilt,
        instructblip,
    )
} | {"blip-2": blip_2}


def turned(pixels: np.ndarray) -> Image.Image:
    """As a phone held upright saves it: the sensor's rows, and a note of how to turn them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    sensor = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    sensor.save(buffer, "JPEG", quality=95, subsampling=0, exif=exif)
    return as_image(buffer.getvalue())


SHAPES = {  # height, width, and how pixels come in
    "square": (300, 300, Image.fromarray),
    "wide": (300, 600, Image.fromarray),
    "tall": (500, 300, Image.fromarray),
    "turned": (500, 300, turned),
}


def build(model_type: str, folder) -> None:
    """Save a model and its processor, as a download would lie on a disk."""
    torch.manual_seed(0)
    model, processor = BUILDERS[model_type]()
    awake(model).save_pretrained(folder)
    processor.save_pretrained(folder)
