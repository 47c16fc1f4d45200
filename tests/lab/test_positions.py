"""Laws of positional encodings: distances alone count, norms are kept, every axis gets what its layout promises."""

import importlib
import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.errors import UserError
from vlmlens.lab.fusion import WIRINGS, Fusion
from vlmlens.lab.model import LabModel
from vlmlens.lab.positions import AXES, POSITIONS, coordinates, stretched, turn
from vlmlens.lab.vision import HEADS, WIDTH, Attention
from vlmlens.lab.weights import LabName, encoder_state, load_wiring
from vlmlens.trace.capture import Recorder, recording

ROTARY = [name for name, positions in POSITIONS.items() if positions.rotary]
SETTINGS = settings(max_examples=25, deadline=None)
PAIRS = WIDTH // HEADS // 2
place = st.tuples(*[st.integers(-20, 20)] * 3)


def states(seed: int, count: int, head: int = 2 * PAIRS) -> torch.Tensor:
    return torch.randn(1, 1, count, head, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scores(name: str, query: torch.Tensor, key: torch.Tensor, at: tuple, of: tuple) -> torch.Tensor:
    pairs = POSITIONS[name].pairs(PAIRS)
    one, other = (turn(pairs, torch.tensor([where], dtype=torch.float64)) for where in (at, of))
    return (one(query) * other(key)).sum(-1)


@pytest.mark.parametrize("name", ROTARY)
class TestRotary:
    @SETTINGS
    @given(at=place, of=place, shift=place, seed=st.integers(0, 999))
    def test_scores_depend_on_differences_of_positions_only(self, name, at, of, shift, seed):
        query, key = states(seed, 1), states(seed + 1000, 1)
        moved = [tuple(x + dx for x, dx in zip(where, shift, strict=True)) for where in (at, of)]
        torch.testing.assert_close(scores(name, query, key, at, of), scores(name, query, key, *moved))

    @SETTINGS
    @given(at=place, seed=st.integers(0, 999))
    def test_norms_are_kept(self, name, at, seed):
        query = states(seed, 4)
        turned = turn(POSITIONS[name].pairs(PAIRS), torch.tensor([at] * 4, dtype=torch.float64))(query)
        torch.testing.assert_close(turned.norm(dim=-1), query.norm(dim=-1))

    @SETTINGS
    @given(where=st.lists(place, min_size=3, max_size=3), seed=st.integers(0, 999))
    def test_it_is_the_rotation_of_complex_numbers(self, name, where, seed):
        """Su et al., 2021, eq. 16, as complex numbers: the brute-force twin."""
        query, pairs = states(seed, 3), POSITIONS[name].pairs(PAIRS)
        found = turn(pairs, torch.tensor(where, dtype=torch.float64))(query)
        for i, p in itertools.product(range(3), range(PAIRS)):
            angle = where[i][AXES.index(pairs[p].axis)] * pairs[p].frequency
            number = complex(query[0, 0, i, p], query[0, 0, i, p + PAIRS])
            wanted = number * complex(math.cos(angle), math.sin(angle))
            assert complex(found[0, 0, i, p], found[0, 0, i, p + PAIRS]) == pytest.approx(wanted, abs=1e-5)

    def test_with_all_positions_zero_nothing_turns(self, name):
        torch.manual_seed(0)
        attention = Attention(WIDTH, HEADS)
        x, y = torch.randn(2, 5, WIDTH), torch.randn(2, 7, WIDTH)
        pairs = POSITIONS[name].pairs(PAIRS)
        still = turn(pairs, torch.zeros(5, 3)), turn(pairs, torch.zeros(7, 3))
        assert torch.equal(attention(x, y, None, still), attention(x, y))

    @SETTINGS
    @given(count=st.integers(3, 64))
    def test_every_pair_belongs_to_an_axis_and_turns(self, name, count):
        pairs = POSITIONS[name].pairs(count)
        assert len(pairs) == count
        assert {"row", "column"} <= {pair.axis for pair in pairs} <= set(AXES)
        assert all(0 < pair.frequency <= 1 for pair in pairs)
        assert all(pair.wavelength == pytest.approx(2 * math.pi / pair.frequency) for pair in pairs)

    def test_heads_too_narrow_are_refused_in_a_sentence(self, name):
        with pytest.raises(UserError, match="turns the dimensions of a head in pairs"):
            Fusion(WIRINGS["concat"], HEADS, positions=name)

    def test_latents_do_not_turn(self, name):
        fusion = Fusion(WIRINGS["perceiver"], positions=name)
        turned = fusion.turn(9, 5, torch.device("cpu"))
        assert torch.equal(turned.cos[14:], torch.ones(16, PAIRS))
        assert torch.equal(turned.sin[14:], torch.zeros(16, PAIRS))


def spans(name: str, count: int) -> dict[str, tuple[int, int]]:
    """The first and the last pair of each axis on one ladder of frequencies, the fastest first."""
    pairs = POSITIONS[name].pairs(count)
    assert [p.frequency for p in pairs] == sorted((p.frequency for p in pairs), reverse=True)
    index = {axis: [i for i, pair in enumerate(pairs) if pair.axis == axis] for axis in AXES}
    return {axis: (min(own), max(own)) for axis, own in index.items()}


@SETTINGS
@given(count=st.integers(8, 64))
def test_interleaved_gives_every_axis_high_and_low_frequencies_and_chunked_does_not(count):
    assert all(first < 3 and last >= count - 3 for first, last in spans("interleaved", count).values())
    chunks = spans("chunked", count)
    assert not any(first < 3 and last >= count - 3 for first, last in chunks.values())
    assert chunks["time"][1] < chunks["row"][0] <= chunks["row"][1] < chunks["column"][0]


@SETTINGS
@given(count=st.integers(3, 64))
def test_both_layouts_give_every_axis_as_many_pairs_and_the_same_ladder(count):
    interleaved, chunked = (POSITIONS[name].pairs(count) for name in ("interleaved", "chunked"))
    assert sorted(p.axis for p in interleaved) == sorted(p.axis for p in chunked)
    assert [p.frequency for p in interleaved] == [p.frequency for p in chunked]


@SETTINGS
@given(half=st.integers(1, 32))
def test_2d_rotary_gives_rows_and_columns_the_same_ladder(half):
    pairs = POSITIONS["rotary2d"].pairs(2 * half)
    assert [p.axis for p in pairs] == ["row"] * half + ["column"] * half
    assert [p.frequency for p in pairs[:half]] == [p.frequency for p in pairs[half:]]
    assert pairs[0].frequency == 1


@pytest.mark.parametrize(
    ("name", "family", "rotary", "axes", "section"),
    [
        ("chunked", "qwen2_vl", "Qwen2VLRotaryEmbedding", AXES, [2, 3, 3]),  # of 8 pairs, as 16, 24 and 24 of 64
        ("interleaved", "qwen3_vl", "Qwen3VLTextRotaryEmbedding", ("row", "column", "time"), [3, 3, 2]),
    ],
)
def test_a_layout_is_that_of_its_family(name, family, rotary, axes, section):
    """The family's own function says which axis each pair takes its angle from."""
    family = importlib.import_module(f"transformers.models.{family}.modeling_{family}")
    marks = torch.arange(3.0)[:, None, None, None].repeat(1, 1, 1, PAIRS)  # [axis, batch, position, pair]
    laid = getattr(family, rotary).recomposition_frequencies(SimpleNamespace(mrope_section=section), marks)
    found = [axes[int(mark)] for mark in laid.flatten()[:PAIRS]]
    assert found == [pair.axis for pair in POSITIONS[name].pairs(PAIRS)]


class TestCoordinates:
    def test_patches_share_a_time_and_words_go_on_after_the_grid(self):
        found = coordinates(9, 4, 2)
        assert found[:9].tolist() == [[0, row, column] for row in range(3) for column in range(3)]
        assert found[9:13].tolist() == [[t, t, t] for t in (3, 4, 5, 6)]
        assert found[13:].tolist() == [[0, 0, 0]] * 2

    @SETTINGS
    @given(side=st.integers(2, 8), words=st.integers(1, 12))
    def test_a_fitted_board_spans_what_was_trained(self, side, words):
        trained = coordinates(9, words, 0)
        fitted = coordinates(side * side, words, 0, spacing=2 / (side - 1))
        torch.testing.assert_close(fitted[: side * side].amax(0), trained[:9].amax(0))
        torch.testing.assert_close(fitted[side * side :], trained[9:])


class TestStretched:
    @SETTINGS
    @given(trained=st.integers(1, 6), seed=st.integers(0, 999))
    def test_to_the_same_size_nothing_changes(self, trained, seed):
        places = torch.randn(36, 4, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(stretched(places, trained, trained), places[: trained**2])

    @SETTINGS
    @given(trained=st.integers(2, 6), side=st.integers(2, 9))
    def test_a_slope_stays_a_slope_between_the_same_corners(self, trained, side):
        line = torch.linspace(0, 1, trained)
        slope = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).flatten(0, 1)
        line = torch.linspace(0, 1, side)
        wanted = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).flatten(0, 1)
        torch.testing.assert_close(stretched(slope, trained, side), wanted, atol=1e-5, rtol=0)


def stream(name: str, wiring: str, image: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """What the answer is read from, over an untrained fusion; the latents of those that have them."""
    torch.manual_seed(3)
    fusion = Fusion(WIRINGS[wiring], positions=name).eval()
    with torch.no_grad():
        return fusion(image, words, torch.ones(words.shape[:2], dtype=torch.bool))[0]


def shuffled(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Patches, the same in another order, and words."""
    source = torch.Generator().manual_seed(seed)
    image, words = torch.randn(2, 9, WIDTH, generator=source), torch.randn(2, 6, WIDTH, generator=source)
    return image, image[:, torch.randperm(9, generator=source)], words


@pytest.mark.parametrize("wiring", [name for name, wiring in WIRINGS.items() if wiring.latents])
@pytest.mark.parametrize("name", POSITIONS)
def test_latents_are_invariant_to_the_order_of_patches_without_positions_only(name, wiring):
    image, other, words = shuffled()
    change = (stream(name, wiring, image, words) - stream(name, wiring, other, words)).abs().max()
    assert (change < 1e-4) == (name == "none")


@pytest.mark.parametrize("name", POSITIONS)
def test_the_perceivers_latents_are_so_already_after_the_layers_that_resample(name):
    def entering_layer_2(image, words):
        seen = {}
        with recording(Recorder({}, torch.zeros(0).numpy(), {}, see=seen.__setitem__)):
            stream(name, "perceiver", image, words)
        return seen[2][:, -16:]

    image, other, words = shuffled()
    change = (entering_layer_2(image, words) - entering_layer_2(other, words)).abs().max()
    assert (change < 1e-4) == (name == "none")


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_whole_model_without_positions_does_not_see_the_order_of_patches(wiring):
    torch.manual_seed(0)
    model = LabModel(wiring, positions="none").eval()
    blocks = torch.randint(0, 256, (1, 36, 8, 8, 3), dtype=torch.uint8)
    ids = torch.tensor([[1, 2, 3, 4]])

    def asked(blocks):
        pixels = blocks.unflatten(1, (6, 6)).transpose(2, 3).flatten(1, 2).flatten(2, 3)
        with torch.no_grad():
            return model(pixels, ids)

    torch.testing.assert_close(asked(blocks), asked(blocks[:, torch.randperm(36)]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("name", ROTARY)
def test_gradients_reach_both_streams_and_no_place_is_learned(name, wiring):
    torch.manual_seed(0)
    model = LabModel(wiring, positions=name)
    assert not [key for key in model.fusion.state_dict() if "places" in key]
    image, words = torch.randn(2, 9, WIDTH, requires_grad=True), torch.randn(2, 5, WIDTH, requires_grad=True)
    for link in itertools.chain.from_iterable(model.fusion.links()):
        for module in link.modules():
            if hasattr(module, "alpha"):
                torch.nn.init.constant_(module.alpha, 0.5)  # gates stand at zero before training
    model.fuse(image, words, torch.ones(2, 5, dtype=torch.bool)).square().sum().backward()
    assert image.grad.abs().sum() > 0
    assert words.grad.abs().sum() > 0


def test_learned_positions_are_what_the_shipped_weights_have():
    """By hand, as they were before there were others: the shipped states enter, and nothing turns."""
    shipped = load_wiring(LabName("concat"))
    named = LabModel("concat", positions="learned")
    named.load_state_dict(
        encoder_state() | {k: v for k, v in shipped.state_dict().items() if "fusion" in k or "readout" in k}
    )
    image, words = torch.randn(2, 36, WIDTH), torch.randn(2, 6, WIDTH)
    mask = torch.ones(2, 6, dtype=torch.bool)
    entrance = shipped.fusion.enter_image
    assert torch.equal(entrance(image), entrance.project(entrance.norm(image)) + entrance.places)
    assert shipped.fusion.turn(36, 6, torch.device("cpu")) is None
    with torch.no_grad():
        assert torch.equal(
            shipped.fuse(image, words, mask), named.requires_grad_(False).eval().fuse(image, words, mask)
        )


def test_every_encoding_is_described():
    for name, positions in POSITIONS.items():
        assert positions.name == name
        assert all((positions.sentence, positions.known_as, positions.best_for, positions.cannot))
        assert positions.rotary == bool(positions.pairs(PAIRS))
        assert not (positions.rotary and positions.learned)
