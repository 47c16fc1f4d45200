"""Every remedy does what it says to a model, a plan or a loss, and nothing at strength 0; laws, not values."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.pitfalls import REMEDIES, Step
from vlmlens.lab.pitfalls.contrast import OTHERS, fits
from vlmlens.lab.pitfalls.entropy import row_entropy
from vlmlens.lab.pitfalls.hard_negatives import chosen, drawn, one_thing_changed, pairs
from vlmlens.lab.pitfalls.joining import joining
from vlmlens.lab.questions import ANSWERS, all_questions
from vlmlens.lab.sample import take
from vlmlens.lab.text import encode
from vlmlens.lab.training.plan import Plan, PlanError
from vlmlens.lab.vision import HEADS, PATCHES, WIDTH
from vlmlens.progress import Cancelled, Progress
from vlmlens.trace import Site
from vlmlens.trace.capture import Recorder, recording

BATCH = 6
LOSSES = [name for name, remedy in REMEDIES.items() if remedy.loss is not None]


@pytest.fixture
def quick(monkeypatch):
    """Fewer pairs of scenes than a training run draws."""
    from vlmlens.lab.pitfalls import hard_negatives

    few = pairs(40)
    monkeypatch.setattr(hard_negatives, "pairs", lambda local=False, progress=None: few)
    return few


def step_of(wiring, seed=0, batch=BATCH):
    """A step with the attention of every brick, as a training loop hands it to a remedy."""
    torch.manual_seed(seed)
    model = LabModel(wiring, 16, 4 if WIRINGS[wiring].latents else None)
    model.vision.requires_grad_(False)
    model.text.requires_grad_(False)
    ids = encode([question.text for question in all_questions()])[torch.randint(0, 90, (batch,))]
    words, mask = model.words(ids)
    image = torch.randn(batch, PATCHES, WIDTH)
    sites = {
        link.attention: Site(f"fusion.layers.{number}.{index}", number, link.look.kind, (), ())
        for number, layer in enumerate(model.fusion.links())
        for index, link in enumerate(layer)
    }
    with recording(Recorder(sites, np.zeros(0), {}, whole=True)) as recorder:
        logits = model.fuse(image, words, mask)
    attention = {name: flow.weights for name, flow in recorder.flows.items()}
    return Step(model, image, words, mask, torch.randint(0, len(ANSWERS), (batch,)), logits, attention)


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_a_number_in_the_graph_linear_in_its_strength_and_none_at_zero(name, wiring, quick):
    remedy = REMEDIES[name]
    step = step_of(wiring)
    one, two, none = (remedy.loss(step, strength) for strength in (0.2, 0.4, 0.0))
    assert one.ndim == 0
    assert torch.isfinite(one)
    assert two.item() == pytest.approx(2 * one.item(), rel=1e-5, abs=1e-7)
    assert none.item() == 0
    if name != "entropy" or any(True for _ in joining(step.model.fusion)):
        one.backward()
        gradients = [p.grad for p in step.model.fusion.parameters() if p.grad is not None]
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        assert any(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("name", REMEDIES)
def test_the_default_lies_within_the_bounds_and_what_it_is_against_is_said(name):
    remedy = REMEDIES[name]
    assert 0 <= remedy.low <= remedy.default <= remedy.high
    assert remedy.sentence.endswith(".")
    assert remedy.against
    assert any(change is not None for change in (remedy.plan, remedy.model, remedy.loss))


@pytest.mark.parametrize("wiring", ["img2txt", "txt2img", "concat", "qformer", "perceiver"])
def test_a_step_down_the_entropy_loss_raises_the_entropy(wiring):
    step = step_of(wiring)
    before = row_entropy(step)
    parameters = [p for _, _, link in joining(step.model.fusion) for p in link.attention.q_proj.parameters()]
    gradients = torch.autograd.grad(REMEDIES["entropy"].loss(step, 1.0), parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= 0.05 * gradient / max(float(gradient.norm()), 1e-12)
    torch.manual_seed(0)
    again = step_of(wiring)  # the same batch
    again.model.load_state_dict(step.model.state_dict())
    sites = {
        link.attention: Site(f"fusion.layers.{number}.{index}", number, link.look.kind, (), ())
        for number, layer in enumerate(again.model.fusion.links())
        for index, link in enumerate(layer)
    }
    with recording(Recorder(sites, np.zeros(0), {}, whole=True)) as recorder:
        again.model.fuse(again.image, again.words, again.mask)
    for name, flow in recorder.flows.items():
        again.attention[name] = flow.weights
    assert row_entropy(again) > before


def test_the_entropy_of_rows_is_the_definition_over_real_rows_alone():
    step = step_of("txt2img")
    total, count = 0.0, 0
    for name, _, _ in joining(step.model.fusion):
        for item in range(BATCH):
            for head in range(HEADS):
                for row in range(step.mask.shape[1]):
                    if step.mask[item, row]:
                        p = step.attention[name][item, head, row].detach().double().numpy()
                        total -= float((p[p > 0] * np.log(p[p > 0])).sum())
                        count += 1
    assert row_entropy(step).item() == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize("wiring", ["concat", "late", "contrastive"])
def test_the_contrastive_loss_is_the_definition(wiring):
    step = step_of(wiring)
    expected = 0.0
    for item in range(BATCH):
        scores = []
        for turn in range(OTHERS + 1):
            image = step.image[(item - turn) % BATCH][None]
            logits = step.model.fuse(image, step.words[item][None], step.mask[item][None])[0].double()
            scores.append(logits[step.answer[item]] - logits.logsumexp(0))
        expected -= (scores[0] - torch.stack(scores).logsumexp(0)).item()
    assert REMEDIES["contrastive loss"].loss(step, 2.0).item() == pytest.approx(2 * expected / BATCH, rel=1e-4)


def test_a_model_that_cannot_see_pays_the_most_that_chance_costs():
    step = step_of("txt2img")
    with torch.no_grad():
        for _, _, link in joining(step.model.fusion):
            link.attention.out_proj.weight.zero_()
    blind = Step(**{**vars(step), "logits": step.model.fuse(step.image, step.words, step.mask)})
    assert REMEDIES["contrastive loss"].loss(blind, 1.0).item() == pytest.approx(np.log(1 + OTHERS), rel=1e-5)


def test_hard_negatives_differ_in_one_thing_and_in_the_answer():
    found = drawn(200)
    assert len(found) > 150
    for item, other in found:
        assert other.question == item.question
        assert other.question.answer(other.scene) == other.answer != item.answer
        assert other.scene.noise_seed == item.scene.noise_seed
        assert len(other.scene.things) == len(item.scene.things)
        apart = [(a, b) for a, b in zip(item.scene.things, other.scene.things, strict=True) if a != b]
        assert len(apart) == 1
        (before, after) = apart[0]
        assert sum(getattr(before, name) != getattr(after, name) for name in ("color", "shape", "size", "cell")) == 1


def test_pairs_are_seen_by_the_eyes_of_the_model():
    seen, local = pairs(6), pairs(6, local=True)
    assert torch.equal(seen.answer, local.answer)
    assert not torch.equal(seen.image, local.image)
    with pytest.raises(PlanError, match="frozen"):
        REMEDIES["hard negatives"].plan(Plan("concat", rate_pretrained=1e-4), 0.5)


def test_a_person_can_stop_a_run_while_its_pairs_are_made_ready():
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        pairs(7, seed=5, progress=stopped)
    assert len(pairs(7, seed=5, progress=Progress()).ids) == len(drawn(7, seed=5)) > 0


def test_every_scene_with_one_thing_changed_is_offered_once():
    scene = take("train", 5, 1)[0].scene
    found = list(one_thing_changed(scene, np.random.default_rng(0)))
    free = 9 - len(scene.things)
    assert len(found) == len(set(found)) == len(scene.things) * (7 + 3 + 1 + free)
    assert scene not in found


def test_pairs_are_chosen_by_the_batch_and_never_by_the_global_generator():
    step = step_of("concat")
    torch.manual_seed(1)
    first = chosen(step, 500)
    state = torch.get_rng_state()
    assert torch.equal(first, chosen(step, 500))
    assert torch.equal(state, torch.get_rng_state())
    other = Step(**{**vars(step), "answer": (step.answer + 1) % len(ANSWERS)})
    assert not torch.equal(first, chosen(other, 500))


def test_the_hard_negative_loss_is_the_definition(quick):
    step = step_of("concat")
    index = chosen(step, len(quick.ids)).tolist()
    words, mask = step.model.words(quick.ids[index])
    expected = []
    for place, pair in enumerate(index):
        scores = [
            [
                fits(
                    step.model.fuse(quick.image[pair, shown][None].float(), words[[place]], mask[[place]]),
                    quick.answer[pair, side][None],
                )
                for shown in (0, 1)
            ]
            for side in (0, 1)
        ]
        for side in (0, 1):
            expected.append(F.softplus(scores[side][1 - side] - scores[side][side]).item())
    assert REMEDIES["hard negatives"].loss(step, 1.0).item() == pytest.approx(np.mean(expected), rel=1e-4)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_no_dropout_and_whole_skips_are_the_model_itself_bit_for_bit(wiring):
    step = step_of(wiring)
    REMEDIES["attention dropout"].model(step.model, 0.0)
    REMEDIES["skip connections"].model(step.model, 1.0)
    again = step.model.fuse(step.image, step.words, step.mask)
    plain = step_of(wiring)
    assert torch.equal(again, plain.model.fuse(plain.image, plain.words, plain.mask))


def test_dropout_leaves_weights_out_in_training_alone():
    step = step_of("txt2img")
    REMEDIES["attention dropout"].model(step.model, 0.5)
    ask = lambda: step.model.fuse(step.image, step.words, step.mask)  # noqa: E731
    assert not torch.equal(ask(), ask())
    step.model.eval()
    assert torch.equal(ask(), ask())


def test_without_skips_a_layer_forgets_what_entered_it():
    step = step_of("txt2img")
    REMEDIES["skip connections"].model(step.model, 0.0)
    _, _, link = next(joining(step.model.fusion))
    with torch.no_grad():
        link.attention.out_proj.weight.zero_()
    queries, keys = torch.randn(1, 3, 16), torch.randn(1, 5, 16)
    out = link(queries, keys, torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(out, link(torch.randn(1, 3, 16), keys, torch.ones(1, 5, dtype=torch.bool)))


def test_more_queries_and_a_higher_rate_are_other_plans():
    plan = Plan("qformer")
    assert REMEDIES["more queries"].plan(plan, 1.0).check().latents == 16
    assert REMEDIES["more queries"].plan(Plan("perceiver", latents=4), 0.5).check().latents == 6
    assert REMEDIES["more queries"].plan(plan, 7.0).check().latents == 64
    assert REMEDIES["higher rate"].plan(plan, 2.0).check().rate_new == pytest.approx(3 * plan.rate_new)
    for name in ("more queries", "higher rate"):
        same = REMEDIES[name].plan(plan, 0.0)
        assert (same.latents or WIRINGS["qformer"].latents, same.rate_new) == (8, plan.rate_new)
    with pytest.raises(PlanError, match="no learned queries"):
        REMEDIES["more queries"].plan(Plan("concat"), 1.0)
