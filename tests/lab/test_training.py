"""Training from nothing: the same seed gives the same weights, and what is trained gets better."""

import numpy as np
import pytest
import torch

from vlmlens.lab import train
from vlmlens.lab.draw import render_batch
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.sample import take
from vlmlens.lab.weights import load_encoders

QUICK = train.Recipe(pool=256, steps=8, batch=32, rate=3e-3, emphasis=True)


@pytest.fixture(scope="module")
def pool():
    return train.make_pool(take("train", 1, QUICK.pool), load_encoders()[0])


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(wiring, pool):
    vision, text = load_encoders()

    def weights(seed):
        model = train.train_wiring(wiring, seed, pool, vision, text, QUICK, report=lambda _: None)
        return torch.cat([p.flatten() for p in model.fusion.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_a_curve_ends_with_the_loss_that_was_told_and_the_gates_of_the_model(pool):
    losses, curve = [], []
    vision, text = load_encoders()
    model = train.train_wiring("gated", 0, pool, vision, text, QUICK, report=losses.append, curve=curve)
    told = {"step": QUICK.steps, "loss": pytest.approx(float(losses[-1].split("loss ")[1].split(",")[0]), abs=6e-4)}
    for number, layer in enumerate(model.fusion.links(), start=1):
        for pair in (link.gates() for link in layer if link.look.gated):
            for name, gate in zip(("attention", "feed-forward"), pair, strict=True):
                told[f"{name}, layer {number}"] = pytest.approx(gate.item(), abs=1e-4)
    assert curve == [told]
    assert len(told) > 2
    assert any(gate.expected for name, gate in told.items() if "layer" in name)


def test_a_wiring_learns_and_its_encoders_stay_frozen(pool):
    vision, text = load_encoders()
    before = {k: v.clone() for k, v in vision.state_dict().items()}
    losses = []
    recipe = train.Recipe(pool=256, steps=120, batch=64, rate=3e-3)
    train.train_wiring("txt2img", 0, pool, vision, text, recipe, report=losses.append)
    last = float(losses[-1].split("loss ")[1].split(",")[0])
    assert last < 0.25 * np.log(len(ANSWERS))  # a guess among all answers
    assert all(torch.equal(before[k], v) for k, v in vision.state_dict().items())


def test_patch_targets_name_the_thing_in_the_patchs_cell():
    scene = take("train", 3, 1)[0].scene
    targets = train.attributes([scene])[0]
    for patch, (color, _shape, _size, cell) in enumerate(targets.tolist()):
        row, column = divmod(patch, 6)
        assert cell == row // 2 * 3 + column // 2
        assert (color == 0) == (scene.at(cell) is None)


def test_the_shipped_eyes_name_what_every_patch_shows():
    vision, _ = load_encoders()
    items = take("test", 2, 200)
    with torch.no_grad():
        features = vision(torch.from_numpy(render_batch([item.scene for item in items]))).flatten(0, 1)
    wanted = train.attributes([item.scene for item in items]).flatten(0, 1)
    train_part, test_part = slice(0, 5000), slice(5000, None)
    for attribute in range(3):  # a fresh linear probe: the probes of training are not shipped
        classes = int(wanted[:, attribute].max()) + 1
        onehot = torch.nn.functional.one_hot(wanted[train_part, attribute], classes).float()
        design = torch.cat([features, torch.ones(len(features), 1)], dim=1)
        solution = torch.linalg.lstsq(design[train_part], onehot).solution
        guess = (design[test_part] @ solution).argmax(-1)
        assert (guess == wanted[test_part, attribute]).float().mean() > 0.9
