"""The masking sweep on models whose reading layers are known, against one pass a layer, and on trained models."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import vlmlens
from vlmlens.attention import ROUTES, Sweep, masking_sweep, routes, sweeping
from vlmlens.attention.masking import edges, noise_floor
from vlmlens.errors import NotApplicable
from vlmlens.lab.sample import take
from vlmlens.models.huggingface import MOST_ENDINGS
from vlmlens.models.inside import branched
from vlmlens.trace import Branch, Knockout, Replace, Scale, Segment

build = runpy.run_path(str(Path(__file__).with_name("planted_layers.py")))["build"]
QUESTION = "what color is the circle?"


def load(folder):
    return vlmlens.load(str(folder), device="cpu")


@pytest.mark.parametrize("seed", range(20))
def test_the_planted_layers_are_named_and_no_other(seed, tmp_path, scenes):
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(9, 15))
    review = bool(seed % 2)
    reads = (2, 5, layers - 2) if review else (2, 5)
    vlm = load(build(tmp_path / "model", layers, reads, seed))
    picture = scenes[seed % len(scenes)]
    for mode in ("knockout", "zero"):
        sweep = masking_sweep(vlm, picture, QUESTION, mode=mode)
        assert sweep.fusion_layers == reads
        assert sweep.review_layer == (layers - 2 if review else None)


def test_zeroing_is_blind_to_what_words_have_copied(tmp_path, scenes):
    """The answer comes from the picture; from layer 3 on it comes by way of the words, and zeroing shows nothing."""
    vlm = load(build(tmp_path / "model", 9, (), 0, copied=(2, 5)))
    zeroed = masking_sweep(vlm, scenes[0], QUESTION, mode="zero")
    assert zeroed.fusion_layers == (2,)
    assert np.abs(zeroed.change[3:]).max() <= zeroed.noise
    assert zeroed.change[2] < -0.1
    assert masking_sweep(vlm, scenes[0], QUESTION, route="image to last").fusion_layers == ()
    assert masking_sweep(vlm, scenes[0], QUESTION, route="image to question").fusion_layers == (2,)
    by_words = masking_sweep(vlm, scenes[0], QUESTION, route="question to last")
    assert by_words.change.argmin() == 5
    assert by_words.change[5] < 5 * np.delete(by_words.change, 5).min()  # random heads read words at every layer


def test_a_branch_is_a_pass_of_its_own(any_model, scenes):
    """Every layer's masking, window and order, against one whole pass for each."""
    prepared = any_model.prepare(any_model.image(scenes[0]), QUESTION)
    image = np.flatnonzero(prepared.segments == Segment.IMAGE)
    keys = prepared.segments == Segment.IMAGE
    last = max(site.layer for site in any_model.sites(prepared).values())
    branches = []
    for layer in range(last, -1, -1):  # in no order that helps
        branches += [
            Branch(layer, (Scale(layer, tuple(image.tolist()), 0.3),)),
            Branch(layer, (Knockout(keys, "others", (layer, layer + 1)),)),
            Branch(layer, (Replace.zero(layer, image[:3]), Knockout(keys, "all", (last,)))),
        ]
    clean, found = branched(any_model, prepared, branches)
    with any_model.lock:
        plain, _ = any_model.run(prepared, None)
        for branch, logits in zip(branches, found, strict=True):
            alone, _ = any_model.run(prepared, None, branch.edits)
            np.testing.assert_allclose(logits, alone[0], atol=2e-4)
    np.testing.assert_allclose(clean, plain[0], atol=2e-4)
    assert len(branched(any_model, prepared, [])[1]) == 0


def test_a_branch_of_the_last_position_is_a_pass_of_its_own(model, scenes):
    """Knock-outs that only the last position feels, more than are run at once, with several layers and edits each."""
    for name in ("lab:llava", "a folder"):
        vlm = model(name)
        prepared = vlm.prepare(vlm.image(scenes[0]), QUESTION)
        last = np.zeros(prepared.length + 1, bool)
        last[prepared.length - 1] = True
        rng, branches = np.random.default_rng(0), []
        for _ in range(MOST_ENDINGS + 3):
            layers = tuple(sorted(int(i) for i in rng.choice(2, rng.integers(1, 3), replace=False)))
            knockouts = [Knockout(rng.random(prepared.length) < 0.5, last, layers) for _ in range(2)]
            branches.append(Branch(layers[0], tuple(knockouts)))
        clean, found = branched(vlm, prepared, branches)
        with vlm.lock:
            plain, _ = vlm.run(prepared, None)
            for branch, logits in zip(branches, found, strict=True):
                alone, _ = vlm.run(prepared, None, branch.edits)
                np.testing.assert_allclose(logits, alone[0], atol=2e-4)
                assert (alone - plain).abs().max() > 1e-3
        np.testing.assert_allclose(clean, plain[0], atol=2e-4)


def test_only_a_decoder_can_run_its_last_position_alone(concat, scenes):
    with pytest.raises(NotApplicable, match="every position reads every other"):
        concat.ending(concat.prepare(concat.image(scenes[0]), QUESTION))


def test_branches_that_do_not_fit_at_once_are_the_same(llava, scenes, monkeypatch):
    prepared = llava.prepare(llava.image(scenes[0]), QUESTION)
    image = tuple(np.flatnonzero(prepared.segments == Segment.IMAGE).tolist())
    branches = [Branch(layer, (Scale(layer, image, 0.0),)) for layer in (2, 0, 1)]
    together = branched(llava, prepared, branches)[1]
    monkeypatch.setattr(llava, "branches_at_once", lambda prepared: 2)
    np.testing.assert_allclose(branched(llava, prepared, branches)[1], together, atol=1e-4)


def test_each_route_blocks_its_own_edges(any_model, scenes):
    prepared = any_model.prepare(any_model.image(scenes[0]), QUESTION)
    possible = routes(any_model, prepared)
    assert {"question to last", "image to last", "latents to last"} & set(possible)
    for name in possible:
        sweep = masking_sweep(any_model, scenes[0], QUESTION, route=name)
        keys, rows = edges(prepared, ROUTES[name])
        for index, layer in enumerate(sweep.layers):
            if np.isnan(sweep.after[0, index]):
                continue
            with any_model.lock:
                logits, _ = any_model.run(prepared, None, [Knockout(keys, rows, (layer,))])
            expected = logits.double().softmax(-1)[0].numpy()
            np.testing.assert_allclose(sweep.after[0, index], expected[_best(any_model, prepared)], atol=1e-5)
    for name in set(ROUTES) - set(possible):
        with pytest.raises(NotApplicable, match="has no attention on the route"):
            masking_sweep(any_model, scenes[0], QUESTION, route=name)


def _best(vlm, prepared):
    with vlm.lock:
        return int(vlm.run(prepared, None)[0].argmax())


def test_in_a_decoder_the_picture_never_reads_the_question(llava, scenes):
    assert "question to image" not in routes(llava, llava.prepare(llava.image(scenes[0]), QUESTION))


def test_a_probe_set_is_tested_over_its_items(llava):
    items = take("test", 3, 24)
    parts = list(sweeping(llava, [item.scene for item in items], [item.question.text for item in items]))
    assert [len(part.before) for part in parts] == list(range(1, 25))
    assert parts[6].p_values is None  # seven items are too few
    last = parts[-1]
    assert 1 in last.fusion_layers  # the second layer, where lab:llava's last position looks at the picture
    assert last.p_values[1] <= 0.05
    low, high = last.interval()
    assert (low <= last.change).all()
    assert (last.change <= high).all()
    assert len(last.to_frame()) == len(last.layers)


def made(drop, mode="knockout", noise=0.001):
    """A sweep whose readings bring these drops, [item, layer]."""
    drop = np.atleast_2d(np.asarray(drop, float))
    lost = drop if mode == "knockout" else np.cumsum(drop[:, ::-1], axis=1)[:, ::-1]
    items, layers = drop.shape
    return Sweep(
        mode,
        "image to last",
        1,
        tuple(f"layer {i + 1}" for i in range(layers)),
        tuple(range(layers)),
        ("red",) * items,
        np.full(items, 0.8),
        0.8 * (1 - lost),
        np.ones((items, layers), bool),
        noise,
    )


@pytest.mark.parametrize("mode", ["knockout", "zero"])
def test_what_is_named_follows_from_the_curve(mode):
    sweep = made([0, 0, 0.3, 0, 0.1, 0, 0, 0, 0.05, 0], mode)
    np.testing.assert_allclose(sweep.drop[0], [0, 0, 0.3, 0, 0.1, 0, 0, 0, 0.05, 0], atol=1e-12)
    assert sweep.fusion_layers == (2, 4, 8)
    assert sweep.review_layer == 8
    assert made([0, 0, 0.3, 0, 0.1, 0, 0, 0.05, 0.05, 0], mode).review_layer is None  # not parted from layer 7
    assert made([0, 0.3, 0, 0.1, 0, 0, 0, 0, 0, 0], mode).review_layer is None  # not late
    assert made([0, 0.3, -0.5, 0.0005], mode).fusion_layers == (1,)  # a rise, and less than the noise
    assert "no layer" in made([0, 0, 0], mode).sentence()


def test_chance_names_a_layer_no_more_often_than_it_may():
    rng = np.random.default_rng(0)
    named = sum(bool(made(rng.normal(0, 0.1, (20, 6)), noise=0.0).fusion_layers) for _ in range(200))
    assert named <= 20  # 5 % of 200, and what 200 draws allow


def test_the_noise_floor_is_small_and_not_nothing(any_model, scenes):
    best = any_model.inspect(scenes[0], QUESTION).answers[0]
    floor = noise_floor(any_model, scenes[0], QUESTION, best.candidate)
    assert 0 < floor < 0.6  # the untrained model in a folder is the most nervous


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"mode": "half"}, "no sweep"), ({"route": "there and back"}, "no sweep"), ({"window": 2}, "odd")],
)
def test_what_cannot_be_swept_is_said(llava, scenes, changes, message):
    with pytest.raises(NotApplicable, match=message):
        masking_sweep(llava, scenes[0], QUESTION, **changes)
    with pytest.raises(NotApplicable, match="as many pictures as questions"):
        masking_sweep(llava, scenes[:2], [QUESTION])
