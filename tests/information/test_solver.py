"""The decomposition is exact: known gates, a brute-force twin, the identities, its own certificate, and invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.information import GATES, InformationError, decompose, gate, mixture
from vlmlens.information.solver import PID


def terms(pid: PID) -> np.ndarray:
    """U1, U2, R, S, the last axis."""
    return np.stack([pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic], axis=-1)


def random_table(seed: int) -> np.ndarray:
    """Dense, sparse, deterministic or counted tables of 2 to 8 by 2 to 8 by 2 to 6."""
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(2, 9, 2), rng.integers(2, 7))
    kind = seed % 4
    if kind == 0:
        return rng.dirichlet(np.full(np.prod(shape), 0.5)).reshape(shape)
    if kind == 1:
        return rng.dirichlet(np.ones(np.prod(shape))).reshape(shape) * (rng.random(shape) < 0.4) + 1e-300
    if kind == 2:
        return np.eye(shape[2])[rng.integers(0, shape[2], shape[:2])] * rng.random(shape[:2])[..., None]
    return rng.multinomial(200, rng.dirichlet(np.ones(np.prod(shape)))).reshape(shape).astype(float)


def mutual_information(pairs: np.ndarray) -> float:
    """Bits between the two axes, by the sum in its definition."""
    p = pairs / pairs.sum()
    return sum(p[a, y] * np.log2(p[a, y] / (p[a].sum() * p[:, y].sum())) for a, y in np.ndindex(p.shape) if p[a, y] > 0)


def brute_force(joint: np.ndarray) -> float:
    """Least I_Q(X1, X2; Y) of a 2 x 2 x n table: each Q(., ., y) moves along one line; coordinate-wise search."""
    p = joint / joint.sum()
    move = np.array([[1.0, -1.0], [-1.0, 1.0]])
    low = [-min(p[0, 0, y], p[1, 1, y]) for y in range(p.shape[2])]
    high = [min(p[0, 1, y], p[1, 0, y]) for y in range(p.shape[2])]
    shift = np.array([(a + b) / 2 for a, b in zip(low, high, strict=True)])

    def value() -> float:
        return mutual_information((p + move[:, :, None] * shift).clip(0).reshape(4, -1))

    width = np.subtract(high, low)
    for _ in range(60):  # pattern search: convex, so a shrinking pattern ends at the least value
        before, moved = value(), True
        while moved:
            moved = False
            for direction in (*np.eye(len(shift)), np.ones(len(shift)), np.eye(len(shift))[0] - np.eye(len(shift))[1]):
                for sign in (1, -1):
                    kept = shift.copy()
                    shift[:] = np.clip(shift + sign * width * direction, low, high)
                    if (now := value()) < before - 1e-15:
                        before, moved = now, True
                    else:
                        shift[:] = kept
        width = width / 2
    return value()


@pytest.mark.parametrize("name", GATES)
def test_gates_are_exact(name):
    np.testing.assert_allclose(terms(decompose(gate(name))), GATES[name].truth, atol=1e-9)


def test_a_noisy_gate_keeps_what_the_channel_lets_through():
    through = 1 - 0.1 * 0.5  # half of the redrawn outputs are right by luck
    kept = 1 + through * np.log2(through) + (1 - through) * np.log2(1 - through)
    np.testing.assert_allclose(terms(decompose(gate("XOR", 0.1), 1e-9)), [0, 0, 0, kept], atol=1e-9)
    np.testing.assert_allclose(terms(decompose(gate("UNQ", 0.1), 1e-9)), [kept, 0, 0, 0], atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_it_equals_a_brute_force_search(seed):
    rng = np.random.default_rng(seed)
    table = (
        rng.dirichlet(np.full(12, 0.7)).reshape(2, 2, 3)
        if seed % 2
        else mixture(dict(zip(("AND", "XOR", "RDN"), rng.random(3), strict=True)))
    )
    pid = decompose(table, 1e-9)
    union = pid.information_1 + pid.unique_2
    assert union == pytest.approx(brute_force(table), abs=1e-7)


@pytest.mark.parametrize("seed", range(40))
def test_the_parts_add_up_to_the_information(seed):
    table = random_table(seed)
    pid = decompose(table)
    assert pid.converged
    assert 0 <= pid.gap <= 1e-6
    assert pid.information_1 == pytest.approx(mutual_information(table.sum(axis=1)), abs=1e-9)
    assert pid.information_2 == pytest.approx(mutual_information(table.sum(axis=0)), abs=1e-9)
    assert pid.total == pytest.approx(mutual_information(table.reshape(-1, table.shape[2])), abs=1e-9)
    assert (terms(pid) >= -pid.gap - 1e-12).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e6))
def test_names_scale_and_empty_rows_do_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    table = random_table(seed)
    whole = terms(decompose(table, 1e-7))
    order = [rng.permutation(n) for n in table.shape]
    np.testing.assert_allclose(terms(decompose(table[np.ix_(*order)] * scale, 1e-7)), whole, atol=3e-7)
    wider = np.pad(table, ((1, 0), (0, 2), (0, 1)))
    np.testing.assert_allclose(terms(decompose(wider, 1e-7)), whole, atol=3e-7)
    swapped = terms(decompose(table.swapaxes(0, 1), 1e-7))
    np.testing.assert_allclose(swapped[[1, 0, 2, 3]], whole, atol=3e-7)


def test_a_stack_is_its_tables_one_by_one():
    rng = np.random.default_rng(0)
    stack = np.stack([rng.multinomial(100 + i, np.full(60, 1 / 60)).reshape(4, 5, 3) for i in range(300)]).astype(float)
    together = decompose(stack, 1e-7)
    assert together.converged.all()
    for index in (0, 17, 255, 256, 299):
        np.testing.assert_allclose(terms(together)[index], terms(decompose(stack[index], 1e-7)), atol=3e-7)


@pytest.mark.parametrize("most", [1, 2, 3, 10, 40])
def test_an_unsolved_problem_says_so_and_its_gap_holds(most):
    rng = np.random.default_rng(5)
    stack = rng.dirichlet(np.full(96, 0.3), size=50).reshape(50, 4, 4, 6)
    early, late = decompose(stack, 1e-9, max_iterations=most), decompose(stack, 1e-8)
    assert not early.converged.all()
    assert (early.converged == (early.gap <= 1e-9)).all()
    assert (np.abs(terms(early) - terms(late)) <= (early.gap / 2 + late.gap)[:, None]).all()


def test_the_same_table_gives_the_same_bits():
    table = random_table(8)
    assert decompose(table).to_dict() == decompose(table).to_dict()


@pytest.mark.parametrize(
    ("joint", "word"),
    [
        ([[[0.5, -0.1]]], "negative"),
        ([[[0.5, float("nan")]]], "finite"),
        ([[[0.5, float("inf")]]], "finite"),
        (np.zeros((2, 2, 2)), "without a single count"),
        (np.ones((2, 2)), "axes"),
        (np.ones((0, 2, 2)), "axes"),
        ([[["a"]]], "numbers"),
        ([[[1], [1, 2]]], "numbers"),
    ],
)
def test_a_bad_table_is_refused_in_a_sentence(joint, word):
    with pytest.raises(InformationError, match=word):
        decompose(joint)


def test_one_class_has_nothing_to_tell():
    np.testing.assert_allclose(terms(decompose(np.ones((3, 2, 1)))), 0, atol=1e-12)


@pytest.mark.parametrize(
    "call", [lambda: gate("NAND"), lambda: gate("AND", 1.5), lambda: mixture({}), lambda: mixture({"COPY": 1})]
)
def test_a_gate_that_is_none_is_refused(call):
    with pytest.raises(InformationError):
        call()
