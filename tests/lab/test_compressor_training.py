"""Compressors are trained alike for the same seed, kept and found again, and their cost is what ran."""

import json

import pytest
import torch

from vlmlens.errors import ModelError, QuestionError, UserError
from vlmlens.lab.compress import BUDGETS, COMPRESSORS, CompressedModel
from vlmlens.lab.compress import weights as kept
from vlmlens.lab.compress.ask import ask, overlap
from vlmlens.lab.compress.cost import compressing, cost, fusing
from vlmlens.lab.compress.measured import read
from vlmlens.lab.compress.train import train_compressor
from vlmlens.lab.cost import QUESTION
from vlmlens.lab.cost import cost as cost_of
from vlmlens.lab.draw import render_array, render_batch
from vlmlens.lab.model import LabModel
from vlmlens.lab.sample import take
from vlmlens.lab.text import encode
from vlmlens.lab.train import make_pool
from vlmlens.lab.weights import LabName, load_encoders, load_wiring


@pytest.fixture(scope="module")
def pool():
    return make_pool(take("train", 3, 24), load_encoders()[0])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "HOME", tmp_path)
    return tmp_path


def train(name, pool, seed=0, steps=3, **options):
    return train_compressor(COMPRESSORS[name], seed, pool, steps, report=lambda told: None, **options)


def differing(one, other):
    return {name for name, value in one.state_dict().items() if not torch.equal(value, other.state_dict()[name])}


@pytest.mark.parametrize("name", ["relevance-driven", "q-former"])
def test_the_same_seed_gives_the_same_weights_and_encoders_stay_frozen(name, pool):
    one, other = train(name, pool), train(name, pool)
    assert not differing(one.model, other.model)
    moved = differing(one.model.base, load_wiring(LabName("concat")))
    assert any(part.startswith("fusion.") for part in moved)
    assert any(part.startswith("readout.") for part in moved)
    assert not any(part.startswith(("vision.", "text.")) for part in moved)
    assert not any(parameter.requires_grad for parameter in one.model.parameters())
    assert not one.model.training


@pytest.mark.parametrize("name", [name for name, row in COMPRESSORS.items() if row.chooses or name == "random pruning"])
def test_what_others_draw_meanwhile_changes_nothing(name, pool, monkeypatch):
    alone, real = train(name, pool), CompressedModel.fuse

    def fuse(self, *given):
        torch.rand(3)  # as another thread might
        return real(self, *given)

    monkeypatch.setattr(CompressedModel, "fuse", fuse)
    assert not differing(alone.model, train(name, pool).model)


def test_one_budget_alone_is_another_training(pool):
    assert differing(train("average pooling", pool).model, train("average pooling", pool, only=4).model)


def test_kept_weights_answer_as_the_trained_ones_do(pool, home):
    trained = train("query-aware top-k", pool)
    kept.save_compressed("query-aware top-k", 0, trained)
    found = kept.load_compressed("query-aware top-k")
    assert kept.trained_seeds("query-aware top-k") == (0,)
    items = take("test", 1, 4)
    pixels = torch.from_numpy(render_batch([item.scene for item in items]))
    ids = encode([item.question.text for item in items])
    with torch.no_grad():
        before, after = (model(pixels, ids, 36).softmax(-1) for model in (trained.model, found))
    assert torch.allclose(before, after, atol=0.02)  # half precision
    card = json.loads(kept.card_of("query-aware top-k").read_text())
    assert card["begins_at"] == "lab:concat@0"
    assert card["steps"] == 3
    assert not list(home.glob("*.partial"))


def test_missing_and_damaged_weights_are_one_sentence_with_the_command(home):
    with pytest.raises(ModelError, match=r"not trained yet: `python benchmarks/compression.py --train`"):
        kept.load_compressed("perceiver", 2)
    kept.path_of("perceiver", 2).write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"perceiver-2.safetensors are damaged; remove them"):
        kept.load_compressed("perceiver", 2)
    with pytest.raises(ModelError, match="is no compressor; there are none, average pooling"):
        kept.path_of("zip")


@pytest.mark.parametrize("tokens", [36, 9, 4, 1])
def test_the_fusions_cost_in_closed_form_is_what_the_modules_do(tokens):
    model = LabModel("concat", side=round(tokens**0.5))
    assert fusing(tokens, 5)[1] == cost_of(model, QUESTION).fusing


def test_attention_grows_with_the_square():
    assert fusing(36, 5)[0] / fusing(1, 5)[0] == pytest.approx((41 / 6) ** 2)


def test_a_compressors_own_cost_by_hand():
    width, patches = 64, 36
    models = {name: CompressedModel(row) for name, row in COMPRESSORS.items()}
    words = encode([QUESTION]).shape[1]
    assert compressing(models["none"], 36) == 0
    assert compressing(models["average pooling"], 9) == 9 * patches * width
    assert compressing(models["query-aware top-k"], 4) == (patches + words) * width**2 + patches * words * width
    asking = (2 * 4 + 2 * patches) * width**2 + 2 * 4 * patches * width + 2 * 4 * width * 2 * width
    assert compressing(models["learned queries"], 4) == asking + 4 * width**2 + 4 * patches * width
    for name, model in models.items():
        for keep in COMPRESSORS[name].budgets:
            found = cost(model, keep)
            assert found.total == found.fusing + found.compressing
            assert found.attention < found.fusing


def test_asking_tells_answers_shares_and_what_was_left_out():
    torch.manual_seed(0)
    scene = take("test", 2, 1)[0].scene
    model = CompressedModel(COMPRESSORS["query-aware top-k"], load_wiring(LabName("concat"))).eval()
    heard = ask(model, render_array(scene), "what color is the star?", 4)
    assert sum(p for _, p in heard.answers) == pytest.approx(1)
    assert heard.survives.sum() == pytest.approx(4)
    assert heard.left_out == 32
    assert heard.half == 2
    assert overlap(heard, heard) == pytest.approx(1)
    assert json.dumps(heard.to_dict())
    with pytest.raises(QuestionError, match="zebra"):
        ask(model, render_array(scene), "where is the zebra?", 4)
    with pytest.raises(UserError, match="1 to 36 tokens"):
        ask(model, render_array(scene), "what color is the star?", 37)


def test_with_all_tokens_it_answers_as_the_wiring_does():
    scene = take("test", 2, 1)[0].scene
    base = load_wiring(LabName("concat"))
    heard = ask(
        CompressedModel(COMPRESSORS["none"], base).eval(), render_array(scene), "how many things are there?", 36
    )
    with torch.no_grad():
        logits = base(torch.from_numpy(render_batch([scene])), encode(["how many things are there?"]))
    assert heard.probability == pytest.approx(float(logits.softmax(-1).max()), abs=1e-4)


def planted(path, accuracies, only=None):
    """A file as the benchmark writes it: [compressor][seed] -> accuracy at 4 tokens."""
    rows = [
        {
            "compressor": name,
            "seed": seed,
            "only": alone,
            "accuracy": {"4": value},
            "by_question": {"4": {"color": value, "count": value}},
        }
        for alone, table in ((None, accuracies), (4, only or {}))
        for name, values in table.items()
        for seed, value in enumerate(values)
    ]
    costs = [
        {"compressor": "q-former", "tokens": 4, "words": 5, "attention": 1, "fusing": 2, "compressing": 3, "total": 5}
    ]
    about = {"command": "c", "n": 2000, "asked": {"color": 1000, "count": 1000}}
    path.write_text(json.dumps(about | {"rows": rows, "costs": costs}))
    return path


def test_measured_accuracies_have_intervals_and_differences_a_word(tmp_path):
    path = planted(
        tmp_path / "c.json",
        {"q-former": [0.9, 0.91, 0.92], "random pruning": [0.6, 0.61, 0.62], "perceiver": [0.95, 0.85, 0.9]},
        {"q-former": [0.93, 0.94, 0.95]},
    )
    found = read(path)
    own = found.accuracy("q-former", 4)
    assert own.value == pytest.approx(0.91)
    assert own.low < 0.9
    assert own.seeds == 3
    assert found.difference("q-former", "random pruning", 4).word == "more"
    assert found.difference("random pruning", "q-former", 4).word == "less"
    assert found.difference("q-former", "perceiver", 4).word == "cannot say"
    assert found.difference("q-former", "none", 4) is None
    assert found.alone("q-former", 4).value == pytest.approx(0.03)
    assert found.accuracy("q-former", 9) is None
    assert found.budgets("q-former") == (4,)
    assert found.costs["q-former", 4].total == 5
    assert set(found.by_question("q-former", 4)) == {"color", "count"}


def test_a_difference_is_never_narrower_than_the_questions_allow(tmp_path):
    gap = read(planted(tmp_path / "c.json", {"q-former": [0.9] * 3, "perceiver": [0.9] * 3})).difference(
        "q-former", "perceiver", 4
    )
    assert gap.low < -0.01 < 0.01 < gap.high


def test_nothing_measured_is_none_and_a_damaged_file_one_sentence(tmp_path):
    assert read(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text('{"rows": 3}')
    with pytest.raises(UserError, match=r"bad.json is damaged; remove it and measure again"):
        read(tmp_path / "bad.json")


def test_budgets_of_the_issue():
    assert BUDGETS == (36, 25, 16, 9, 4, 1)
