"""Every step of an answer, listened to: eight tokens of the tiny model of every family, against plain transformers."""

import runpy
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoModelForImageTextToText, LlavaForConditionalGeneration, MistralConfig

import vlmlens
from vlmlens.attention import budget, contributions, image_maps
from vlmlens.errors import NotApplicable, QuestionError
from vlmlens.models.families import FAMILIES, ROWS
from vlmlens.models.generation import generate
from vlmlens.progress import Cancelled, Progress
from vlmlens.trace import Knockout, Segment, Watch, open_trace, trace_bytes
from vlmlens.trace.capture import recording

tiny = runpy.run_path(str(Path(__file__).with_name("tiny.py")))
QUESTION = "what color is the circle?"
OTHER = "please look at this picture and describe it in one sentence"
STEPS = 8
SPEAKING = [kind for kind in ROWS if kind != "vilt"]  # which names its answer in one pass
in_one_sequence = pytest.mark.parametrize("kind", FAMILIES)  # of the others, test_streams.py has the truth


def unending(model):
    """The model, without the end that the tiny ones put to whatever they say."""
    model.generation_config.eos_token_id = None
    if model.config.model_type == "blip":  # which asks there
        model.config.text_config.sep_token_id = None
    return model


@pytest.fixture(scope="module")
def load(folders):
    @cache
    def of(kind):
        vlm = vlmlens.load(str(folders(kind)))
        unending(vlm.model)
        return vlm

    return of


@pytest.fixture(params=SPEAKING)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def eager(folders):
    @cache
    def of(kind):
        folder = folders(kind)
        return unending(AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval())

    return of


def same(one, other):
    assert one.answers == other.answers
    assert one.steps == other.steps
    assert one.rows.keys() == other.rows.keys()
    for name, record in one.rows.items():
        for field in ("attention", "visible", "parts", "update"):
            for ours, theirs in zip(getattr(record, field), getattr(other.rows[name], field), strict=True):
                np.testing.assert_array_equal(ours, theirs)


@in_one_sequence
def test_every_step_has_the_row_of_eager_attention_and_the_token_of_plain_generate(kind, vlm, eager, pictures):
    for picture in pictures[:2]:
        trace = vlm.inspect(picture, QUESTION, new_tokens=STEPS)
        ready = vlm.prepare(picture, QUESTION)
        plain = eager(kind).generate(
            **ready.inputs,
            do_sample=False,
            max_new_tokens=STEPS,
            return_dict_in_generate=True,
            output_attentions=True,
            output_logits=True,
        )
        said = plain.sequences[0, ready.length :].tolist()
        assert len(said) == STEPS
        assert [step.token.candidate for step in trace.steps] == said
        assert trace.tokens[ready.length :] == tuple(map(vlm.text_of, said))
        assert trace.text == vlm.tokenizer.decode(said, skip_special_tokens=True).strip()
        assert trace.rows["last"].positions == (ready.length - 1,)
        assert trace.rows["answer"].positions == tuple(range(ready.length - 1, ready.length - 1 + STEPS))
        rows, visible = trace.attention("answer"), trace.visible("answer")
        for step, (layers, logits) in enumerate(zip(plain.attentions, plain.logits, strict=True)):
            now = ready.length + step
            for row, layer in zip(rows[:, :, step], layers, strict=True):
                wanted = layer[0, :, -1].numpy()  # [head, key]; a sliding window's cache holds the last keys alone
                begin = now - wanted.shape[-1]
                np.testing.assert_allclose(row[:, begin:now], wanted, atol=1e-5)
                assert not row[:, :begin].any()
                assert not row[:, now:].any()
            np.testing.assert_array_equal(visible[step], np.arange(trace.length) < now)
            chance = float(logits[0].softmax(-1)[said[step]])
            assert trace.steps[step].token.probability == pytest.approx(chance, abs=1e-5)
            assert trace.steps[step].ranked[0] == trace.steps[step].token


def encodes(trace, place):
    """Whether this is a layer of an encoder, which runs once and before the answer's first token."""
    readouts = [other.layer for other in trace.places if other.kind == "readout"]
    return bool(readouts) and place.layer < min(readouts)


def test_every_steps_update_is_the_sum_of_its_parts(vlm, pictures):
    trace = vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS)
    record = trace.rows["answer"]
    for parts, update, visible in zip(record.parts, record.update, record.visible, strict=True):
        assert parts.shape[:2] == (STEPS, len(Segment))
        np.testing.assert_allclose(parts.sum(axis=1), update, atol=1e-4)
        said = visible[:, trace.segments == Segment.ANSWER].any(axis=1)
        assert not said[0]  # there is no answer yet to read from
        np.testing.assert_array_equal(np.linalg.norm(parts[:, Segment.ANSWER], axis=1) > 0, said)
    looks_back = [place.kind == "self" and not encodes(trace, place) for place in trace.places]
    np.testing.assert_array_equal([v[1:, trace.segments == Segment.ANSWER].any() for v in record.visible], looks_back)


def test_listening_changes_no_bit_of_any_step(vlm, pictures):
    ready = vlm.prepare(pictures[1], QUESTION)
    greedy = {"do_sample": False, "max_new_tokens": STEPS, "return_dict_in_generate": True, "output_logits": True}
    with torch.inference_mode():
        speaker, given = vlm._spoken(ready)
        plain = speaker.generate(**given.inputs, **greedy)
    recorder = vlm.recorder(ready, Watch())
    with vlm.lock, vlm.listening(), torch.inference_mode(), recording(recorder):
        ids, passes, logits = generate(*vlm._spoken(ready), recorder, STEPS, watched=True)
    assert ids == plain.sequences[0, -STEPS:].tolist()
    assert torch.equal(logits, torch.cat(plain.logits))
    assert passes[0].kept.keys() == {site.name for site in vlm.sites(ready).values()}
    trace = vlm.inspect(pictures[1], QUESTION, new_tokens=0)
    speaking = [place.label for place in trace.places if not encodes(trace, place)]
    named = {site.name for site in vlm.sites(ready).values() if site.label in speaking}
    assert [heard.kept.keys() for heard in passes[1:]] == [named] * (STEPS - 1)


def test_nothing_is_left_of_an_answer_that_was_broken_off(vlm, pictures, hooks):
    class Impatient(Progress):
        def step(self, fraction, doing=""):
            super().step(fraction, doing)
            if doing.startswith("token 3 "):
                self.cancel()

    before, there = vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS), hooks(vlm)
    with pytest.raises(Cancelled):
        vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS, progress=Impatient())
    assert hooks(vlm) == there
    calls = []

    def breaking(*_):
        calls.append(None)
        if len(calls) == 4:
            raise ZeroDivisionError

    handle = vlm.model.get_submodule(vlm.family.head).register_forward_hook(breaking)
    with pytest.raises(ZeroDivisionError):
        vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS)
    handle.remove()
    assert hooks(vlm) == there
    same(vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS), before)


def test_two_threads_that_generate_at_once_never_mix(vlm, pictures):
    jobs = [
        (pictures[0], QUESTION, Watch()),
        (pictures[1], OTHER, Watch(rows=("answer",), contributions=False)),
    ]

    def ask(job):
        picture, question, watch = job
        return vlm.inspect(picture, question, watch=watch, new_tokens=STEPS)

    alone = [ask(job) for job in jobs]
    with ThreadPoolExecutor(2) as pool:
        for which, found in zip([0, 1] * 3, pool.map(ask, jobs * 3), strict=True):
            same(found, alone[which])
    assert alone[1].rows.keys() == {"answer"}


class Shapes(TorchDispatchMode):
    """Shapes of all tensors that are made with two sides of a length at least."""

    def __init__(self, length):
        super().__init__()
        self.length, self.wide = length, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor) and sum(size >= self.length for size in leaf.shape) > 1:
                self.wide.append(tuple(leaf.shape))
        return made


@in_one_sequence
def test_a_step_costs_one_row(vlm, pictures):
    ready = vlm.prepare(pictures[0], " ".join([OTHER] * 10))
    assert ready.length > tiny["DECODER"]["intermediate_size"]  # or a length could not be told from a width
    heads, segments = vlm.model.config.get_text_config().num_attention_heads, len(Segment)
    wide = []
    for watch in (None, Watch(("last", "answer"))):
        recorder = vlm.recorder(ready, watch)
        with vlm.lock, vlm.listening(), Shapes(ready.length) as shapes:
            _, passes, _ = generate(vlm.model, ready, recorder, STEPS, watched=watch is not None)
        wide.append(sorted(shapes.wide))
    assert wide[0] == wide[1]  # watching makes no tensor of the square of the length
    for step, heard in enumerate(passes[1:], start=1):
        for kept in heard.kept.values():
            keys = ready.length + step
            assert kept.attention.numel() == heads * keys
            assert kept.visible.numel() == keys
            assert kept.mixed.numel() == segments * kept.read.numel()
            assert kept.mixed.untyped_storage().nbytes() == kept.mixed.nbytes
            assert kept.attention.untyped_storage().nbytes() == kept.attention.nbytes


def test_what_is_said_later_changes_nothing_of_the_first_row(vlm, pictures):
    trace = vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS)
    brief = vlm.inspect(pictures[0], QUESTION, new_tokens=0)
    assert (brief.text, brief.steps, brief.length) == ("", (), trace.length - STEPS)
    assert brief.answers == trace.answers
    for measure in (budget, contributions):
        for rows in ("last", "question"):
            assert_frame_equal(measure(trace, rows).to_frame(), measure(brief, rows).to_frame(), rtol=1e-6)
    np.testing.assert_allclose(image_maps(trace)[1], image_maps(brief)[1], rtol=1e-5, atol=1e-7)  # sums are rounded
    np.testing.assert_array_equal(trace.peaks[:, : brief.length], brief.peaks)
    passes_layers = not any(encodes(trace, place) for place in trace.places)
    assert ((trace.peaks[:, brief.length : -1] > 1) == passes_layers).all()
    assert not trace.peaks[:, -1].any()  # the last token is said and read by nobody
    hidden = vlm.inspect(pictures[0], QUESTION, edits=[Knockout(brief.segments == Segment.IMAGE)])
    assert hidden.length == brief.length


def test_a_trace_can_be_seen_from_every_step(vlm, pictures):
    trace = vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS)
    assert trace.at_step(0) is trace
    places, maps = image_maps(trace, "answer")
    looks_back = any(place.kind == "self" and not encodes(trace, place) for place in trace.places)
    for step in range(STEPS):
        seen = trace.at_step(step)
        kept = [places.index(place) for place in image_maps(seen)[0]]  # a sliding window may have left the picture
        np.testing.assert_allclose(image_maps(seen)[1][:, :, 0], maps[kept, :, step], rtol=1e-5, atol=1e-7)
        assert seen.answer == trace.steps[step].token.text
        assert seen.rows["last"].positions == trace.rows["answer"].positions[step : step + 1]
        split = budget(seen)
        assert (Segment.ANSWER in split.segments) == (step > 0 and looks_back)
        assert len(split.share) == len(trace.layers)
        shares = split.share[~np.isnan(split.share).any(axis=1)]  # words alone share nothing with the picture
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
        assert len(shares) or not any(place.competes for place in trace.places)
    opened = open_trace(trace_bytes(trace))
    same(opened, trace)
    assert opened.tokens == trace.tokens


def whole(plain, ready, ids):
    """Eager attention and logits of the prompt and an answer in one pass, without a cache."""
    more = torch.tensor([ids])
    longer = {"input_ids": more, "attention_mask": torch.ones_like(more)}
    inputs = {
        name: torch.cat([value, longer.get(name, torch.zeros_like(more))], dim=1)
        if value.shape == ready.inputs["input_ids"].shape
        else value
        for name, value in ready.inputs.items()
    }
    with torch.inference_mode():
        found = plain(**inputs, output_attentions=True)
    return torch.stack(found.attentions)[:, 0].numpy(), found.logits[0].softmax(-1).numpy()


@in_one_sequence
def test_a_given_answer_is_scored_and_its_rows_are_those_of_one_pass(kind, vlm, eager, pictures):
    trace = vlm.inspect(pictures[1], QUESTION, answer="red circle")
    ready = vlm.prepare(pictures[1], QUESTION)
    ids = vlm.tokenizer("red circle", add_special_tokens=False)["input_ids"]
    assert [step.token.candidate for step in trace.steps] == ids
    assert trace.text == "red circle"
    assert trace.answers == vlm.inspect(pictures[1], QUESTION, new_tokens=0).answers
    with pytest.raises(QuestionError):
        vlm.inspect(pictures[1], QUESTION, answer="")
    if not vlm.causal:
        return  # plain transformers reads a prompt and its answer in one pass by another mask
    weights, chances = whole(eager(kind), ready, ids)
    rows = range(ready.length - 1, trace.length - 1)
    np.testing.assert_allclose(trace.attention("answer"), weights[:, :, rows], atol=1e-5)
    for step, row, token in zip(trace.steps, rows, ids, strict=True):
        assert step.token.probability == pytest.approx(float(chances[row, token]), abs=1e-5)


def test_a_sliding_window_forgets_keys_but_not_where_they_stood(tmp_path, pictures):
    """The cache drops what the window has left behind; one pass over everything, without a cache, is the truth."""
    torch.manual_seed(0)
    model, processor = tiny["llava"]()
    text = model.config.text_config
    names = ("vocab_size", "pad_token_id", "bos_token_id", "eos_token_id")
    model.config.text_config = MistralConfig(
        **tiny["DECODER"], **{name: getattr(text, name) for name in names}, sliding_window=12
    )
    tiny["awake"](LlavaForConditionalGeneration(model.config)).save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    vlm = vlmlens.load(str(tmp_path))
    unending(vlm.model)
    trace = vlm.inspect(pictures[0], QUESTION, new_tokens=STEPS)
    assert len(trace.steps) == STEPS
    plain = AutoModelForImageTextToText.from_pretrained(tmp_path, attn_implementation="eager").eval()
    ids = [step.token.candidate for step in trace.steps]
    weights, _ = whole(plain, vlm.prepare(pictures[0], QUESTION), ids)
    rows = list(trace.rows["answer"].positions)
    np.testing.assert_allclose(trace.attention("answer"), weights[:, :, rows], atol=1e-5)
    assert (trace.visible("answer").sum(axis=1) == 12).all()


def test_a_model_of_one_word_has_no_other_answer_to_score(concat, scenes):
    trace = concat.inspect(scenes[0], QUESTION)
    assert trace.rows.keys() == {"last", "question"}
    assert trace.steps == ()
    with pytest.raises(NotApplicable, match="one word"):
        concat.inspect(scenes[0], QUESTION, answer="red")
