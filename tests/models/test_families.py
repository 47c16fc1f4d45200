"""What families promise whose picture is a run of tokens in one decoder's sequence: tiny models of the real classes."""

import json
import re
import shutil
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import vlmlens
from vlmlens.attention import MODES, budget, causal_check, every_row, hottest_window, image_maps, masking_sweep
from vlmlens.attribution import METHODS, Case, explain
from vlmlens.errors import ModelError, NotApplicable
from vlmlens.models import detail
from vlmlens.models.families import FAMILIES
from vlmlens.models.inside import branched
from vlmlens.trace import Branch, Knockout, Replace, Scale, Segment, Site
from vlmlens.trace.capture import Recorder, recording

QUESTIONS = (
    "what color is the circle?",
    "why?",
    "please look at this picture and describe it in one sentence: is the square left of the star, yes or no? " * 2,
    "is the answer en user assistant USER: ASSISTANT: answer en the image?",
)
TRIALS = 40


@pytest.fixture(params=FAMILIES)
def kind(request):
    return request.param


def test_the_rows_that_are_kept_are_those_of_eager_attention(kind, vlm, plain, pictures):
    for picture in pictures:
        for question in QUESTIONS[:2]:
            trace = vlm.inspect(picture, question)
            ready = vlm.prepare(picture, question)
            with torch.inference_mode():
                found = plain(kind)(**ready.inputs, output_attentions=True)
            weights = torch.stack(found.attentions)[:, 0].numpy()
            asked = trace.segment_positions(Segment.QUESTION)
            every = every_row(vlm, picture, question)
            member = np.stack([ready.segments == segment for segment in every.segments], axis=1)
            np.testing.assert_allclose(every.share, weights.mean(axis=1) @ member, atol=1e-5)
            prompt = slice(None, ready.length)
            np.testing.assert_allclose(trace.attention("last")[..., prompt], weights[:, :, -1:], atol=1e-5)
            np.testing.assert_allclose(trace.attention("question")[..., prompt], weights[:, :, asked], atol=1e-5)
            torch.testing.assert_close(vlm.run(ready, None)[0], found.logits[:, -1], atol=1e-4, rtol=1e-4)


def test_rows_beside_padding_are_those_of_eager_attention(kind, vlm, plain, pictures):
    """Items of different lengths, padded on the left."""
    batch = vlm.batch(pictures, QUESTIONS[:3])
    length = batch.inputs["input_ids"].shape[1]
    assert not batch.inputs["attention_mask"].all()
    every = tuple(range(length))
    sites = {module: Site(f"{i}", i, "self", every, every) for i, module in enumerate(vlm.attention)}
    recorder = Recorder(sites, np.zeros(length, np.int8), {site.name: (length - 1,) for site in sites.values()})
    with torch.inference_mode(), vlm.listening(), recording(recorder):
        vlm.batch_logits(batch)
        found = plain(kind)(**batch.inputs, use_cache=False, output_attentions=True)
    for site, weights in zip(sites.values(), found.attentions, strict=True):
        torch.testing.assert_close(recorder.kept[site.name].attention, weights[:, :, -1:], atol=1e-5, rtol=0)


def test_the_parts_of_an_update_are_what_the_layer_adds(vlm, pictures):
    """With nothing else in the layer: the perceptron behind attention is silenced."""
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    states = {}

    def see(layer, entering):
        states[layer] = entering[0]

    every = {site.name: site.queries for site in vlm.sites(ready).values()}
    recorder = Recorder(vlm.sites(ready), ready.segments, every, after=vlm.after, see=see)
    silenced = [layer.mlp.register_forward_hook(lambda *_: torch.zeros_like(_[2])) for layer in vlm.layers]
    try:
        with torch.inference_mode(), vlm.listening(), recording(recorder):
            vlm.logits(ready)
    finally:
        for handle in silenced:
            handle.remove()
    for layer in range(vlm.whole_from, len(vlm.layers)):
        kept = recorder.kept[vlm.family.attention.format(i=layer)]
        added = states[layer + 1] - states[layer]
        assert added.norm() > 0
        torch.testing.assert_close(kept.update[0], added, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(kept.parts[0].sum(1), added, atol=1e-4, rtol=1e-4)


def test_what_leaves_the_last_layer_reads_out_as_the_answer(vlm, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    states = {}

    def see(layer, entering):
        states[layer] = entering[0, -1]

    with torch.inference_mode(), vlm.listening(), recording(Recorder({}, np.zeros(0), {}, see=see)):
        logits = vlm.logits(ready)[0]
        torch.testing.assert_close(vlm.read_out(states[len(vlm.layers)]), logits, atol=1e-5, rtol=1e-5)


def masked(plain, ready, blocked):
    """Logits of an eager model whose layers get a mask with these edges blocked, bool [query, key]."""

    def block(_module, args, kwargs):
        mask = kwargs["attention_mask"]
        return args, kwargs | {"attention_mask": mask.masked_fill(blocked, torch.finfo(mask.dtype).min)}

    layers = [module for name, module in plain.named_modules() if name.rpartition(".")[0].endswith("model.layers")]
    handles = [layer.register_forward_pre_hook(block, with_kwargs=True) for layer in layers]
    assert handles
    try:
        with torch.inference_mode():
            return plain(**ready.inputs, use_cache=False).logits[:, -1]
    finally:
        for handle in handles:
            handle.remove()


def test_hiding_the_picture_is_a_mask_on_every_layer(kind, vlm, plain, pictures):
    for picture in pictures:
        ready = vlm.prepare(picture, QUESTIONS[0])
        image = ready.segments == Segment.IMAGE
        some = np.zeros_like(image)
        some[ready.grid.positions[::3]] = True
        for keys in (image, some):
            found, _ = vlm.run(ready, None, [Knockout(keys)])
            wanted = masked(plain(kind), ready, torch.from_numpy(~keys[:, None] & keys))
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
            assert not torch.allclose(found, vlm.run(ready, None)[0], atol=1e-4)


def test_the_question_is_found_whatever_it_says(vlm, pictures):
    for picture in pictures:
        for question in QUESTIONS:
            ready = vlm.prepare(picture, question)
            ids = ready.inputs["input_ids"][0].numpy()
            asked = ids[ready.segments == Segment.QUESTION]
            assert vlm.tokenizer.decode(asked).strip() == ready.question == question.strip()
            image = ready.segments == Segment.IMAGE
            np.testing.assert_array_equal(image, ids == vlm.image_token)
            assert ready.grid.places(image)
            assert len(ready.grid.positions) == ready.grid.cells == np.prod(ready.grid.shape)
            np.testing.assert_allclose(ready.grid.overlap.sum(axis=1), 1, atol=1e-5)
            assert ready.grid.size == picture.size
            starts = (ready.segments == Segment.BOS).sum()
            assert starts == (vlm.tokenizer.bos_token_id is not None) == (ids == vlm.tokenizer.bos_token_id).sum()


def test_tokens_read_as_people_write_them(vlm, pictures):
    ready = vlm.prepare(pictures[0], QUESTIONS[0])
    asked = [ready.tokens[i] for i in np.flatnonzero(ready.segments == Segment.QUESTION)]
    assert "".join(asked) == QUESTIONS[0].replace(" ", "")
    line = vlm.tokenizer("\n", add_special_tokens=False)["input_ids"]
    assert vlm.text_of(line[-1]) == "⏎"
    assert vlm.text_of(vlm.image_token) == vlm.tokenizer.convert_ids_to_tokens(vlm.image_token)


@pytest.fixture(scope="module")
def blinkered(folders):
    """A model whose tower adds nothing in its layers: a patch sees itself alone."""

    @cache
    def of(kind):
        vlm = vlmlens.load(str(folders(kind)))
        ends = [
            module
            for name, module in vlm.model.named_modules()
            if isinstance(module, nn.Linear)
            and ("vision" in name or "visual" in name)
            and re.search(r"\.(layers?|blocks)\.", name)
            and name.rpartition(".")[2] in ("out_proj", "fc2", "linear_fc2", "proj", "down_proj", "projection_layer")
        ]
        assert len(ends) == 4  # two layers, two each
        with torch.no_grad():
            for parameter in (parameter for end in ends for parameter in end.parameters()):
                parameter.zero_()
        return vlm

    return of


def entering(vlm, picture):
    """The image tokens that have a place, as they enter the decoder, [token, width], and the grid."""
    ready = vlm.prepare(picture, QUESTIONS[0])
    found = {}
    recorder = Recorder({}, np.zeros(0), {}, see=lambda layer, states: found.setdefault(layer, states[0]))
    with torch.inference_mode(), vlm.listening(), recording(recorder):
        vlm.logits(ready)
    return found[0][ready.grid.placed], ready.grid


def test_a_spot_changes_most_the_token_whose_box_holds_it(kind, blinkered, shape):
    height, width, come_in = shape
    vlm = blinkered(kind)
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 156, (height, width, 3), dtype=np.uint8)
    before, grid = entering(vlm, come_in(pixels))
    assert grid.size == (width, height)
    found = []
    for _ in range(TRIALS):
        cell = int(rng.integers(grid.cells))
        left, top, right, bottom = grid.boxes[cell].astype(int)
        x, y = int(rng.integers(left + 2, right - 16)), int(rng.integers(top + 2, bottom - 16))
        spotted = pixels.copy()
        spotted[y : y + 14, x : x + 14] = rng.integers(0, 2, 3) * 255
        after, _ = entering(vlm, come_in(spotted))
        changed = (after - before).norm(dim=-1).numpy()
        hits = [changed[: grid.cells].argmax() == cell]
        if grid.wide:
            left, top, right, bottom = grid.wide_boxes[changed[grid.cells :].argmax()]
            hits.append(left <= x + 7 <= right and top <= y + 7 <= bottom)
        found.append(all(hits))
    assert np.mean(found) >= 0.95


def test_low_detail_is_fewer_tokens_of_the_same_picture(kind, vlm, folders, pictures, monkeypatch):
    monkeypatch.setattr(detail, "FEW_TOKENS", 9)
    low = vlmlens.load(str(folders(kind)), detail="low")
    counts = [int((one.prepare(pictures[1], QUESTIONS[0]).segments == Segment.IMAGE).sum()) for one in (vlm, low)]
    assert counts[1] < counts[0] if vlm.family.detail else counts[1] == counts[0]
    grid = low.prepare(pictures[1], QUESTIONS[0]).grid
    assert grid.size == pictures[1].size
    assert grid.covers_all() == vlm.prepare(pictures[1], QUESTIONS[0]).grid.covers_all()


@pytest.mark.parametrize("kind", ["qwen2_vl", "glm4v"])
def test_a_photograph_does_not_become_thousands_of_tokens(kind, folders, pictures, monkeypatch):
    monkeypatch.setattr(detail, "MOST_TOKENS", 20)
    vlm = vlmlens.load(str(folders(kind)))
    assert 10 < (vlm.prepare(pictures[1].resize((2000, 900)), QUESTIONS[0]).segments == Segment.IMAGE).sum() <= 20


def test_a_picture_with_too_many_tiles_is_scaled_down_and_stays_in_place(blinkered):
    """LLaVA-OneVision blends neighbouring cells then: a spot may change most the token next to its own."""
    vlm = blinkered("llava_onevision")
    model, rng = vlm.model.model, np.random.default_rng(0)
    pixels = rng.integers(100, 156, (500, 300, 3), dtype=np.uint8)
    vlm.processor.vision_aspect_ratio = model.config.vision_aspect_ratio = "anyres_max_1"
    try:
        before, grid = entering(vlm, Image.fromarray(pixels))
        assert 1 < grid.cells < 60
        far = []
        for _ in range(TRIALS):
            x, y = rng.integers(20, 280), rng.integers(20, 480)
            spotted = pixels.copy()
            spotted[y - 15 : y + 15, x - 15 : x + 15] = rng.integers(0, 2, 3) * 255
            after, _ = entering(vlm, Image.fromarray(spotted))
            left, top, right, bottom = grid.boxes[(after - before).norm(dim=-1)[: grid.cells].argmax()]
            far.append(max(abs(x - (left + right) / 2) / (right - left), abs(y - (top + bottom) / 2) / (bottom - top)))
        assert np.quantile(far, 0.95) < 1
        assert np.median(far) < 0.5
    finally:
        vlm.processor.vision_aspect_ratio = model.config.vision_aspect_ratio = "anyres_max_9"


def test_variants_and_branches_are_what_single_passes_give(vlm, pictures):
    """Also where only the last position differs, which a decoder that looks back need not run the rest for."""
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    vlm.run(vlm.prepare(pictures[2], QUESTIONS[1]), None)  # of another shape: nothing of it may stay
    keys = np.zeros((3, ready.length), bool)
    keys[1, ready.grid.positions[:4]] = True
    keys[2, ready.segments == Segment.QUESTION] = True
    together, _ = vlm.run(ready, None, [Knockout(keys)])
    for one, row in zip(together, keys, strict=True):
        torch.testing.assert_close(one[None], vlm.run(ready, None, [Knockout(row)])[0], atol=1e-4, rtol=1e-4)
    last = np.zeros(ready.length + 1, bool)
    last[ready.length - 1] = True
    image = ready.segments == Segment.IMAGE
    for rows in ("others", last):
        branches = [Branch(layer, (Knockout(image, rows, (layer,)),)) for layer in range(len(vlm.layers))]
        clean, found = branched(vlm, ready, branches)
        torch.testing.assert_close(clean[None], vlm.run(ready, None)[0], atol=1e-4, rtol=1e-4)
        for logits, branch in zip(found, branches, strict=True):
            alone, _ = vlm.run(ready, None, branch.edits)
            torch.testing.assert_close(logits[None], alone, atol=1e-4, rtol=1e-4)


def test_a_branch_begins_at_its_layer(vlm, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    image, cells = ready.segments == Segment.IMAGE, tuple(int(place) for place in ready.grid.positions[::2])
    later = tuple(range(1, len(vlm.layers)))
    pairs = {  # a branch, and the same in a pass of its own
        Branch(1, (Knockout(image),)): Knockout(image, layers=later),
        Branch(1, (Knockout(image, layers=(0, 2)),)): Knockout(image, layers=(2,)),
        Branch(1, (Scale(1, cells, 0.5),)): Scale(1, cells, 0.5),
        Branch(0, (Replace.zero(2, cells),)): Replace.zero(2, cells),
    }
    _, found = branched(vlm, ready, list(pairs))
    for logits, edit in zip(found, pairs.values(), strict=True):
        torch.testing.assert_close(logits[None], vlm.run(ready, None, [edit])[0], atol=1e-4, rtol=1e-4)


def test_what_is_generated_is_what_plain_transformers_generates(kind, vlm, plain, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    said = plain(kind).generate(**ready.inputs, do_sample=False, max_new_tokens=32)[0, ready.length :]
    assert vlm.generate(ready) == vlm.tokenizer.decode(said, skip_special_tokens=True).strip()
    assert len(said)


def test_a_second_picture_is_told_apart_or_refused(vlm, pictures):
    if not vlm.family.second:
        with pytest.raises(NotApplicable, match=r"second one\.$"):
            vlm.prepare_with(pictures[0], pictures[1], QUESTIONS[0])
        return
    both = vlm.prepare_with(pictures[0], pictures[1], QUESTIONS[0])
    asked = both.inputs["input_ids"][0][both.segments == Segment.QUESTION]
    assert vlm.tokenizer.decode(asked).strip() == QUESTIONS[0]
    assert torch.isfinite(vlm.run(both, None)[0]).all()
    if vlm.family.name == "LLaVA-OneVision":  # which sees each of several pictures as a whole only
        assert both.grid.shape == (6, 6)
        assert (both.segments == Segment.IMAGE).sum() == 2 * (36 + 1)
        return
    first, second = (vlm.prepare(picture, QUESTIONS[0]) for picture in pictures[:2])
    counts = [int((ready.segments == Segment.IMAGE).sum()) for ready in (first, second, both)]
    assert counts[2] == counts[0] + counts[1]
    np.testing.assert_array_equal(both.grid.boxes, first.grid.boxes)
    np.testing.assert_array_equal(both.grid.placed, first.grid.placed)


def test_what_people_look_at_runs_or_is_refused_in_words(vlm, pictures):
    picture, question = pictures[1], QUESTIONS[0]
    trace = vlm.inspect(picture, question)
    np.testing.assert_allclose(budget(trace).share.sum(axis=1), 1, atol=1e-5)
    for mode in MODES:
        after = masking_sweep(vlm, picture, question, mode).after[0]
        assert np.isfinite(after[vlm.whole_from if mode == "zero" else 0 :]).all()
        assert mode == "knockout" or np.isnan(after[: vlm.whole_from]).all()
    places, values = image_maps(trace)
    assert len(places) == len(vlm.layers)
    region = hottest_window(values[0, :, 0].mean(axis=0), trace.grid.shape)
    check = causal_check(vlm, picture, question, trace, region)
    assert 0 <= check.after <= 1
    np.testing.assert_allclose(check.before, trace.answers[0].probability, atol=1e-5)
    case = Case(vlm, picture, question, trace, passes=20)
    made, refusals = [], []
    for name in (name for name in METHODS if name not in ("shapley", "kernel shap")):  # which are like ablation
        try:
            found = explain(name, case)
        except NotApplicable as refusal:
            refusals.append(str(refusal))
            continue
        assert found.values.shape[-1] == trace.grid.cells
        assert np.isfinite(found.values).all()
        made.append(name)
    assert all(words.endswith(".") for words in refusals)
    assert {"raw", "rollout", "value-weighted", "chefer", "lens"} <= set(made)
    assert {"integrated gradients", "occlusion", "ablation"} <= set(made)


def test_a_sheet_of_pixels_is_what_the_eyes_get(kind, vlm, blinkered, pictures):
    """Cut up again it gives the same answer, and a cell of it that is painted over reaches the tokens that show it."""
    for picture in pictures:
        ready = vlm.prepare(picture, QUESTIONS[0])
        with torch.inference_mode():
            eyes = vlm.eyes(ready)
            torch.testing.assert_close(eyes.logits(eyes.pixels), vlm.run(ready, None)[0], atol=1e-5, rtol=1e-5)
    blind = blinkered(kind)
    ready = blind.prepare(pictures[1], QUESTIONS[0])
    grid, found = ready.grid, []

    def see(layer, states):
        if layer == 0:
            found.append(states[:, grid.placed])

    cells = np.linspace(0, grid.cells - 1, 5).astype(int)
    with torch.inference_mode(), blind.listening(), recording(Recorder({}, np.zeros(0), {}, see=see)):
        eyes = blind.eyes(ready)
        sheets = [eyes.pixels, *(torch.where(eyes.cells == cell, 3.0, eyes.pixels) for cell in cells)]
        eyes.logits(torch.cat(sheets))
    changed = (found[0][1:] - found[0][:1]).norm(dim=-1)
    np.testing.assert_array_equal(changed[:, : grid.cells].argmax(dim=1), cells)
    if grid.wide:
        seen = changed[:, grid.cells :].argmax(dim=1).numpy()
        assert all(grid.overlap[token, cell] > 0 for token, cell in zip(seen, cells, strict=True))


@pytest.mark.parametrize(("kind", "part"), [("paligemma", "text_config"), ("llava", "vision_config")])
def test_a_family_made_of_other_parts_is_refused_by_name(kind, part, folders, tmp_path):
    """Pixtral is a LLaVA to transformers; what PaliGemma would be with a decoder of no row, nobody knows."""
    folder = shutil.copytree(folders(kind), tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    config[part] = {"model_type": {"text_config": "gemma3_text", "vision_config": "pixtral"}[part]}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=f"{config[part]['model_type']}”.*{FAMILIES[kind].name}"):
        vlmlens.load(str(folder))
