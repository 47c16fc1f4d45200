"""What families promise whose picture comes through a Q-Former: tiny models of the real classes."""

import itertools
import re
from functools import cache

import numpy as np
import pytest
import torch

import vlmlens
from vlmlens.attention import (
    MODES,
    budget,
    causal_check,
    contrast,
    contributions,
    every_row,
    hottest_window,
    image_maps,
    masking_sweep,
    seen,
    suppress,
)
from vlmlens.attention.masking import routes
from vlmlens.attribution import METHODS, Case, explain
from vlmlens.attribution.from_attention import raw_map
from vlmlens.errors import ModelError, NotApplicable, QuestionError
from vlmlens.models.families import RESAMPLED
from vlmlens.models.inside import branched
from vlmlens.trace import Branch, Knockout, Replace, Scale, Segment, Site, Watch, open_trace
from vlmlens.trace.capture import Recorder, recording
from vlmlens.trace.writing import output_projection

QUESTIONS = ("what color is the circle?", "why?", "is the red square left of the star, or of the circle?")
TRIALS = 40
STEPS = 8
LEAN = Watch(rows=("last",), contributions=False)


@pytest.fixture(params=RESAMPLED)
def kind(request):
    return request.param


def asked(ready):
    """What a plain model is given."""
    return {name: value for name, value in ready.inputs.items() if name != "image"}


def read(plain, ready):
    """What the Q-Former's queries read, [layer, head, query, 1 + patch]."""
    found = {}

    def ask(_module, args, kwargs):
        return args, kwargs | {"output_attentions": True}

    def heard(_module, _args, output):
        found["cross"] = torch.stack([weights[0] for weights in output.cross_attentions])

    handles = [
        plain.qformer.register_forward_pre_hook(ask, with_kwargs=True),
        plain.qformer.register_forward_hook(heard),
    ]
    try:
        plain(**asked(ready))
    finally:
        for handle in handles:
            handle.remove()
    return found["cross"]


@torch.inference_mode()
def test_the_rows_that_are_kept_are_those_that_transformers_returns(kind, vlm, plain, pictures):
    for picture, question in itertools.product(pictures, QUESTIONS[:2]):
        ready = vlm.prepare(picture, question)
        logits, recorder = vlm.run(ready, Watch())
        found = plain(kind)(**asked(ready), output_attentions=True)
        torch.testing.assert_close(logits, found.logits[:, -1], atol=1e-4, rtol=1e-4)
        weights = found.language_model_outputs.attentions
        assert len(recorder.kept) == len(weights)
        for kept, wanted in zip(recorder.kept.values(), weights, strict=True):
            torch.testing.assert_close(kept.attention[0], wanted[0][:, kept.rows], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_rows_beside_padding_are_those_that_transformers_returns(kind, vlm, plain, pictures):
    """Words are padded between the queries and themselves; padding takes up no place."""
    batch = vlm.batch(pictures, QUESTIONS)
    ids, real = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    assert not real.all()
    every = tuple(range(ids.shape[1]))
    sites = {module: Site(f"{i}", i, "self", every, every) for i, module in enumerate(vlm.attention)}
    recorder = Recorder(sites, np.zeros(len(every), np.int8), {site.name: every[-1:] for site in sites.values()})
    with vlm.listening(), recording(recorder):
        vlm.batch_logits(batch)
    pixels = [vlm.prepare(*pair).inputs["pixel_values"] for pair in zip(pictures, QUESTIONS, strict=True)]
    given = {name: value for name, value in batch.inputs.items() if name != "image"}
    places = (real.cumsum(1) - 1).clamp_min(0)
    found = plain(kind)(**given, pixel_values=torch.cat(pixels), position_ids=places, output_attentions=True)
    for site, weights in zip(sites.values(), found.language_model_outputs.attentions, strict=True):
        torch.testing.assert_close(recorder.kept[site.name].attention, weights[:, :, -1:], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_parts_of_an_update_are_what_the_layer_adds(vlm, pictures):
    """Without the projection's bias, which comes from no key. The perceptron behind attention is silenced."""
    ready, states = vlm.prepare(pictures[1], QUESTIONS[0]), {}
    sites = vlm.sites(ready)
    every = {site.name: site.queries for site in sites.values()}
    recorder = Recorder(sites, ready.segments, every, after=vlm.after, see=states.__setitem__)
    ends = [getattr(layer, "mlp", None) or layer.fc2 for layer in vlm.layers]
    silenced = [end.register_forward_hook(lambda *_: torch.zeros_like(_[2])) for end in ends]
    try:
        with vlm.listening(), recording(recorder):
            logits = vlm.logits(ready)
    finally:
        for handle in silenced:
            handle.remove()
    for layer, (module, site) in enumerate(sites.items()):
        bias = output_projection(module).bias
        added = states[layer + 1][0] - states[layer][0] - (0 if bias is None else bias)
        assert added.norm() > 0
        torch.testing.assert_close(recorder.kept[site.name].update[0], added, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(recorder.kept[site.name].parts[0].sum(1), added, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(vlm.read_out(states[len(vlm.layers)][:, -1]), logits, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_map_is_attention_to_the_queries_times_what_the_queries_read(kind, vlm, plain, pictures):
    for picture, question in itertools.product(pictures, QUESTIONS[:2]):
        ready = vlm.prepare(picture, question)
        trace = vlm.inspect(picture, question, new_tokens=0)
        through = read(plain(kind), ready).mean(dim=(0, 1))[:, 1:]
        through = through / through.sum(dim=1, keepdim=True)
        places, values = image_maps(trace)
        weights = plain(kind)(**asked(ready), output_attentions=True).language_model_outputs.attentions
        assert len(places) == len(weights)
        for found, attention in zip(values, weights, strict=True):
            np.testing.assert_allclose(found[:, 0], attention[0, :, -1, : len(through)] @ through, atol=1e-5)
        assert seen(trace).all()
        assert trace.grid.size == picture.size


@torch.inference_mode()
def test_every_step_of_an_answer_is_what_transformers_returns(kind, vlm, plain, pictures):
    picture, question = pictures[1], QUESTIONS[0]
    trace = vlm.inspect(picture, question, new_tokens=STEPS)
    ready = vlm.prepare(picture, question)
    asks = ready.inputs["input_ids"].shape[1]
    said = plain(kind).generate(**asked(ready), do_sample=False, max_new_tokens=STEPS)
    ids = [step.token.candidate for step in trace.steps]
    assert len(ids) == STEPS
    assert said[0, asks:].tolist() == ids
    every = torch.cat([ready.inputs["input_ids"], torch.tensor([ids])], dim=1)
    whole = {**asked(ready), "input_ids": every, "attention_mask": torch.ones_like(every)}
    found = plain(kind)(**whole, output_attentions=True)
    chances = found.logits[0, asks - 1 :].softmax(-1)
    before = ready.length - asks
    record = trace.record("answer")
    for step, token in enumerate(ids):
        np.testing.assert_allclose(trace.steps[step].token.probability, chances[step, token], atol=1e-5)
        for kept, weights in zip(record.attention, found.language_model_outputs.attentions, strict=True):
            row = weights[0, :, asks - 1 + step]
            wanted = np.pad(row[:, : asks + step].numpy(), ((0, 0), (before, STEPS - step)))
            np.testing.assert_allclose(kept[:, step], wanted, atol=1e-5)
    given = vlm.inspect(picture, question, answer=vlm.tokenizer.decode(ids[:1]))
    assert given.answers[0].candidate == ids[0]


@torch.inference_mode()
def masked(plain, vlm, ready, keys):
    """Logits of plain transformers whose masks block the edges from all other positions to these."""
    modules, handles = dict(plain.named_modules()), []
    others = np.append(~keys, True)
    for site in vlm.recorder(ready, None).sites.values():
        blocked = torch.from_numpy(others[list(site.queries), None] & keys[None, list(site.keys)])
        cross = site.kind == "cross"
        name, keyword = (
            (f"{site.name}.crossattention", "encoder_attention_mask") if cross else (site.name, "attention_mask")
        )

        def block(_module, args, kwargs, blocked=blocked, keyword=keyword):
            mask = kwargs.get(keyword)
            mask = torch.zeros(blocked.shape)[None, None] if mask is None else mask
            return args, kwargs | {keyword: mask.masked_fill(blocked, torch.finfo(mask.dtype).min)}

        handles.append(modules[name].register_forward_pre_hook(block, with_kwargs=True))
    try:
        return plain(**asked(ready)).logits[:, -1]
    finally:
        for handle in handles:
            handle.remove()


def test_hiding_positions_is_a_mask_on_every_layer(kind, vlm, plain, pictures):
    """Patches are hidden from the Q-Former, queries and words from the decoder."""
    for picture in pictures:
        ready = vlm.prepare(picture, QUESTIONS[0])
        image = ready.segments == Segment.IMAGE
        some, word, query = np.zeros((3, ready.length), bool)
        some[ready.grid.positions[::3]] = True
        word[np.flatnonzero(ready.segments == Segment.QUESTION)[1:3]] = True
        query[ready.grid.wide_positions[:2]] = True
        for keys in (some, word, query, some | word | query, image):
            found, _ = vlm.run(ready, None, [Knockout(keys)])
            torch.testing.assert_close(found, masked(plain(kind), vlm, ready, keys), atol=1e-5, rtol=1e-5)
            assert not torch.allclose(found, vlm.run(ready, None)[0], atol=1e-4)


def test_hiding_a_cell_hides_its_patch_and_no_query(vlm, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    cells = np.random.default_rng(0).random((4, ready.grid.cells)) < 0.3
    hidden = ready.grid.tokens(cells, ready.length)
    for cell, keys in zip(cells, hidden, strict=True):
        assert set(np.flatnonzero(keys)) == set(ready.grid.positions[cell])
    candidate = int(vlm.run(ready, None)[0].argmax())
    together = vlm.answer_probability(pictures[1], QUESTIONS[0], candidate, cells)
    for found, keys in zip(together, hidden, strict=True):
        alone = vlm.run(ready, None, [Knockout(keys)])[0].softmax(-1)[0, candidate]
        np.testing.assert_allclose(found, alone, atol=1e-6)
    assert len(set(together.tolist())) == len(cells)


def test_the_question_is_found_whatever_it_says(vlm, pictures):
    for picture, question in itertools.product(pictures, QUESTIONS):
        ready = vlm.prepare(picture, question)
        said = [ready.tokens[i] for i in np.flatnonzero(ready.segments == Segment.QUESTION)]
        assert "".join(said).replace("␣", "") == question.replace(" ", "")
        image = ready.segments == Segment.IMAGE
        assert set(ready.grid.placed) | set(ready.aside) == set(np.flatnonzero(image))


def test_what_cannot_be_asked_is_refused_in_words(kind, vlm, pictures):
    signs = ["<image>"]
    if kind == "instructblip":
        signs += vlm.processor.qformer_tokenizer.all_special_tokens
        with pytest.raises(QuestionError, match="too long"):
            vlm.prepare(pictures[0], "? " * 64)
    for sign in signs:
        with pytest.raises(QuestionError, match=re.escape(sign)):
            vlm.prepare(pictures[0], f"what is {sign} here?")
    with pytest.raises(NotApplicable, match="one picture"):
        vlm.prepare_with(pictures[0], pictures[0], QUESTIONS[0])


@pytest.fixture(scope="module")
def drawn(folders):
    """A model whose tower adds nothing in its layers, and whose queries all read what is brightest."""

    @cache
    def of(kind):
        vlm = vlmlens.load(str(folders(kind)))
        tower, model = vlm.model.vision_model, vlm.model
        with torch.no_grad():
            for layer in tower.encoder.layers:
                for end in (layer.self_attn.projection, layer.mlp.fc2):
                    end.weight.zero_()
                    end.bias.zero_()
            tower.embeddings.position_embedding[..., 0] = 0
            eye = tower.embeddings.patch_embedding
            eye.weight[0] = 10 / eye.weight[0].numel()
            eye.bias[0] = -4  # between grey and what a bright spot lifts its patch to
            tower.post_layernorm.weight.fill_(1)
            for layer in model.qformer.encoder.layer:
                if layer.has_cross_attention:
                    asks = layer.crossattention.attention
                    asks.query.weight.zero_()
                    asks.query.bias.fill_(30)
                    asks.key.weight.zero_()
                    asks.key.weight[:, 0] = 1
        return vlm

    return of


def test_the_map_peaks_where_the_queries_read(kind, drawn, shape):
    """Also where the eye sees it: the spot goes through resizing, and the patches through the Q-Former's order."""
    height, width, come_in = shape
    vlm, rng, found = drawn(kind), np.random.default_rng(0), []
    pixels = rng.integers(100, 156, (height, width, 3), dtype=np.uint8)
    boxes = vlm.prepare(come_in(pixels), QUESTIONS[0]).grid.boxes.astype(int)
    for _ in range(TRIALS):
        cell = int(rng.integers(len(boxes)))
        left, top, right, bottom = boxes[cell]
        x, y = int(rng.integers(left + 1, right - 32)), int(rng.integers(top + 1, bottom - 32))
        spotted = pixels.copy()
        spotted[y : y + 30, x : x + 30] = 255
        trace = vlm.inspect(come_in(spotted), QUESTIONS[0], new_tokens=0, watch=LEAN)
        _, values = image_maps(trace)
        found.append(bool((values[:, :, 0].mean(axis=1).argmax(axis=-1) == cell).all()))
        shown = trace.grid.shown()
        assert all(cell in shown[position] for position in trace.grid.wide_positions) or not found[-1]
    assert np.mean(found) >= 0.95


def test_variants_and_branches_are_what_single_passes_give(vlm, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    image = ready.segments == Segment.IMAGE
    words = tuple(np.flatnonzero(ready.segments == Segment.QUESTION).tolist())
    last = np.zeros(ready.length + 1, bool)
    last[ready.length - 1] = True
    later = tuple(range(1, len(vlm.layers)))
    pairs = {  # a branch, and the same in a pass of its own
        Branch(1, (Knockout(image),)): Knockout(image, layers=later),
        Branch(1, (Scale(1, tuple(ready.grid.wide_positions), -1.0),)): Scale(
            1, tuple(ready.grid.wide_positions), -1.0
        ),
        Branch(2, (Replace.zero(2, words),)): Replace.zero(2, words),
    }
    at_the_end = Knockout(image, last, (1,))
    for chosen in (pairs, {Branch(1, (at_the_end,)): at_the_end}):  # the second goes another way, through a cache
        clean, found = branched(vlm, ready, list(chosen))
        torch.testing.assert_close(clean[None], vlm.run(ready, None)[0], atol=1e-4, rtol=1e-4)
        for logits, edit in zip(found, chosen.values(), strict=True):
            alone = vlm.run(ready, None, [edit])[0]
            torch.testing.assert_close(logits[None], alone, atol=1e-4, rtol=1e-4)
            assert not torch.allclose(alone, clean[None], atol=1e-5)


def test_what_people_look_at_runs_or_is_refused_in_words(vlm, pictures, tmp_path):
    picture, question = pictures[1], QUESTIONS[0]
    trace = vlm.inspect(picture, question, new_tokens=3)
    trace.save(tmp_path / "trace.safetensors")
    again = open_trace(tmp_path / "trace.safetensors")
    assert again.answers == trace.answers
    np.testing.assert_array_equal(image_maps(again)[1], image_maps(trace)[1])
    assert all("through the Q-Former" in place.label for place in trace.places)
    assert "through the Q-Former" in raw_map(again).note
    np.testing.assert_allclose(budget(trace).share.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(contributions(trace).share.sum(axis=1), 1, atol=1e-5)
    shares = every_row(vlm, picture, question).share
    ready = vlm.prepare(picture, question)
    assert np.isnan(shares[:, : vlm.before]).all()
    np.testing.assert_allclose(shares[:, vlm.before : ready.length].sum(axis=-1), 1, atol=1e-5)
    for mode, route in [("zero", "image to last"), *(("knockout", route) for route in routes(vlm, ready))]:
        assert mode in MODES
        sweep = masking_sweep(vlm, picture, question, mode, route)
        assert np.isfinite(sweep.after).any()
        assert np.isfinite(sweep.before).all()
    _, values = image_maps(trace)
    check = causal_check(vlm, picture, question, trace, hottest_window(values[0, :, 0].mean(axis=0), trace.grid.shape))
    assert 0 <= check.after <= 1
    np.testing.assert_allclose(check.before, trace.answers[0].probability, atol=1e-5)
    with pytest.raises(NotApplicable, match="enter no layer"):
        suppress(vlm, picture, question, trace, contrast(trace, early=0, late=2))
    case = Case(vlm, picture, question, trace, passes=20)
    refused = {}
    for name in (name for name in METHODS if name not in ("shapley", "kernel shap")):  # which are like ablation
        try:
            found = explain(name, case)
        except NotApplicable as refusal:
            refused[name] = str(refusal)
            continue
        assert found.values.shape[-1] == trace.grid.cells
        assert np.isfinite(found.values).all()
        assert found.values.any()
        assert ("through the Q-Former" in found.note) == METHODS[name].spread
    assert set(refused) == {"lens"}
    assert "no layer" in refused["lens"]


def test_other_makes_are_refused_by_name(kind, folders, tmp_path):
    config = (folders(kind) / "config.json").read_text()
    made = RESAMPLED[kind].architecture
    (tmp_path / "config.json").write_text(config.replace(made, "Blip2ForImageTextRetrieval"))
    with pytest.raises(ModelError, match=f"Blip2ForImageTextRetrieval.*{made}"):
        vlmlens.load(str(tmp_path))
    decoder = RESAMPLED[kind].decoders[0]
    (tmp_path / "config.json").write_text(config.replace(f'"{decoder}"', '"t5"'))
    with pytest.raises(ModelError, match=f"“t5” decoder.*{RESAMPLED[kind].name}"):
        vlmlens.load(str(tmp_path))


def test_only_one_of_the_two_lets_the_question_into_the_q_former(kind, vlm, pictures):
    first, other = (vlm.prepare(pictures[0], question).grid.through for question in QUESTIONS[:2])
    assert np.allclose(first, other) == (kind == "blip-2")
