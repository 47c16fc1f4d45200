"""Laws of the rulers: shares, zeros, symmetric twins, analytic truths; a Hugging Face model is held to the same."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from vlmlens.errors import NotApplicable
from vlmlens.information.contributions import mm_shap
from vlmlens.progress import Cancelled, Progress
from vlmlens.rulers import RULERS, Bench, lab_ensemble, own_ensemble, read, reading
from vlmlens.rulers.donors import divergences, effects
from vlmlens.rulers.ensemble import hinted, padded, spread
from vlmlens.rulers.shares import share_of
from vlmlens.rulers.slopes import slopes
from vlmlens.trace import Segment
from vlmlens.trace.capture import entering

CHEAP = tuple(name for name in RULERS if not name.startswith("representational"))
FEW = {"scenes": 4, "items": 8, "samples": 0}


@pytest.fixture(scope="module")
def measured(model):
    """measured(name): a model by the cheap rulers over a few items, once."""
    kept = {}

    def of(name):
        if name not in kept:
            kept[name] = read(model(name), lab_ensemble(**FEW), CHEAP)
        return kept[name]

    return of


@pytest.mark.parametrize("name", ["lab:concat", "lab:txt2img", "lab:llava", "a folder", "planted:additive"])
@pytest.mark.parametrize("ruler", CHEAP)
def test_a_share_lies_in_its_interval_or_has_a_reason(measured, name, ruler):
    found = measured(name).readings[ruler]
    if not found.told:
        assert found.why
        return
    assert 0 <= found.share <= 1
    assert found.n > 0
    if found.low == found.low:
        assert 0 <= found.low <= found.high <= 1
    known = found.by_item[np.isfinite(found.by_item)]
    assert ((known >= 0) & (known <= 1)).all()


@pytest.mark.parametrize(
    "ruler", ["donor behavior", "interventional PID", "gradient norm", "gradient x input", "MM-SHAP"]
)
@pytest.mark.parametrize("name", ["planted:blind", "planted:sees-but-ignores"])
def test_a_model_that_does_not_use_the_picture_has_share_zero(measured, name, ruler):
    found = measured(name)
    assert found.effect.knockout == found.effect.donor == 0
    assert found.readings[ruler].share == pytest.approx(0, abs=0 if ruler == "donor behavior" else 1e-6)


def test_a_model_that_no_question_reaches_has_share_one(measured):
    assert measured("planted:image-only").readings["donor behavior"].share == 1


def test_attention_says_nothing_where_nothing_competes(measured):
    assert "softmax" in measured("lab:txt2img").readings["attention"].why


def test_donor_effects_equal_their_definition():
    table = np.random.default_rng(0).dirichlet(np.ones(4), (5, 3))

    def js(p, q):
        def entropy(x):
            return -(x * np.log2(x)).sum()

        return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2

    image = [js(table[a, q], table[b, q]) for q in range(3) for a, b in itertools.permutations(range(5), 2)]
    words = [js(table[p, a], table[p, b]) for p in range(5) for a, b in itertools.permutations(range(3), 2)]
    found = effects(table, np.ones((1, 5)))
    np.testing.assert_allclose([side[0] for side in found], [np.mean(image), np.mean(words)], atol=1e-12)
    between, within = divergences(table)
    assert np.allclose(np.diag(between), 0)
    assert within.shape == (5,)
    # A picture that is drawn twice adds no pair with itself.
    twice = effects(table, np.array([[2.0, 1, 0, 0, 0]]))[0][0]
    assert twice == pytest.approx(between[0, 1])


class Linear:
    """A model whose answer's log-odds are a weighted sum of its states: two candidates, (w . x, 0)."""

    def __init__(self, states, weights):
        self.states, self.weights = states, weights
        self.vlm = SimpleNamespace(name="linear", logits=self.logits)
        segments = np.array([Segment.BOS, Segment.IMAGE, Segment.IMAGE, Segment.QUESTION, Segment.LATENT])
        self.prepared = SimpleNamespace(length=5, segments=segments)

    def logits(self, prepared):
        entered = entering(0, self.states[None], range(5))
        score = (entered[0] * self.weights).sum()
        return torch.stack([score, 0 * score])[None]

    def score(self, logits):
        return logits[:, 0] - logits[:, 1]

    def computing(self):
        return torch.enable_grad()


def test_gradients_of_a_linear_model_are_its_weights():
    generator = torch.Generator().manual_seed(0)
    states, weights = (torch.randn(5, 3, generator=generator) for _ in range(2))
    found = slopes(Linear(states, weights))
    products = (states * weights).double().numpy()
    np.testing.assert_allclose(found.image_product, np.abs(products.sum(1))[1:3], rtol=1e-6)
    np.testing.assert_allclose(found.text_product, np.abs(products.sum(1))[3:4], rtol=1e-6)
    np.testing.assert_allclose(found.image_elements, np.abs(products).sum(1)[1:3], rtol=1e-6)
    np.testing.assert_allclose(found.text_norm, np.linalg.norm(weights.numpy(), axis=1)[3:4], rtol=1e-6)
    assert share_of(float(found.image_norm.sum()), float(found.text_norm.sum())) == pytest.approx(
        float(weights[1:3].norm(dim=1).sum() / weights[1:4].norm(dim=1).sum())
    )


def test_no_gradient_where_the_picture_is_no_token():
    toy = Linear(torch.ones(5, 3), torch.ones(5, 3))
    toy.prepared.segments[1:3] = Segment.INSTRUCTION
    with pytest.raises(NotApplicable, match="one sequence"):
        slopes(toy)


def test_sampled_shapley_values_of_an_additive_game_are_the_players_own(concat, scenes, monkeypatch):
    """In a game where every player adds its own, the Shapley value is just that, whatever orders are drawn."""
    prepared = concat.prepare(concat.image(scenes[0]), "what color is the circle?")
    worth = np.random.default_rng(1).normal(size=prepared.length)
    monkeypatch.setattr(concat, "hidden_probability", lambda _p, _c, keys, *_: (~keys) @ worth)
    found = mm_shap(concat, scenes[0], "what color is the circle?", 0, permutations=2)
    words = np.flatnonzero(prepared.segments == Segment.QUESTION)
    np.testing.assert_allclose(found.values[~found.image], worth[words], atol=1e-12)
    assert found.values[found.image].sum() == pytest.approx(worth[prepared.segments == Segment.IMAGE].sum())
    assert found.values.sum() == pytest.approx(found.whole - found.alone)


def test_words_around_a_question_are_players_where_they_can_be_read(model):
    vlm = model("planted:text-overrides")
    bench = Bench(vlm, lab_ensemble(2, 2, 0, around=hinted))
    assert Segment.INSTRUCTION in bench.text
    assert Bench(model("lab:concat"), bench.ensemble).text == (Segment.QUESTION,)


def test_turning_its_use_down_turns_the_donors_share_down(model):
    shares = []
    for name in ("planted:text-overrides@0", "planted:text-overrides@0.75", "planted:text-overrides"):
        found = read(model(name), lab_ensemble(**FEW, around=hinted), ["donor behavior"])
        shares.append(found.readings["donor behavior"].share)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.01


def test_additive_logits_give_their_own_share():
    from vlmlens.rulers.truth import additive_share

    rng = np.random.default_rng(0)
    picture, question = 3 * rng.normal(size=(6, 1, 5)), rng.normal(size=(1, 4, 5))

    def apart(rows):
        rows = rows - rows.mean(-1, keepdims=True)
        return np.mean([np.linalg.norm(a - b) for a, b in itertools.permutations(rows, 2)])

    table = log_softmax(torch.from_numpy(picture + question), -1).exp().numpy()
    expected = apart(picture[:, 0]) / (apart(picture[:, 0]) + apart(question[0]))
    assert additive_share(table) == pytest.approx(expected, rel=1e-9)


def test_items_are_spread_evenly_and_none_twice():
    found = spread(24, 4, 48, 0)
    assert len({tuple(pair) for pair in found}) == 48
    assert set(np.bincount(found[:, 0])) == {2}
    assert set(np.bincount(found[:, 1])) == {12}
    assert len(spread(3, 2, 48, 0)) == 6


def test_filler_and_hints_leave_the_question_as_it_was():
    assert padded(0)(0, "what") == "what"
    assert len(padded(20)(0, "what").split()) == 21
    assert hinted(0, "what").endswith("what")


def test_a_persons_picture_is_crossed_with_its_variants(scenes):
    ensemble = own_ensemble(scenes[0], "what color is the circle?")
    assert ensemble.pictures[0] is scenes[0]
    assert ensemble.questions[0] == "what color is the circle?"
    assert "variants" in ensemble.why_no_samples
    found = read_representational(ensemble)
    assert not found.told
    assert "independent" in found.why


def read_representational(ensemble):
    bench = SimpleNamespace(ensemble=ensemble)
    bench.estimates = None
    real = Bench.__new__(Bench)
    real.ensemble = ensemble
    return RULERS["representational PID, before"].measure(real)


def test_it_can_be_stopped(concat):
    progress = Progress()
    stream = reading(concat, lab_ensemble(**FEW), CHEAP, progress)
    next(stream)
    progress.cancel()
    with pytest.raises(Cancelled):
        list(stream)
