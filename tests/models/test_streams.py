"""What families promise whose picture is no run of tokens in one decoder's sequence: tiny models of the real classes.

Each has a `Truth`: how plain transformers says what its attention did, and where a mask goes in.
"""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import vlmlens
from vlmlens.attention import MODES, budget, causal_check, contributions, hottest_window, image_maps, masking_sweep
from vlmlens.attention.masking import routes
from vlmlens.attribution import METHODS, Case, explain
from vlmlens.errors import ModelError, NotApplicable, QuestionError
from vlmlens.models.families import STREAMS
from vlmlens.models.inside import branched
from vlmlens.trace import Branch, Knockout, Replace, Scale, Segment, Watch, open_trace
from vlmlens.trace.capture import Recorder, recording

QUESTIONS = ("what color is the circle?", "why?", "is the red square left of the star, or of the circle?")
TRIALS = 40


class Blip:
    """Returns the weights of all its attention, but logits only where it generates."""

    LONGEST = 512
    PIXELS = True

    @staticmethod
    def run(plain, ready, said=()):
        image = plain.vision_model(ready.inputs["pixels"])[0]
        asked = {name: ready.inputs[name] for name in ("input_ids", "attention_mask")}
        encoded = plain.text_encoder(**asked, encoder_hidden_states=image, output_attentions=True)
        start = torch.tensor([[plain.decoder_start_token_id, *said]])
        read = plain.text_decoder(start, encoder_hidden_states=encoded[0], output_attentions=True)
        sides = {
            "text_encoder.encoder.layer.{}.attention": encoded.attentions,
            "text_encoder.encoder.layer.{}.crossattention": encoded.cross_attentions,
            "text_decoder.bert.encoder.layer.{}.crossattention": read.cross_attentions,
        }
        return {name.format(i): w[0] for name, side in sides.items() for i, w in enumerate(side)}

    @staticmethod
    def logits(plain, ready):
        asked = {name: ready.inputs[name] for name in ("input_ids", "attention_mask")}
        said = plain.generate(
            **asked,
            pixel_values=ready.inputs["pixels"],
            max_new_tokens=1,
            output_logits=True,
            return_dict_in_generate=True,
        )
        return said.logits[0]

    @staticmethod
    def generate(plain, ready, **options):
        asked = {name: ready.inputs[name] for name in ("input_ids", "attention_mask")}
        return plain.generate(**asked, pixel_values=ready.inputs["pixels"], **options), 1

    @staticmethod
    def unending(model):
        """What has to be None for an answer not to end."""
        return model.config.text_config, "sep_token_id"

    @staticmethod
    def mask(site):
        """The module that takes a mask for this site, and under which name."""
        return f"{site.name}.self", "attention_mask" if site.kind == "self" else "encoder_attention_mask"


class Mllama:
    """Some of its layers attend to the words, the others to the picture."""

    LONGEST = None  # words of a question
    PIXELS = False  # whether maps of pixels are made

    @staticmethod
    def run(plain, ready, said=()):
        given = {name: value for name, value in ready.inputs.items() if name != "cross_attention_states"}
        more = torch.tensor([said], dtype=torch.long)
        given["input_ids"] = torch.cat([given["input_ids"], more], dim=1)
        given["attention_mask"] = torch.ones_like(given["input_ids"])
        seen = given["cross_attention_mask"]
        given["cross_attention_mask"] = torch.cat([seen, seen[:, -1:].expand(-1, len(said), -1, -1)], dim=1)
        weights = plain(**given, output_attentions=True).attentions
        names = [f"model.language_model.layers.{i}.{'cross_attn' if i == 1 else 'self_attn'}" for i in range(3)]
        return {name: side[0] for name, side in zip(names, weights, strict=True)}

    @staticmethod
    def logits(plain, ready):
        given = {name: value for name, value in ready.inputs.items() if name != "cross_attention_states"}
        return plain(**given).logits[:, -1]

    @staticmethod
    def generate(plain, ready, **options):
        given = {name: value for name, value in ready.inputs.items() if name != "cross_attention_states"}
        return plain.generate(**given, **options), given["input_ids"].shape[1]

    @staticmethod
    def unending(model):
        return model.generation_config, "eos_token_id"

    @staticmethod
    def mask(site):
        return site.name, "attention_mask"


class Florence:
    """An encoder and a decoder, which begins with two tokens."""

    LONGEST = 256
    PIXELS = True

    @staticmethod
    def given(plain, ready, said=()):
        begin = [plain.generation_config.decoder_start_token_id, plain.generation_config.forced_bos_token_id]
        names = ("input_ids", "attention_mask", "pixel_values")
        return {name: ready.inputs[name] for name in names} | {"decoder_input_ids": torch.tensor([[*begin, *said]])}

    @classmethod
    def run(cls, plain, ready, said=()):
        found = plain(**cls.given(plain, ready, said), output_attentions=True)
        sides = {
            "encoder.layers.{}.self_attn": found.encoder_attentions,
            "decoder.layers.{}.self_attn": found.decoder_attentions,
            "decoder.layers.{}.encoder_attn": found.cross_attentions,
        }
        return {
            f"model.language_model.{name.format(i)}": w[0] for name, side in sides.items() for i, w in enumerate(side)
        }

    @classmethod
    def logits(cls, plain, ready):
        return plain(**cls.given(plain, ready)).logits[:, -1]

    @classmethod
    def generate(cls, plain, ready, **options):
        """It makes the second of the tokens that every answer begins with, and so says one more."""
        given = cls.given(plain, ready)
        begin = given.pop("decoder_input_ids")
        found = plain.generate(**given, **options | {"max_new_tokens": options["max_new_tokens"] + 1})
        assert torch.equal(found.sequences[0, :2], begin[0])
        return found, 2

    @staticmethod
    def unending(model):
        return model.generation_config, "eos_token_id"

    @staticmethod
    def mask(site):
        return site.name, "attention_mask"


class Vilt:
    """It shuffles the patches at every pass, so each is made with the same seed, once to learn the order."""

    LONGEST = 40
    PIXELS = True

    @staticmethod
    @torch.inference_mode()
    def both(plain, ready):
        """What plain transformers returns, and where in its sequence each token stands that we put in order."""
        asked = {name: ready.inputs[name] for name in ("input_ids", "attention_mask")}
        seen = {"pixel_values": ready.inputs["pixels"], "pixel_mask": ready.inputs["real"]}
        torch.manual_seed(1)
        _, _, (index, (_, columns)) = plain.vilt.embeddings.visual_embed(*seen.values(), -1)
        torch.manual_seed(1)
        found = plain(**asked, **seen, output_attentions=True)
        words = asked["input_ids"].shape[1]
        patches = (index[0, :, 0] * columns + index[0, :, 1]).argsort()
        assert not torch.equal(patches, patches.sort().values)
        return found, torch.cat([torch.arange(words + 1), words + 1 + patches])

    @classmethod
    def run(cls, plain, ready):
        found, order = cls.both(plain, ready)
        return {
            f"vilt.encoder.layer.{i}.attention": w[0][:, order][:, :, order] for i, w in enumerate(found.attentions)
        }

    @classmethod
    def logits(cls, plain, ready):
        return cls.both(plain, ready)[0].logits

    @staticmethod
    def mask(site):
        return f"{site.name}.attention", 1  # the second of its arguments


TRUTHS = {"blip": Blip, "mllama": Mllama, "florence2": Florence, "vilt": Vilt}


@pytest.fixture(params=STREAMS)
def kind(request):
    return request.param


def said_by(kind, plain, ready, most):
    """The tokens of plain transformers' answer, and the logits that each was taken from."""
    found, begin = TRUTHS[kind].generate(
        plain,
        ready,
        do_sample=False,
        num_beams=1,
        max_new_tokens=most,
        output_logits=True,
        return_dict_in_generate=True,
    )
    said = found.sequences[0, begin:].tolist()
    return said, torch.cat(found.logits)[-len(said) :]


def test_the_rows_that_are_kept_are_those_that_transformers_returns(kind, vlm, plain, pictures):
    for picture, question in itertools.product(pictures, QUESTIONS[:2]):
        ready = vlm.prepare(picture, question)
        logits, recorder = vlm.run(ready, Watch())
        with torch.inference_mode():
            weights = TRUTHS[kind].run(plain(kind), ready)
            torch.testing.assert_close(logits, TRUTHS[kind].logits(plain(kind), ready), atol=1e-4, rtol=1e-4)
        assert set(recorder.kept) == set(weights)
        for name, kept in recorder.kept.items():
            torch.testing.assert_close(kept.attention[0], weights[name][:, kept.rows], atol=1e-5, rtol=0)


def standing(kind, vlm, batch):
    """Where each item's positions stand in the batch, and its readout's after the last: an int array an item."""
    words = batch.inputs["attention_mask"].bool()
    if kind == "vilt":
        words = words.roll(-1, dims=1)  # the answer is read from the first word, which comes last
    picture = batch.image[:, : batch.image.shape[1] - words.shape[1]]
    after = words.new_ones(len(words), len(getattr(vlm, "begin", ())) + 1)
    return [np.flatnonzero(real) for real in torch.cat([picture, words, after], dim=1)]


@torch.inference_mode()
def test_rows_beside_padding_are_those_of_each_item_alone(kind, vlm, plain, pictures):
    """Every row of every layer and head, of pictures and questions of different lengths."""
    pairs = [(picture, question) for picture in pictures for question in QUESTIONS[:2]]
    batch = vlm.batch(*zip(*pairs, strict=True))
    places, alone = standing(kind, vlm, batch), [vlm.prepare(*pair) for pair in pairs]
    assert not batch.inputs["attention_mask"].all()
    assert [len(place) for place in places] == [ready.length + 1 for ready in alone]
    length = max(place[-1] for place in places)
    ids = batch.inputs["input_ids"][:1]
    longest = replace(alone[0], inputs={**alone[0].inputs, "input_ids": ids}, tokens=("",) * length)
    sites = vlm.sites(longest)
    rows = {site.name: site.queries for site in sites.values()}
    recorder = Recorder(sites, np.zeros(length, np.int8), rows, contributions=False)
    with vlm.listening(), recording(recorder):
        vlm.batch_logits(batch)
    for item, (ready, place) in enumerate(zip(alone, places, strict=True)):
        weights = TRUTHS[kind].run(plain(kind), ready)
        assert recorder.kept.keys() == weights.keys()
        for module, single in vlm.sites(ready).items():
            site, found = sites[module], recorder.kept[single.name].attention[item]
            queries = [site.queries.index(position) for position in place[list(single.queries)]]
            keys = [site.keys.index(position) for position in place[list(single.keys)]]
            wanted = torch.zeros(len(found), len(queries), len(site.keys))
            wanted[:, :, keys] = weights[site.name]
            torch.testing.assert_close(found[:, queries], wanted, atol=1e-5, rtol=0)


def test_the_answers_row_is_made_of_the_rows_that_the_answer_is_read_from(kind, vlm, plain, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    trace = vlm.inspect(pictures[1], QUESTIONS[0])
    with torch.inference_mode():
        weights = TRUTHS[kind].run(plain(kind), ready)
    sites = vlm.sites(ready).values()
    readouts = [site for site in sites if site.kind == "readout"]
    last = torch.zeros(ready.length + 1)
    last[ready.row] = 1
    for site in readouts:
        last[list(site.keys)] += weights[site.name][:, -1].mean(0) / len(readouts)
    for site in sites:
        place = [(p.layer, p.kind) for p in trace.places].index((site.layer, site.kind))
        wanted = torch.einsum("q,hqk->hk", last[list(site.queries)], weights[site.name])
        found = trace.record("last").attention[place][:, 0, list(site.keys)]
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_update_is_the_sum_of_its_parts(vlm, pictures):
    for record in vlm.inspect(pictures[0], QUESTIONS[0]).rows.values():
        for parts, update in zip(record.parts, record.update, strict=True):
            np.testing.assert_allclose(parts.sum(axis=1), update, atol=1e-4)
        assert any(update.any() for update in record.update)


def masked(kind, plain, vlm, ready, keys):
    """Logits of plain transformers whose masks block the edges from all other positions to these."""
    modules, handles = dict(plain.named_modules()), []
    others = np.append(~keys, True)
    for site in vlm.sites(ready).values():
        name, keyword = TRUTHS[kind].mask(site)
        blocked = torch.from_numpy(others[list(site.queries), None] & keys[None, list(site.keys)])
        if kind == "vilt":
            order = TRUTHS[kind].both(plain, ready)[1].argsort()
            blocked = blocked[order][:, order]

        def block(_module, args, kwargs, blocked=blocked, keyword=keyword):
            mask = args[keyword] if keyword in range(len(args)) else kwargs.get(keyword)
            mask = torch.zeros(blocked.shape) if mask is None else mask
            mask = mask.masked_fill(blocked, torch.finfo(mask.dtype).min)
            if keyword in range(len(args)):
                return (*args[:keyword], mask, *args[keyword + 1 :]), kwargs
            return args, kwargs | {keyword: mask}

        handles.append(modules[name].register_forward_pre_hook(block, with_kwargs=True))
    try:
        with torch.inference_mode():
            return TRUTHS[kind].logits(plain, ready)
    finally:
        for handle in handles:
            handle.remove()


def test_hiding_positions_is_a_mask_on_every_layer(kind, vlm, plain, pictures):
    for picture in pictures:
        ready = vlm.prepare(picture, QUESTIONS[0])
        image = ready.segments == Segment.IMAGE
        some = np.zeros_like(image)
        some[ready.grid.positions[::3]] = True
        word = np.zeros_like(image)
        word[np.flatnonzero(ready.segments == Segment.QUESTION)[1:3]] = True
        hidden = [some, word, some | word]
        if not any(set(site.keys) <= set(np.flatnonzero(image)) for site in vlm.sites(ready).values()):
            hidden.append(image)  # else some row would be left with nothing, which the mask makes uniform
        for keys in hidden:
            found, _ = vlm.run(ready, None, [Knockout(keys)])
            torch.testing.assert_close(found, masked(kind, plain(kind), vlm, ready, keys), atol=1e-5, rtol=1e-5)
            assert not torch.allclose(found, vlm.run(ready, None)[0], atol=1e-4)


def test_the_question_is_found_whatever_it_says(vlm, pictures):
    for picture, question in itertools.product(pictures, QUESTIONS):
        ready = vlm.prepare(picture, question)
        asked = [ready.tokens[i] for i in np.flatnonzero(ready.segments == Segment.QUESTION)]
        said = vlm.tokenizer.convert_tokens_to_string(asked).strip()
        assert said.replace(" ", "") == question.replace(" ", "")
        image = ready.segments == Segment.IMAGE
        assert set(ready.grid.positions) <= set(np.flatnonzero(image))
        assert len(set(ready.grid.positions)) == ready.grid.cells == np.prod(ready.grid.shape)
        assert ready.grid.size == picture.size


@pytest.mark.parametrize("kind", [kind for kind, truth in TRUTHS.items() if truth.LONGEST])
def test_a_question_that_is_too_long_is_refused_in_words(kind, vlm, pictures):
    with pytest.raises(QuestionError, match="too long"):
        vlm.prepare(pictures[0], "? " * (TRUTHS[kind].LONGEST - 1))


@pytest.fixture(scope="module")
def blinkered(folders):
    """A model whose vision encoder adds nothing in its layers: a patch sees itself alone."""

    @cache
    def of(kind):
        vlm = vlmlens.load(str(folders(kind)))
        ends = [
            module
            for name, module in vlm.model.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
            and name.startswith(("vision_model", "model.vision"))
            and (".layers." in name or ".blocks." in name)
            and name.rpartition(".")[2] in ("out_proj", "o_proj", "fc2", "projection", "proj", "conv1", "conv2")
            and "convs" not in name
        ]
        assert len(ends) >= (0 if kind == "vilt" else 4)  # two layers, two each; ViLT has no such encoder
        with torch.no_grad():
            for end in ends:
                end.weight.zero_()
                if end.bias is not None:
                    end.bias.zero_()
            for name, module in vlm.model.named_modules():
                if ".convs." in name and isinstance(module, nn.Conv2d):  # overlapping, and by chance stronger on a side
                    module.weight[:] = module.weight.mean((-2, -1), keepdim=True)
        return vlm

    return of


def entering(vlm, picture):
    """The patches as they enter the first layer, [cell, width], and the grid."""
    ready = vlm.prepare(picture, QUESTIONS[0])
    found = {}
    recorder = Recorder({}, np.zeros(0), {}, see=lambda layer, states: found.setdefault(layer, states[0]))
    with torch.inference_mode(), vlm.listening(), recording(recorder):
        vlm.logits(ready)
    return found[0][ready.grid.positions], ready.grid


def test_a_spot_changes_most_the_token_whose_box_holds_it(kind, blinkered, shape):
    height, width, come_in = shape
    vlm = blinkered(kind)
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 156, (height, width, 3), dtype=np.uint8)
    before, grid = entering(vlm, come_in(pixels))
    assert grid.size == (width, height)
    sides = grid.boxes[:, 2:] - grid.boxes[:, :2]
    roomy = np.flatnonzero((sides > 20).all(axis=1))  # not those that the picture's edge cuts to slivers
    assert len(roomy) > 0.8 * grid.cells
    found = []
    for _ in range(TRIALS):
        cell = int(rng.choice(roomy))
        left, top, right, bottom = grid.boxes[cell].astype(int)
        x, y = int(rng.integers(left + 2, right - 16)), int(rng.integers(top + 2, bottom - 16))
        spotted = pixels.copy()
        spotted[y : y + 14, x : x + 14] = rng.integers(0, 2, 3) * 255
        after, _ = entering(vlm, come_in(spotted))
        found.append(int((after - before).norm(dim=-1).argmax()) == cell)
    assert np.mean(found) >= 0.95


def test_variants_and_branches_are_what_single_passes_give(vlm, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    keys = np.zeros((3, ready.length), bool)
    keys[1, ready.grid.positions[:4]] = True
    keys[2, ready.segments == Segment.QUESTION] = True
    together, _ = vlm.run(ready, None, [Knockout(keys)])
    for one, row in zip(together, keys, strict=True):
        torch.testing.assert_close(one[None], vlm.run(ready, None, [Knockout(row)])[0], atol=1e-4, rtol=1e-4)
    cells = tuple(int(place) for place in ready.grid.positions[::2])
    words = tuple(np.flatnonzero(ready.segments == Segment.QUESTION).tolist())
    layers = sorted({site.layer for site in vlm.sites(ready).values()})
    later = tuple(layer for layer in layers if layer >= 1)
    image = ready.segments == Segment.IMAGE
    pairs = {  # a branch, and the same in a pass of its own
        Branch(1, (Knockout(image),)): Knockout(image, layers=later),
        Branch(1, (Scale(1, cells, -1.0),)): Scale(1, cells, -1.0),
        Branch(layers[-1], (Replace.zero(layers[-1], words),)): Replace.zero(layers[-1], words),
    }
    clean, found = branched(vlm, ready, list(pairs))
    torch.testing.assert_close(clean[None], vlm.run(ready, None)[0], atol=1e-4, rtol=1e-4)
    for logits, edit in zip(found, pairs.values(), strict=True):
        alone = vlm.run(ready, None, [edit])[0]
        torch.testing.assert_close(logits[None], alone, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(alone, clean[None], atol=1e-5)


def test_what_is_generated_is_what_plain_transformers_generates(kind, vlm, plain, pictures):
    ready = vlm.prepare(pictures[1], QUESTIONS[0])
    if not vlm.model.can_generate():
        assert vlm.generate(ready) == ""
        return
    said, _ = said_by(kind, plain(kind), ready, 32)
    assert vlm.generate(ready) == vlm.tokenizer.decode(said, skip_special_tokens=True).strip()
    assert len(said)
    assert int(said[0]) == vlm.inspect(pictures[1], QUESTIONS[0]).answers[0].candidate


STEPS = 8
SPEAKING = [kind for kind in STREAMS if kind != "vilt"]  # which names its answer in one pass


def check_steps(kind, trace, vlm, plain, ready):
    """Every row of the answer's against one eager pass, without a cache, over everything that was said."""
    with torch.inference_mode():
        weights = TRUTHS[kind].run(plain, ready, [step.token.candidate for step in trace.steps])
    sites, count = vlm.sites(ready).values(), len(trace.steps)
    readouts = [site for site in sites if site.kind == "readout"]
    first = ready.length - 1 if ready.row < ready.length else trace.length
    assert trace.rows["answer"].positions == (first, *range(ready.length, trace.length - 1))
    for step in range(count):
        read = torch.zeros(trace.length)  # how much of each position's row the answer's is made of, but for its own
        for site in readouts:
            read[list(site.keys)] += weights[site.name][:, step - count - 1].mean(0) / len(readouts)
        for site in sites:
            every = weights[site.name]
            speaks = site.kind == "readout" or every.shape[1] > len(site.queries)
            wanted = torch.zeros(every.shape[0], trace.length)
            keys = [*site.keys, *range(ready.length, trace.length)][: every.shape[2]]
            rows = every[:, step - count - 1] if speaks else torch.einsum("q,hqk->hk", read[list(site.queries)], every)
            wanted[:, keys] = rows
            place = [(p.layer, p.kind) for p in trace.places].index((site.layer, site.kind))
            np.testing.assert_allclose(trace.record("answer").attention[place][:, step], wanted, atol=1e-5)


@pytest.mark.parametrize("kind", SPEAKING)
def test_every_step_has_the_row_of_eager_attention_and_the_token_of_plain_generate(
    kind, vlm, plain, pictures, monkeypatch
):
    for model in (vlm.model, plain(kind)):
        monkeypatch.setattr(*TRUTHS[kind].unending(model), None)
    for picture in pictures:
        ready = vlm.prepare(picture, QUESTIONS[0])
        trace = vlm.inspect(picture, QUESTIONS[0], new_tokens=STEPS)
        said, logits = said_by(kind, plain(kind), ready, STEPS)
        assert [step.token.candidate for step in trace.steps] == said
        assert len(said) == STEPS
        assert trace.tokens[ready.length :] == tuple(map(vlm.text_of, said))
        for step, token, row in zip(trace.steps, said, logits.softmax(-1), strict=True):
            assert step.token.probability == pytest.approx(float(row[token]), abs=1e-5)
        check_steps(kind, trace, vlm, plain(kind), ready)


@pytest.mark.parametrize("kind", SPEAKING)
def test_a_given_answer_is_scored_and_its_rows_are_those_of_one_pass(kind, vlm, plain, pictures):
    trace = vlm.inspect(pictures[1], QUESTIONS[0], answer="red circle")
    ids = vlm.tokenizer("red circle", add_special_tokens=False)["input_ids"]
    assert [step.token.candidate for step in trace.steps] == ids
    assert trace.answers == vlm.inspect(pictures[1], QUESTIONS[0], new_tokens=0).answers
    check_steps(kind, trace, vlm, plain(kind), vlm.prepare(pictures[1], QUESTIONS[0]))


def test_what_a_checkpoint_asks_of_generation_changes_no_given_answer(load, plain, pictures, monkeypatch):
    """The published Florence-2 asks for beams, no repetition, and an end where the tokens run out."""
    vlm, answer = load("florence2"), "red red red red red red"
    end = vlm.tokenizer.eos_token_id
    settings = {"num_beams": 3, "no_repeat_ngram_size": 3, "forced_eos_token_id": end, "eos_token_id": end}
    for model in (vlm.model, plain("florence2")):
        for name, value in settings.items():
            monkeypatch.setattr(model.generation_config, name, value)
    assert vlm.inspect(pictures[0], QUESTIONS[0], answer=answer).text == answer
    ready = vlm.prepare(pictures[0], QUESTIONS[0])
    said, _ = said_by("florence2", plain("florence2"), ready, STEPS)
    trace = vlm.inspect(pictures[0], QUESTIONS[0], new_tokens=STEPS)
    assert [step.token.candidate for step in trace.steps] == said[: len(trace.steps)]
    assert set(said[len(trace.steps) :]) == {end}


def test_signs_that_stand_for_places_are_part_of_an_answer(load, pictures):
    """Published tokenizers of Florence-2 count them among their signs; the tiny one's picture token stands for one."""
    vlm = load("florence2")
    trace = vlm.inspect(pictures[0], QUESTIONS[0], answer="red<image></s>")
    assert [step.token.candidate for step in trace.steps][-1] == vlm.model.config.image_token_id
    assert trace.text == "red"


def test_what_people_look_at_runs_or_is_refused_in_words(kind, vlm, pictures, tmp_path):
    picture, question = pictures[1], QUESTIONS[0]
    trace = vlm.inspect(picture, question)
    trace.save(tmp_path / "trace.safetensors")
    assert open_trace(tmp_path / "trace.safetensors").answers == trace.answers
    assert len({place.label for place in trace.places}) == len(trace.places)
    shares = budget(trace).share
    np.testing.assert_allclose(shares[~np.isnan(shares).any(axis=1)].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(contributions(trace).share.sum(axis=1), 1, atol=1e-5)
    ready = vlm.prepare(picture, question)
    assert routes(vlm, ready)
    for mode, route in [("zero", "image to last"), *(("knockout", route) for route in routes(vlm, ready))]:
        assert mode in MODES
        sweep = masking_sweep(vlm, picture, question, mode, route)
        assert np.isfinite(sweep.after).any()
        assert np.isfinite(sweep.before).all()
    with pytest.raises(NotApplicable, match="one picture"):
        vlm.prepare_with(picture, picture, question)
    places, values = image_maps(trace)
    assert places
    assert (values > 0).any(axis=(1, 2, 3)).all()
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
        assert found.values.any()
        made.append(name)
    assert all(words.endswith(".") for words in refusals)
    assert {"raw", "rollout", "value-weighted", "chefer"} <= set(made)
    assert ({"gradcam", "ablation"} <= set(made)) == TRUTHS[kind].PIXELS


def test_no_other_answer_is_scored_than_its_first_word(load, pictures):
    vlm = load("vilt")
    with pytest.raises(NotApplicable, match="no other answer"):
        vlm.inspect(pictures[0], QUESTIONS[0], answer="red")


def test_blip_for_captions_is_refused_by_name(folders, tmp_path):
    config = (folders("blip") / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace("ForQuestionAnswering", "ForConditionalGeneration"))
    with pytest.raises(ModelError, match="BlipForConditionalGeneration"):
        vlmlens.load(str(tmp_path))


def test_what_a_gate_lets_through_is_what_counts(load, pictures):
    vlm = load("mllama")
    ready = vlm.prepare(pictures[0], QUESTIONS[0])
    layer, heard = vlm.layers[1], {}
    handle = layer.cross_attn.register_forward_hook(lambda _module, _args, output: heard.update(output=output[0]))
    try:
        trace = vlm.inspect(pictures[0], QUESTIONS[0])
        vlm.logits(ready)
    finally:
        handle.remove()
    place = [place.kind for place in trace.places].index("cross")
    wanted = layer.cross_attn_attn_gate.tanh() * heard["output"][0, -1]
    np.testing.assert_allclose(trace.record("last").update[place][0], wanted.detach(), atol=1e-5)
