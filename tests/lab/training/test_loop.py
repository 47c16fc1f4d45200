"""One loop, one seed: the same weights every time, gradients wherever they belong, nothing else moves."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from vlmlens.lab.evaluate import wilson
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel, averaged
from vlmlens.lab.pitfalls import REMEDIES, Remedy
from vlmlens.lab.positions import POSITIONS
from vlmlens.lab.sites import sites_of
from vlmlens.lab.training import Plan
from vlmlens.lab.training.build import build, grouped, sizes, trainable_share
from vlmlens.lab.training.data import batch
from vlmlens.lab.training.loop import Diverged, Trainer, train
from vlmlens.lab.training.schedule import rates
from vlmlens.lab.training.watch import SHARED, Gradients, Watcher, divergence, gradient_share, held, interval_of
from vlmlens.lab.weights import LabName, load_encoders, load_wiring
from vlmlens.progress import Cancelled, Progress


def tiny(wiring="txt2img", **changes):
    return replace(Plan(wiring, width=16, batch=16, pool=256, steps=6, side=3), **changes)


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("wiring", WIRINGS)
def test_one_step_reaches_both_sides_of_every_wiring(wiring):
    trainer = Trainer(tiny(wiring), every=0)
    if trainer.model.fusion.wiring.gated:  # behind a gate that is shut there is no gradient yet
        for layer in trainer.model.fusion.links():
            for link in layer:
                for name, parameter in link.named_parameters():
                    if name.endswith("alpha"):
                        torch.nn.init.constant_(parameter, 0.5)
    before = weights(trainer)
    trainer.advance()
    assert not torch.equal(weights(trainer), before)
    for side in (trainer.model.fusion.enter_image, trainer.model.fusion.enter_question):
        reached = {name for name, p in side.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        assert {"norm.weight", "project.weight"} <= reached, reached


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(wiring):
    def trained(seed):
        trainer = Trainer(tiny(wiring, seed=seed, steps=3), every=0)
        list(train(trainer.plan, trainer))
        return weights(trainer)

    first = trained(0)
    torch.rand(5)  # whatever else rolls the dice
    assert torch.equal(trained(0), first)
    assert not torch.equal(trained(1), first)


def test_building_leaves_the_dice_of_others_alone():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    build(tiny())
    assert torch.equal(torch.rand(3), wanted)


def test_it_begins_where_the_shipped_recipe_begins():
    plan = Plan("concat", seed=2)
    torch.manual_seed(2)
    shipped = LabModel("concat")
    mine = build(plan)
    assert all(torch.equal(p, dict(mine.fusion.named_parameters())[n]) for n, p in shipped.fusion.named_parameters())


def test_watching_changes_nothing():
    one, other = Trainer(tiny("gated"), every=1), Trainer(tiny("gated"), every=0)
    for _ in range(4):
        assert one.advance().loss == other.advance().loss
    assert torch.equal(weights(one), weights(other))


def test_what_has_no_rate_stays_bit_for_bit_and_what_has_one_moves():
    groups = {"rate_new": "new", "rate_projection": "projection", "rate_pretrained": "pretrained"}
    for alone in groups:
        plan = tiny(steps=2, **{rate: 1e-3 if rate == alone else 0.0 for rate in groups})
        trainer = Trainer(plan, every=0)
        before = {g: {n: p.detach().clone() for n, p in own.items()} for g, own in grouped(trainer.model).items()}
        list(train(plan, trainer))
        after = grouped(trainer.model)
        for rate, group in groups.items():
            same = [torch.equal(before[group][name], p) for name, p in after[group].items()]
            assert all(same) == (rate != alone), (alone, group)
        assert trainer.frozen == (alone != "rate_pretrained")
        counts = sizes(plan)
        assert [group for group, (trained, _) in counts.items() if trained] == [groups[alone]]
    assert trainable_share(tiny(rate_pretrained=1e-4)) == 1.0
    assert 0 < trainable_share(tiny()) < 0.5


def test_frozen_features_are_what_the_encoders_say_so_both_ways_agree():
    seen, looked = Trainer(tiny(), every=0), Trainer(tiny(rate_pretrained=1e-12), every=0)
    assert seen.advance().loss == pytest.approx(looked.advance().loss, abs=2e-3)  # features are kept in half precision


def test_gradients_are_clipped_and_rates_follow_the_schedule():
    plan = tiny(clip=1e-3, steps=5)
    trainer = Trainer(plan, every=0)
    for step in range(5):
        trainer.advance()
        length = math.sqrt(sum(float(p.grad.pow(2).sum()) for p in trainer.trained.values()))
        assert length == pytest.approx(1e-3, rel=1e-3)
        assert {group["group"]: group["lr"] for group in trainer.optimiser.param_groups} == pytest.approx(
            {group: rate for group, rate in rates(plan, step).items() if rate}
        )


def test_it_learns():
    points = list(train(tiny(side=2, steps=50, batch=24, mix={"exist": 1.0}, prior=0.0)))
    assert [point.step for point in points] == list(range(1, 51))
    early, late = (sum(p.loss for p in part) / 10 for part in (points[:10], points[-10:]))
    assert late < 0.5 * early
    assert all(a.seconds <= b.seconds for a, b in pairwise(points))


def test_a_loss_that_is_no_number_is_told_and_spoils_nothing():
    trainer = Trainer(tiny(), every=0)
    trainer.advance()
    before = weights(trainer)
    with torch.no_grad():
        readout = trainer.model.readout.head[-1].bias
        readout[0] = float("nan")
    with pytest.raises(Diverged, match="At step 2"):
        trainer.advance()
    with torch.no_grad():
        readout[0] = before[-len(readout)]
    assert torch.equal(weights(trainer), before)


def test_it_can_be_cancelled_between_steps():
    progress = Progress()
    trainer = Trainer(tiny(), every=0)
    steps = train(trainer.plan, trainer, progress)
    next(steps)
    progress.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    assert trainer.step == 1


# Remedies


@pytest.fixture
def remedies(monkeypatch):
    """Remedies of every sort, planted."""
    shaken = torch.nn.Dropout(0.5)

    def shake(model, strength):
        shaken.p = strength
        model.readout.norm.register_forward_hook(lambda _m, _i, out: shaken(out))

    def entropy(step, strength):
        assert set(step.attention) == {site.name for site in sites_of(step.model, 9, step.words.shape[1]).values()}
        assert all(torch.allclose(own.sum(-1), torch.ones(())) for own in step.attention.values())
        return strength * sum(own.pow(2).sum(-1).mean() for own in step.attention.values())

    def wide(plan, strength):
        return replace(plan, rate_new=plan.rate_new * strength)

    def double(step, strength):
        return strength * F.cross_entropy(step.logits, step.answer)

    for name, parts in {
        "shaken": {"model": shake},
        "even": {"loss": entropy, "attends": True},
        "faster": {"plan": wide},
        "double": {"loss": double},
    }.items():
        monkeypatch.setitem(REMEDIES, name, Remedy(name, "", "", 0.0, 10.0, 1.0, **parts))


def test_a_remedy_changes_rates_loss_and_model(remedies):
    plain = Trainer(tiny(), every=0)
    faster = Trainer(tiny(remedies=(("faster", 2.0),)), every=0)
    double = Trainer(tiny(remedies=(("double", 3.0),)), every=0)
    even = Trainer(tiny(remedies=(("even", 1.0),)), every=0)
    points = [trainer.advance() for trainer in (plain, faster, double, even)]
    assert faster.optimiser.param_groups[0]["lr"] == 2 * plain.optimiser.param_groups[0]["lr"]
    assert points[0].added == 0
    assert points[1].loss == points[0].loss
    assert points[2].added == pytest.approx(3 * points[2].loss)
    assert points[2].loss == points[0].loss
    assert points[3].loss == pytest.approx(points[0].loss, abs=1e-5)  # attention computed from its weights
    assert points[3].added > 0


def test_dice_rolled_by_a_remedy_are_rolled_by_seed_and_step(remedies):
    plan = tiny(remedies=(("shaken", 0.5),))
    one, other = Trainer(plan, every=2), Trainer(plan, every=0)
    for _ in range(4):
        loss = one.advance().loss
        torch.rand(3)
        assert other.advance().loss == loss
    assert Trainer(tiny(), every=0).advance().loss != Trainer(plan, every=0).advance().loss


# What is watched


@pytest.fixture(scope="module")
def concat():
    model = load_wiring(LabName("concat"))
    return model, Watcher(model, frozen=True).measure(Gradients({}, (), None))


def test_a_trained_model_is_measured_as_what_it_is(concat):
    _, found = concat
    assert found.accuracy > 0.95
    assert found.blind < 0.7
    assert set(found.by_kind) == {"color", "shape", "size", "count", "exist", "where", "relation"}
    assert found.interval == wilson(found.accuracy * found.n, found.n)
    assert 0.3 < found.image_share < 0.8
    assert found.image_share == pytest.approx(found.image_effect / (found.image_effect + found.question_effect))


def test_the_gradient_share_of_one_that_sees_only_words_is_zero():
    plan = tiny("gated")
    trainer = Trainer(plan, every=1)  # its gates are shut before the first step
    image, _, words, mask = trainer.watcher.features()
    share = gradient_share(trainer.model, image[:SHARED], words[:SHARED], mask[:SHARED])
    assert share == 0.0


def test_gradient_times_input_is_what_its_definition_says():
    model = build(tiny("concat")).requires_grad_(False)
    image, words, mask = model.encode(held().pixels[:1], torch.ones(1, 5, dtype=torch.long))
    share = gradient_share(model, image, words, mask)
    shift = torch.zeros(2, requires_grad=True)  # by how much each side is scaled
    entrances = model.fusion.enter_image, model.fusion.enter_question
    sums = []
    for side, entrance in enumerate(entrances):
        for place in range(image.shape[1] if side == 0 else words.shape[1]):

            def scale(_m, _i, out, side=side, place=place):
                scaled = out.clone()
                scaled[:, place] = out[:, place] * (1 + shift[side])
                return scaled

            hook = entrance.register_forward_hook(scale)
            logits = model.fuse(image, words, mask)
            (slope,) = torch.autograd.grad(logits.amax(-1).sum(), shift)
            hook.remove()
            sums.append((side, float(slope[side].abs())))
    wanted = sum(v for side, v in sums if side == 0) / sum(v for _, v in sums)
    assert share == pytest.approx(wanted, rel=1e-4)


def test_divergence_of_answers_is_in_bits():
    sure, other = torch.eye(4)[:2].double()
    assert divergence(sure[None], other[None]) == pytest.approx(1.0)
    assert divergence(sure[None], sure[None]) == 0.0


def test_gates_and_norms_are_those_of_the_model():
    trainer = Trainer(tiny("gated"), every=1)
    found = trainer.advance().measured
    assert found.gates[0] is None
    assert found.gates[2] is None
    assert all(0 < abs(value) < 0.1 for pair in (found.gates[1], found.gates[3]) for value in pair)
    assert found.gradients["pretrained"] == 0
    assert len(found.layers) == 4
    assert 0 <= found.last_cross <= found.layers[3] + 1e-12
    assert Trainer(tiny("concat"), every=1).advance().measured.last_cross is None


def test_few_items_a_step_are_watched_more_rarely():
    every = [interval_of(Plan("gated", batch=size, steps=20_000)) for size in (16, 64, 256, 1024)]
    assert every == sorted(every, reverse=True)
    assert every[-2:] == [25, 25]


def test_a_short_run_is_measured_often_enough_for_a_curve():
    for size in (16, 128, 1024):
        for steps in (120, 300, 1400):
            assert steps // interval_of(Plan("gated", batch=size, steps=steps)) >= 12


def test_tokens_are_averages_of_their_patches():
    features = load_encoders()[0](held().pixels[:2])
    for side in (1, 2, 3, 6):
        found, width = averaged(features, side), 6 // side
        board = features.view(2, 6, 6, -1)
        for token in range(side * side):
            row, column = divmod(token, side)
            patch = board[:, row * width : (row + 1) * width, column * width : (column + 1) * width]
            assert torch.allclose(found[:, token], patch.mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize("positions", POSITIONS)
def test_frozen_features_are_those_of_the_eyes_that_the_positions_come_with(positions):
    plan = tiny("concat", positions=positions, width=32)
    trainer = Trainer(plan, every=0)
    data = batch(plan, 0, pixels=False)
    pixels = batch(plan, 0, pixels=True).image
    with torch.no_grad():
        assert torch.allclose(data.image.float(), trainer.model.vision(pixels), rtol=1e-3, atol=1e-2)
    trainer.advance()


@pytest.mark.parametrize("name", REMEDIES)
def test_every_remedy_can_be_trained_with(name):
    plan = tiny("qformer", remedies=((name, REMEDIES[name].default),), steps=2)
    assert all(math.isfinite(point.loss + point.added) for point in train(plan))
