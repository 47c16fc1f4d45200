"""What was planted is what the models do: read off their answers, probabilities and states alone."""

import numpy as np
import pytest
import torch

import vlmlens
from vlmlens.attention import budget
from vlmlens.errors import ModelError, QuestionError
from vlmlens.lab.planted import FIXED_QUESTION, PLANTED, TESTS
from vlmlens.lab.questions import ANSWERS, by_text
from vlmlens.lab.sample import crossed
from vlmlens.models import as_image
from vlmlens.trace import Knockout, Segment

EVERY = [f"planted:{name}" for name in PLANTED]
BLIND, IGNORES = "planted:blind", "planted:sees-but-ignores"
FILLER = "these words say nothing of it "  # six words


@pytest.fixture(scope="module")
def board():
    """Scenes, questions and true answers, none seen when the maps were fitted."""
    scenes, questions, truth = crossed(11, 12)
    return scenes, [question.text for question in questions], truth


def logits(vlm, scenes, questions):
    """[scene, question, answer]."""
    return torch.cat([found[-1] for _, found in vlm.crossed(scenes, questions)])


def answers(vlm, scenes, questions):
    return np.array([[ANSWERS[i] for i in row] for row in logits(vlm, scenes, questions).argmax(-1).tolist()])


def accuracy(vlm, scenes, questions, truth):
    return float((answers(vlm, scenes, questions) == np.array(truth)).mean())


def hidden(vlm, scene, question, share=1.0):
    """Logits [answer] without the first `share` of the image tokens."""
    prepared = vlm.prepare(as_image(scene), question)
    image = np.flatnonzero(prepared.segments == Segment.IMAGE)
    keys = np.isin(np.arange(prepared.length), image[: round(share * len(image))])
    return vlm.run(prepared, None, [Knockout(keys)])[0][0]


def confidence(found):
    return float(found.softmax(-1).amax(-1).mean())


def residual(found):
    """What a sum of a part of the scene and a part of the question leaves of logits [scene, question, answer]."""
    return found - found.mean(0, keepdim=True) - found.mean(1, keepdim=True) + found.mean((0, 1), keepdim=True)


@pytest.mark.parametrize("name", EVERY)
def test_it_loads_checks_itself_and_is_listed_with_a_sentence(name, model):
    assert model(name).name == name
    model(name).check()
    (listed,) = (found for found in vlmlens.list_models() if found.name == name)
    assert listed.present
    assert listed.sentence.endswith(".")


@pytest.mark.parametrize("name", EVERY)
def test_the_truth_covers_every_test(name):
    row = PLANTED[name.removeprefix("planted:")]
    assert tuple(row.truth) == TESTS
    assert all(why.endswith(".") for _, why in row.truth.values())


@pytest.mark.parametrize("name", EVERY)
def test_crossed_batched_and_single_passes_agree(name, model, board):
    vlm, (scenes, questions, _) = model(name), board
    asked = [questions[0], FILLER + questions[1] + " " + FILLER, questions[-1]]
    together = logits(vlm, scenes[:2], asked)
    for index, scene in enumerate(scenes[:2]):
        batch = vlm.batch_logits(vlm.batch([scene] * 3, asked))
        alone = torch.cat([vlm.run(vlm.prepare(as_image(scene), text), None)[0] for text in asked])
        torch.testing.assert_close(batch, together[index], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(alone, together[index], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "planted:decays"])
def test_context_that_is_no_hint_changes_nothing(name, model, board):
    scenes, questions, _ = board
    some = questions[::9]
    plain = logits(model(name), scenes[:2], some)
    for text in (FILLER * 33 + "{}", "{} " + FILLER * 30, "Zwölf Boxkämpfer! {}? Σωκράτης"):
        around = logits(model(name), scenes[:2], [text.format(question) for question in some])
        torch.testing.assert_close(around, plain, atol=1e-4, rtol=1e-4)


def test_context_is_told_as_text_that_is_not_the_question(model, board):
    trace = model("planted:decays").inspect(board[0][0], "Look well: what color is the circle? Thanks")
    words = {segment: [trace.tokens[i] for i in trace.segment_positions(segment)] for segment in Segment}
    assert words[Segment.QUESTION] == ["what", "color", "is", "the", "circle"]
    assert words[Segment.INSTRUCTION] == ["look", "well", "thanks"]
    assert len(words[Segment.IMAGE]) == 36
    for record in trace.rows.values():
        for attention, visible in zip(record.attention, record.visible, strict=True):
            np.testing.assert_allclose(
                attention.sum(-1), np.broadcast_to(visible.any(-1), attention.shape[:2]), atol=2e-6
            )


@pytest.mark.parametrize("name", [BLIND, IGNORES])
def test_no_picture_changes_the_answer_and_none_does_not_either(name, model, board):
    scenes, questions, _ = board
    found = logits(model(name), scenes, questions)
    assert torch.equal(found, found[:1].expand_as(found))
    for question in questions[::20]:
        at = questions.index(question)
        torch.testing.assert_close(hidden(model(name), scenes[0], question), found[0, at], atol=1e-4, rtol=1e-4)
    kinds = [
        answer in by_text()[text].candidates
        for answer, text in zip(answers(model(name), scenes[:1], questions)[0], questions, strict=True)
    ]
    assert all(kinds)


def probe(vlm, scenes, point):
    """How well a linear map of the mean image state tells the size of the circle in other scenes."""
    question = "what size is the circle"
    states = np.concatenate([part.image[point] for part in vlm.read(scenes, [question] * len(scenes))]).astype(float)
    sign = np.array([1.0 if by_text()[question].answer(scene) == "small" else -1.0 for scene in scenes])
    half = len(scenes) // 2
    centre = states[:half].mean(0)
    x = np.c_[states - centre, np.ones(len(states))]
    square = x[:half].T @ x[:half]
    square += 1e-3 * np.trace(square) / len(square) * np.eye(len(square))
    weights = np.linalg.solve(square, x[:half].T @ sign[:half])
    return float((np.sign(x[half:] @ weights) == sign[half:]).mean())


def test_a_probe_tells_the_picture_of_the_one_that_ignores_it_and_not_of_the_blind_one(model):
    scenes, _, _ = crossed(12, 240)
    vlm = model(IGNORES)
    found = [probe(vlm, scenes, point) for point in range(len(vlm.points))]
    assert min(found) > 0.65, found
    states = next(iter(model(BLIND).read(scenes[:20], ["what size is the circle"] * 20))).image
    assert np.ptp(states, axis=1).max() < 1e-5  # at every reading point


def test_the_one_that_ignores_looks_all_the_same(model, board):
    found = budget(model(IGNORES).inspect(board[0][0], "what color is the circle"))
    assert found.share[:, found.segments.index(Segment.IMAGE)].min() > 0.3


def test_image_only_answers_its_own_question_whatever_is_asked(model, board):
    scenes, questions, _ = board
    found = answers(model("planted:image-only"), scenes, questions)
    assert (found == found[:, :1]).all()
    truth = [by_text()[FIXED_QUESTION].answer(scene) for scene in scenes]
    assert (found[:, 0] == truth).mean() > 0.9


def hinted(board):
    """Questions per scene with a hint at a wrong answer, and that answer."""
    scenes, questions, truth = board
    for scene, right in zip(scenes, truth, strict=True):
        for question, answer in list(zip(questions, right, strict=True))[::11]:
            wrong = next(a for a in by_text()[question].candidates if a != answer)
            yield scene, f"A note says {wrong}. {question}?", wrong


def followed(vlm, board):
    scenes, texts, wrong = zip(*hinted(board), strict=True)
    return float(np.mean(np.array(vlm.answer_many(scenes, texts)) == np.array(wrong)))


def test_hints_win_over_the_picture_as_far_as_the_dial_goes(model, board):
    names = [f"planted:text-overrides@{dial}" for dial in (0, 0.3, 0.5, 0.7)]
    found = [followed(model(name), board) for name in (*names, "planted:text-overrides")]
    assert found == sorted(found)
    assert found[0] < 0.1
    assert 0.15 < found[2] < 0.85
    assert found[-1] == 1
    assert followed(model("planted:decays"), board) < 0.15
    scenes, questions, truth = board
    assert accuracy(model("planted:text-overrides"), scenes, questions, truth) > 0.9


def test_a_hint_works_through_attention_and_without_a_picture(model, board):
    vlm = model("planted:text-overrides")
    for scene, text, wrong in list(hinted(board))[:20]:
        assert ANSWERS[int(hidden(vlm, scene, text).argmax())] == wrong
        prepared = vlm.prepare(as_image(scene), text)
        hint = prepared.segments == Segment.INSTRUCTION
        question = text.partition(". ")[2]
        plain, _ = vlm.run(vlm.prepare(as_image(scene), question), None)
        torch.testing.assert_close(vlm.run(prepared, None, [Knockout(hint)])[0], plain, atol=1e-4, rtol=1e-4)


def test_additive_has_no_interaction_and_depends_on_both(model, board):
    scenes, questions, _ = board
    found = logits(model("planted:additive"), scenes, questions)
    assert residual(found).abs().max() < 1e-4
    assert found.std(0).mean() > 0.3
    assert found.std(1).mean() > 0.3
    assert residual(logits(model("lab:concat"), scenes, questions)).abs().max() > 1


def test_xor_is_interaction_and_nothing_else(model):
    scenes, questions, _ = crossed(13, 100)
    texts = [question.text for question in questions if question.kind in ("color", "size", "where")]
    sign = np.where(answers(model("planted:xor"), scenes, texts) == "yes", 1.0, -1.0)
    assert set(answers(model("planted:xor"), scenes[:9], texts).flat) == {"yes", "no"}
    assert abs(sign.mean()) < 0.1  # neither answer is likelier
    assert np.abs(sign.mean(0)).max() < 0.35  # nor when the question is known
    assert np.abs(sign.mean(1)).max() < 0.1  # nor when the picture is
    first = np.linalg.svd(sign)[1] ** 2
    assert first[0] / first.sum() > 0.99  # a sign of the scene times a sign of the question
    assert confidence(hidden(model("planted:xor"), scenes[0], texts[0])[None]) < 0.55


def test_decays_forgets_the_picture_with_every_word(model, board):
    scenes, questions, truth = board
    vlm, few = model("planted:decays"), scenes[:8]
    words = FILLER.split() * 16
    lengths = (0, 12, 24, 48, 96)
    found = [accuracy(vlm, few, [" ".join([*words[:n], q]) for q in questions], truth[:8]) for n in lengths]
    assert found[0] > 0.9
    assert found[0] > found[1] > found[2] + 0.05
    blind = np.array([[ANSWERS[int(hidden(vlm, few[0], q).argmax())] for q in questions]] * 8)
    assert found[3:] == pytest.approx([float((blind == np.array(truth[:8])).mean())] * 2, abs=0.04)
    assert (found[3] + found[4]) / 2 < 0.6
    text = "what color is the circle"
    shares = []
    for n in lengths:
        shown = budget(vlm.inspect(few[0], " ".join([*words[:n], text])))
        shares.append(float(shown.share[:, shown.segments.index(Segment.IMAGE)].mean()))
    diluted = [shares[0] * 41 / (41 + n) for n in lengths]  # if every word took as much as any other token
    assert shares == sorted(shares, reverse=True)
    assert all(share < 0.75 * other for share, other in zip(shares[1:], diluted[1:], strict=True))


def test_the_noisy_one_is_less_sure_with_a_scene_before_it_and_knows_less(model, board):
    scenes, questions, truth = board
    vlm = model("planted:noisy-image")
    some = questions[::6]
    seen = [np.mean([confidence(hidden(vlm, s, q, share)[None]) for s in scenes[:4] for q in some]) for share in (1, 0)]
    assert seen[0] > seen[1] + 0.2
    empty = [type(scene)() for scene in scenes]
    assert confidence(logits(vlm, empty, some)) > confidence(logits(vlm, scenes, some)) + 0.1
    found = logits(vlm, scenes, questions)
    assert (found[0] - found[1]).abs().mean() > 0.05  # other pictures, other answers
    kept = [i for i, question in enumerate(questions) if question.startswith(("what", "which"))]  # of what is there
    right = torch.tensor([[ANSWERS.index(row[i]) for i in kept] for row in truth])[..., None]
    without = torch.stack([hidden(vlm, scenes[0], questions[i]) for i in kept]).log_softmax(-1)
    gain = found[:, kept].log_softmax(-1).gather(2, right) - without.expand(len(scenes), -1, -1).gather(2, right)
    assert gain.mean() < -0.1


def test_a_text_without_a_lab_question_or_without_end_is_refused(model, board):
    for text, told in (
        ("what is the weather like", "Lab models know"),
        ("word " * 300 + "what color is the circle", "up to 250 words"),
        ("?!", "The question is empty"),
    ):
        with pytest.raises(QuestionError, match=told):
            model(BLIND).inspect(board[0][0], text)


@pytest.mark.parametrize(
    "name", ["planted:nobody", "planted:blind@1", "planted:text-overrides@2", "planted:text-overrides@x"]
)
def test_an_unknown_name_or_dial_is_refused(name):
    with pytest.raises(ModelError, match="planted:"):
        vlmlens.load(name)
