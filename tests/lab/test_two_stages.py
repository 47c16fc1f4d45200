"""The Q-Former's losses equal their definitions, what is frozen stays, what trains gets gradients, and seeds repeat."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vlmlens.errors import QuestionError
from vlmlens.lab.captions import KINDS, MOST_CAPTION, NUMBER, describe, numbers, pairs
from vlmlens.lab.qformer import QFormer, itc_loss, itg_loss, itm_loss, losses, mine
from vlmlens.lab.questions import by_text
from vlmlens.lab.reader import Reader, reader_loss
from vlmlens.lab.scenes import HELD_OUT_PAIRS, Scene, split_of
from vlmlens.lab.two_stages import (
    VARIANTS,
    Connected,
    Data,
    Found,
    Schedule,
    align,
    connect,
    recall,
    run,
    seeded,
)
from vlmlens.lab.two_stages_found import ALONE, gain, sentence, summaries, worth
from vlmlens.lab.weights import encoder_state, load_encoders
from vlmlens.progress import Cancelled, Progress

TINY = Schedule(read=64, pool=64, tested=80, batch=16, reader=3, align=3, connect=2, every=2)


@pytest.fixture(scope="module")
def data():
    return Data.of(pairs("train", 0, 48), load_encoders()[0])


@pytest.fixture(scope="module")
def qformer():
    return seeded(0, QFormer)


# Captions


def test_sentences_are_true_and_questions_have_their_answers():
    told = pairs("test", 3, 200)
    assert {each.kind for each in told} == set(KINDS)
    for each in told:
        first, second = each.caption.split(" left of " if "left of" in each.caption else " above ")
        by_name = {f"a {thing.color} {thing.shape}": thing for thing in each.scene.things}
        if first == second:
            continue  # two of a kind
        axis = "column" if "left of" in each.caption else "row"
        assert getattr(by_name[first], axis) < getattr(by_name[second], axis)
        assert by_text()[each.question].answer(each.scene) == each.answer
        assert split_of(each.scene) == "test"
        assert not {thing.pair for thing in each.scene.things} & HELD_OUT_PAIRS


def test_the_sentence_alone_settles_every_answer():
    """No two pictures with the same sentence answer a question differently."""
    known = {}
    for each in pairs("train", 1, 3000):
        assert known.setdefault((each.caption, each.question), each.answer) == each.answer


def test_a_scene_without_two_things_has_no_sentence():
    with pytest.raises(QuestionError, match="two things"):
        describe(Scene())
    with pytest.raises(QuestionError, match="zebra"):
        numbers(["a zebra"])


# Losses


def test_contrast_is_the_symmetric_cross_entropy_by_hand(qformer):
    generator = torch.Generator().manual_seed(0)
    queries, text = torch.randn(5, 3, 64, generator=generator), torch.randn(5, 64, generator=generator)
    similarity = qformer.similarity(queries, text)
    seen, said = qformer.image_vector(queries).detach().numpy(), qformer.text_vector(text).detach().numpy()
    total = 0.0
    by_hand = np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            cosines = [q @ said[j] / np.linalg.norm(q) / np.linalg.norm(said[j]) for q in seen[i]]
            by_hand[i, j] = max(cosines)
    np.testing.assert_allclose(similarity.detach().numpy(), by_hand, atol=1e-5)
    for table in (by_hand * 7, by_hand.T * 7):
        total += np.mean([np.log(np.exp(row).sum()) - row[i] for i, row in enumerate(table)])
    assert itc_loss(similarity, 7.0).item() == pytest.approx(total / 2, abs=1e-4)


def test_wrong_partners_are_never_right_ones_and_alike_ones_come_more_often():
    generator = torch.Generator().manual_seed(1)
    caption = torch.tensor([0, 1, 2, 0, 3])  # the first and the fourth say the same
    same = caption[:, None] == caption
    similarity = torch.rand(5, 5, generator=generator)
    similarity[1, 4] = 3.0
    drawn = torch.zeros(5, 5)
    for _ in range(300):
        text, image = mine(similarity, same, 3.0, generator)
        assert not same[torch.arange(5), text].any()
        assert not same[image, torch.arange(5)].any()
        drawn[torch.arange(5), text] += 1
    assert drawn[1].argmax() == 4
    assert drawn[1, 4] > 250
    with pytest.raises(ValueError, match="says the same"):
        mine(similarity, torch.ones(5, 5, dtype=torch.bool), 1.0, generator)


def test_wrong_partners_do_not_hang_on_the_global_generator():
    similarity, same = torch.zeros(6, 6), torch.eye(6, dtype=torch.bool)
    drawn = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        before = torch.random.get_rng_state()
        drawn.append(mine(similarity, same, 1.0, torch.Generator().manual_seed(3))[0])
        assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(*drawn)


def test_match_is_the_cross_entropy_of_three_kinds_of_pair(data, qformer):
    image, words = data.image[:4].float(), data.to_compare[:4]
    wrong_text, wrong_image = torch.tensor([1, 2, 3, 0]), torch.tensor([3, 0, 1, 2])
    total = []
    for i in range(4):
        for picture, text, fits in ((i, i, 1), (i, wrong_text[i], 0), (wrong_image[i], i, 0)):
            queries, _ = qformer(image[picture][None], words[text][None], "itm")
            logits = qformer.matches(queries)[0].mean(0)
            total.append(F.cross_entropy(logits, torch.tensor(fits)).item())
    found = itm_loss(qformer, image, words, wrong_text, wrong_image).item()
    assert found == pytest.approx(np.mean(total), abs=1e-5)


def test_tell_predicts_from_earlier_words_alone(data, qformer):
    image, words = data.image[:2].float(), data.to_tell[:2].clone()
    _, before = qformer(image, words, "itg")
    for place in range(1, words.shape[1]):
        changed = words.clone()
        changed[:, place] = NUMBER["star"] if place % 2 else NUMBER["black"]
        _, after = qformer(image, changed, "itg")
        torch.testing.assert_close(before[:, :place], after[:, :place], atol=1e-6, rtol=0)
        moved = (before[:, place:] - after[:, place:]).abs().amax(-1) > 1e-5
        assert moved[:, 0][(changed != words)[:, place]].all()
    logits = qformer.tells(before)
    by_hand = [
        F.cross_entropy(logits[i, j], words[i, j + 1]).item()
        for i in range(2)
        for j in range(words.shape[1] - 1)
        if words[i, j + 1]
    ]
    assert itg_loss(qformer, before, words).item() == pytest.approx(np.mean(by_hand), abs=1e-5)


def test_queries_learn_of_words_under_match_alone(data, qformer):
    image = data.image[:3].float()
    alone, _ = qformer(image, None, "itc")
    for mask, meets in (("itc", False), ("itg", False), ("itm", True)):
        beside, _ = qformer(image, data.to_compare[:3], mask)
        assert ((beside - alone).abs().max().item() > 1e-3) == meets


def test_words_learn_of_the_picture_where_their_mask_says_so(data, qformer):
    words = data.to_compare[:3]
    for mask, meets in (("itc", False), ("itg", True), ("itm", True)):
        one, other = (qformer(data.image[part].float(), words, mask)[1] for part in (slice(0, 3), slice(3, 6)))
        assert ((one - other).abs().max().item() > 1e-4) == meets


def test_pads_are_not_looked_at(data, qformer):
    image, words = data.image[:2].float(), data.to_compare[:2, :5]
    padded = F.pad(words, (0, 3))
    for mask in ("itc", "itm", "itg"):
        (q, w), (q_padded, w_padded) = qformer(image, words, mask), qformer(image, padded, mask)
        torch.testing.assert_close(q, q_padded, atol=1e-6, rtol=0)
        torch.testing.assert_close(w, w_padded[:, :5], atol=1e-6, rtol=0)


# What learns and what stays


def test_every_part_of_the_qformer_gets_a_gradient_and_the_eyes_none(data):
    model = seeded(0, QFormer)
    index = np.arange(16)
    parts = losses(
        model,
        data.image[index].float(),
        data.to_compare[index],
        data.to_tell[index],
        data.same(index),
        torch.Generator().manual_seed(0),
    )
    parts.total.backward()
    for name, parameter in model.named_parameters():
        if not name.endswith("k_proj.bias"):  # a bias of all keys alike moves no softmax
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
    assert not data.image.requires_grad


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.trained])
def test_what_is_frozen_in_stage_two_stays_bit_for_bit_and_the_rest_moves(name, data):
    model = Connected(seeded(1, QFormer), seeded(2, Reader))
    before = copy.deepcopy(model.state_dict())
    trained = VARIANTS[name].trained
    assert list(connect(model, trained, data, TINY, 0, Progress(), "")), "no point of a curve"
    moved = {key.split(".")[0] for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {{"projection": "projection", "Q-Former": "qformer", "reader": "reader"}[part] for part in trained}


def test_stage_one_leaves_the_eyes_as_they_were(data):
    before = {name: value.clone() for name, value in encoder_state().items()}
    model = seeded(0, QFormer)
    fresh = copy.deepcopy(model.state_dict())
    points = list(align(model, data, TINY, 0, Progress()))
    assert [step for step, _ in points] == [2, 3]
    assert set(points[0][1]) == {"ITC", "ITM", "ITG"}
    assert any(not torch.equal(value, fresh[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in encoder_state().items())


def test_the_reader_reads_forward_only_and_ignores_what_is_not_told():
    reader = seeded(0, Reader)
    caption, question = numbers(["a red circle above a blue star"], MOST_CAPTION), numbers(["what color is the star"])
    description, told = reader.spelled(caption)
    before = reader(description, told, question)
    changed = question.clone()
    changed[0, -1] = NUMBER["circle"]
    after = reader(description, told, changed)
    torch.testing.assert_close(before[:, :-1], after[:, :-1])
    assert (before[:, -1] - after[:, -1]).abs().max() > 1e-4
    silent = torch.zeros_like(told)
    noise = torch.randn(description.shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(reader.answer(description, silent, question), reader.answer(noise, silent, question))


def test_the_readers_loss_counts_the_answer_once_and_other_words_as_asked(data):
    reader = seeded(0, Reader)
    caption, question, answer = data.caption[:6], data.question[:6], data.answer[:6]
    own = F.cross_entropy(reader.answer(*reader.spelled(caption), question), answer)
    torch.testing.assert_close(reader_loss(reader, caption, question, answer, other=0.0), own)
    assert reader_loss(reader, caption, question, answer, other=1.0) > own


# A whole run


def test_a_run_repeats_from_its_seed_whatever_the_global_generator_says():
    first = list(run(5, TINY))[-1]
    torch.manual_seed(99)
    second = list(run(5, TINY))[-1]
    assert first == second
    assert set(first.accuracy) == set(VARIANTS)
    assert Found.from_dict(first.to_dict()) == first
    assert first.trained["stage 1"] > first.trained[ALONE] > 0
    assert list(run(6, TINY, variants=[ALONE]))[-1].curves["reader"] != first.curves["reader"]


def test_a_run_stops_when_asked():
    progress = Progress()
    running = run(0, TINY, progress)
    next(running)
    progress.cancel()
    with pytest.raises(Cancelled):
        list(running)


def test_untrained_retrieval_is_near_chance_and_a_planted_one_is_perfect(data):
    told = pairs("test", 0, 140)
    held_out = Data.of(told, load_encoders()[0])
    assert recall(seeded(0, QFormer), held_out)["picture to sentence"] < 0.2

    place: dict[str, int] = {}
    first = [i for i, each in enumerate(told) if place.setdefault(each.caption, i) == i][:64]
    gallery = Data.of([told[i] for i in first], load_encoders()[0])
    known = [tuple(row) for row in gallery.to_compare.tolist()]

    class Knows(QFormer):  # each sentence has an axis of its own; its picture the same, or in `wrong` cases another's
        def forward(self, image, words, mask):
            rows = known if image is not None else [tuple(row) for row in words.tolist()]
            axes = torch.tensor([known.index(row) for row in rows])
            if image is not None:
                axes[:wrong] = axes[:wrong].roll(1)
            state = F.one_hot(axes, 64).float()
            return state[:, None], state[:, None]

    model = Knows()
    model.image_vector, model.text_vector = torch.nn.Identity(), torch.nn.Identity()
    for wrong in (0, 16):
        assert recall(model, gallery) == dict.fromkeys(("picture to sentence", "sentence to picture"), 1 - wrong / 64)


def test_sentences_over_seeds_name_their_doubt():
    def one(seed, alone, fresh):
        accuracy = {ALONE: alone, "no stage 1, projection only": fresh, "true description": 0.99, "no description": 0.3}
        return Found(seed, {}, {}, accuracy, {}, {})

    clear = [one(0, 0.62, 0.40), one(1, 0.60, 0.41), one(2, 0.63, 0.40)]
    assert "reaches **62 %**" in sentence(clear)
    assert "3 seeds" in sentence(clear)
    assert "helps" in worth(clear)
    unclear = [one(0, 0.62, 0.60), one(1, 0.50, 0.61), one(2, 0.63, 0.60)]
    assert "inconclusive" in worth(unclear)
    assert "cannot say" in worth(clear[:1])
    assert sentence([]).startswith("n/a")
    found = gain(clear, ALONE, "no description")
    assert found.low < found.mean < found.high
    for row in summaries(clear):
        assert 0 <= row.low <= row.mean <= row.high <= 1
