"""The cost formulas are what torch counts of the real classes at their published sizes, on the meta device.

FlopCounterMode hooks every module of the process while it is open, so it is opened here alone.
"""

import copy
import json
from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText
from transformers.cache_utils import DynamicCache

from vlmlens.tokens.cost import Sequence, cached, connector_flops, decoder_flops, tower_flops
from vlmlens.tokens.cuts import Seen
from vlmlens.tokens.models import TABLE, of_config

ROWS = {row["id"]: row for row in json.loads(TABLE.read_text())}
DEEP = ("llava-1.5-7b", "qwen2-vl-2b", "paligemma-3b-448")  # at their full depth; of the others two layers


def config_of(name: str, layers: int | None = None):
    """The row as a config of transformers', with fewer layers if wanted; and the row so changed."""
    row = copy.deepcopy(ROWS[name])
    text, vision = row["config"]["text_config"], row["config"]["vision_config"]
    if layers is not None:
        text["num_hidden_layers"] = layers
        vision["depth" if "depth" in vision else "num_hidden_layers"] = layers
        for listed, kept in (("fullatt_block_indexes", [1]), ("deepstack_visual_indexes", [0, 1])):
            if listed in vision:
                vision[listed] = kept
        if "num_global_layers" in vision:
            vision["num_global_layers"], vision["intermediate_layers_indices"] = 1, [0, 0, 1, 1, 1]
        if "cross_attention_layers" in text:
            text["cross_attention_layers"] = [1]
        if "qformer_config" in row["config"]:
            row["config"]["qformer_config"]["num_hidden_layers"] = 3
    given = copy.deepcopy(row["config"])
    kind = given.pop("model_type")
    return CONFIG_MAPPING[kind](**given), of_config(row["name"], row["family"], row["images"], row["config"])


def shell(name: str, layers: int | None = None):
    config, real = config_of(name, layers)
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config).eval(), real


def counted(run) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def part(model, *names: str):
    inner = getattr(model, "model", model)
    return next(getattr(each, name) for name in names for each in (inner, model) if hasattr(each, name))


def text_part(model):
    found = part(model, "language_model", "text_model")
    return getattr(found, "model", found)


@pytest.mark.parametrize("name", ROWS)
def test_a_decoder_costs_what_torch_counts(name):
    model, real = shell(name, None if name in DEEP else 2)
    text, image = 64, 1024
    given = Sequence(image, text, real.beside)
    embedded = torch.empty(1, given.length, real.decoder.hidden, device="meta")
    mask = torch.zeros(1, 1, given.length, given.length, device="meta")  # else it would look into the numbers
    more = {"attention_mask": mask}
    if name.startswith("blip2"):  # it would count them from the mask
        more["position_ids"] = torch.arange(given.length, device="meta")[None]
    if real.beside:
        more["cross_attention_mask"] = torch.zeros(1, 1, text, image, device="meta")
        more["cross_attention_states"] = torch.empty(1, image, real.decoder.hidden, device="meta")
    head = model.get_output_embeddings()

    def run():
        states = text_part(model)(inputs_embeds=embedded, use_cache=False, **more).last_hidden_state
        head(states[:, -1:])

    assert sum(decoder_flops(real.decoder, given).values()) == pytest.approx(counted(run), rel=0.01)


def look(model, row: dict, seen: Seen):
    """What the real classes do with the views of a picture, on the meta device."""
    config, images = row["config"], row["images"]
    side = images.get("max_image_size", images["size"])
    side = images.get("crop_size", side)
    side = next(side[key] for key in ("height", "longest_edge", "shortest_edge") if key in side)
    pixels = torch.empty(seen.views, 3, side, side, device="meta")
    if config["model_type"] == "mllama":
        ratio, mask = (torch.ones(*shape, dtype=torch.long, device="meta") for shape in ((1, 1), (1, 1, seen.views)))
        states = part(model, "vision_model")(pixels[None, None], ratio, mask).last_hidden_state
        return part(model, "multi_modal_projector")(states)
    states = part(model, "vision_tower", "vision_model")(pixels).last_hidden_state
    if config["model_type"] == "blip-2":
        asked = part(model, "qformer")(query_embeds=part(model, "query_tokens"), encoder_hidden_states=states)
        return part(model, "language_projection")(asked.last_hidden_state)
    states = states[:, -(seen.grid[0] * seen.grid[1]) :]  # without the token of the whole
    if config["model_type"] == "internvl":
        states = states.reshape(seen.views, -1, 4 * states.shape[-1])
    return part(model, "multi_modal_projector", "connector")(states)


NATURAL = [name for name, row in ROWS.items() if "spatial_merge_size" in row["config"]["vision_config"]]
ONCE = list({ROWS[name]["family"]: name for name in reversed(NATURAL)}.values())  # one a family: they take a second
SPLIT = [name for name, row in ROWS.items() if "max_image_size" in row["images"]]
WORDY = ["instructblip-7b"]  # its Q-Former reads words as well, which the cost leaves out


@pytest.mark.parametrize("name", [name for name in ROWS if name not in (*NATURAL, *SPLIT, *WORDY)])
def test_towers_and_connectors_cost_what_torch_counts(name):
    model, real = shell(name, 2)
    seen = real.see(640, 480)
    found = tower_flops(real.tower, seen) + connector_flops(real.connector, real.tower, seen)
    assert found == pytest.approx(counted(lambda: look(model, ROWS[name], seen)), rel=0.01)


@pytest.mark.parametrize("name", ONCE)
def test_towers_of_any_shape_cost_what_torch_counts(name):
    """They look into the numbers of the grid, which a meta tensor has not: two layers, any weights, a small picture."""
    model, real = shell(name, 2)
    seen = real.see(224, 168)
    visual = part(model, "visual").to_empty(device="cpu")
    pixels, grid = torch.zeros(seen.patches, real.tower.values), torch.tensor([[1, *seen.grid]])
    with sdpa_kernel(SDPBackend.MATH):  # the counter knows no other on the CPU
        real_cost = counted(lambda: visual(pixels, grid_thw=grid))
    found = tower_flops(real.tower, seen) + connector_flops(real.connector, real.tower, seen)
    assert found == pytest.approx(real_cost, rel=0.01)


@pytest.mark.parametrize("name", SPLIT)
def test_towers_that_mask_patches_cost_what_torch_counts(name):
    """They look into their mask: as above, and a view of 12 x 12 patches."""
    model, real = shell(name, 2)
    seen, patch = Seen(0, 1, (12, 12), ""), ROWS[name]["config"]["vision_config"]["patch_size"]
    tower, connector = (part(model, each).to_empty(device="cpu") for each in ("vision_model", "connector"))
    with sdpa_kernel(SDPBackend.MATH):
        real_cost = counted(lambda: connector(tower(torch.zeros(1, 3, 12 * patch, 12 * patch)).last_hidden_state))
    found = tower_flops(real.tower, seen) + connector_flops(real.connector, real.tower, seen)
    assert found == pytest.approx(real_cost, rel=0.01)


@pytest.mark.parametrize("name", ROWS)
def test_the_cache_holds_what_is_said(name):
    """A cache of the real class, filled with keys and values of the row's sizes."""
    config, real = config_of(name, 6)
    text, decoder = config.get_text_config(), real.decoder
    for tokens in (1, 300):
        cache = DynamicCache(config=text)
        for layer in range(decoder.layers):
            states = torch.empty(1, decoder.kv_heads, tokens, decoder.head, dtype=torch.bfloat16)
            cache.update(states, states, layer)
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        assert 2 * cached(replace(decoder, crossed=0), Sequence(tokens - 1, 1)) == held
