"""The decomposition is exact: known gates, brute force, a convex solver, its own certificate, and invariances."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmlens.information import GATES, InformationError, decompose, gate, gpu, lanes, mixture, optimum
from vlmlens.information.arithmetic import exp, log
from vlmlens.information.climb import climb, measure, start
from vlmlens.information.compiling import kept_on_disk
from vlmlens.information.newton import finish
from vlmlens.information.search import search
from vlmlens.information.solver import PID


def terms(pid: PID) -> np.ndarray:
    """U1, U2, R, S, the last axis."""
    return np.stack([pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic], axis=-1)


def random_table(seed: int, sources: int = 8, labels: int = 6) -> np.ndarray:
    """Dense, sparse, deterministic or counted tables of up to `sources` by `sources` by `labels`."""
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(2, sources + 1, 2), rng.integers(2, labels + 1))
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


@cache
def program(shape: tuple[int, int, int]) -> tuple[cvxpy.Problem, list[cvxpy.Parameter], list[cvxpy.Variable]]:
    """The least -H_Q(Y | X1, X2) as a convex program of the pair marginals: one matrix variable for each y."""
    rows, columns, labels = shape
    p1, p2 = cvxpy.Parameter((rows, labels), nonneg=True), cvxpy.Parameter((columns, labels), nonneg=True)
    q = [cvxpy.Variable((rows, columns)) for _ in range(labels)]
    marginals = [cvxpy.sum(q[y], axis=1) == p1[:, y] for y in range(labels)]
    marginals += [cvxpy.sum(q[y], axis=0) == p2[:, y] for y in range(labels)]
    value = sum(cvxpy.sum(cvxpy.rel_entr(part, sum(q))) for part in q)
    return cvxpy.Problem(cvxpy.Minimize(value), marginals), [p1, p2], q


def convex(joint: np.ndarray) -> float | None:
    """Least I_Q(X1, X2; Y), bits, by Clarabel; None where it gives up."""
    problem, (p1, p2), q = program(joint.shape)
    p1.value, p2.value = joint.sum(axis=1) / joint.sum(), joint.sum(axis=0) / joint.sum()
    try:
        problem.solve(solver=cvxpy.CLARABEL)
    except cvxpy.SolverError:
        return None
    if problem.status != "optimal":
        return None
    found = np.stack([part.value for part in q], axis=-1).clip(0)  # as little as 1e-9 below
    return mutual_information(found.reshape(-1, found.shape[2]))


@pytest.mark.parametrize("name", GATES)
def test_gates_are_exact(name):
    np.testing.assert_allclose(terms(decompose(gate(name))), GATES[name].truth, atol=1e-9)


def test_it_agrees_with_a_convex_solver():
    differences = []
    for seed in range(48):
        table = random_table(seed, sources=2 + seed // 12, labels=5)
        pid, least = decompose(table), convex(table)
        if least is not None:
            differences.append(pid.information_1 + pid.unique_2 - least)
    assert len(differences) >= 40
    np.testing.assert_allclose(differences, 0, atol=1e-5)


def test_large_tables_are_solved_too():
    gaps = [decompose(random_table(seed, sources=32, labels=30)).gap for seed in range(60)]
    assert np.mean(np.array(gaps) <= 1e-6) >= 0.99
    assert max(gaps) <= 1e-3


@pytest.mark.parametrize("seed", range(24))
def test_the_optimum_has_the_pair_marginals_and_tells_the_least(seed):
    table = np.pad(random_table(seed), ((0, 1), (1, 0), (0, 0)))
    q, pid = optimum(table), decompose(table)
    p = table / table.sum()
    assert q.shape == table.shape
    assert (q >= 0).all()
    np.testing.assert_allclose(q.sum(), 1, atol=1e-14)
    np.testing.assert_allclose(q.sum(axis=0), p.sum(axis=0), atol=1e-15)
    np.testing.assert_allclose(q.sum(axis=1), p.sum(axis=1), atol=1e-15)
    tells = mutual_information(q.reshape(-1, q.shape[2]))
    assert tells == pytest.approx(pid.information_1 + pid.unique_2, abs=pid.gap / 2 + 1e-12)
    assert decompose(q).synergistic == pytest.approx(0, abs=pid.gap + 1e-6)


@pytest.mark.parametrize("name", GATES)
def test_the_optimum_of_a_gate_has_no_synergy(name):
    q = optimum(gate(name))
    np.testing.assert_allclose(terms(decompose(q)), [*GATES[name].truth[:3], 0], atol=1e-6)


def test_an_unfinished_optimum_still_has_the_pair_marginals():
    table = random_table(8)
    q = optimum(table, 1e-9, max_iterations=1)
    np.testing.assert_allclose(q.sum(axis=0), table.sum(axis=0) / table.sum(), atol=1e-15)
    np.testing.assert_allclose(q.sum(axis=1), table.sum(axis=1) / table.sum(), atol=1e-15)
    assert (q >= 0).all()


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


def stack_of_counts(tables: int) -> np.ndarray:
    """Some with an empty row or column."""
    rng = np.random.default_rng(3)
    return rng.multinomial(40, rng.dirichlet(np.full(60, 0.5)), size=tables).reshape(-1, 4, 5, 3).astype(float)


def prepared(stack: np.ndarray) -> tuple[np.ndarray, ...]:
    """P1, P2, R, V, the bounds and the iterations where a climb starts."""
    b, rows, columns, labels = stack.shape
    p1, p2, r = np.empty((b, rows, labels)), np.empty((b, columns, labels)), np.empty((b, rows, columns))
    v = np.empty_like(p2)
    assert measure(stack, p1, p2, np.empty((b, 4)))
    found = np.empty((b, 2))
    start(p1, p2, r, v, found)
    return p1, p2, r, v, found, np.zeros(b, np.int64)


def bounds(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray, climb=climb) -> np.ndarray:
    """What R and V prove, lower and upper [b, 2]."""
    found = np.full((len(p1), 2), (-np.inf, np.inf))
    climb(p1, p2, r.copy(), v.copy(), found, np.empty(len(p1), np.int64), 0.0, 0)
    return found


def test_the_climb_on_a_gpu_is_the_same_climb():
    here, there = prepared(stack_of_counts(30)), prepared(stack_of_counts(30))
    climb(*here, 1e-5, 400)
    gpu.climb(*there, 1e-5, 400, "cpu")
    np.testing.assert_array_equal(here[5], there[5])
    np.testing.assert_allclose(here[4], there[4], atol=1e-9)
    np.testing.assert_allclose(here[2], there[2], atol=1e-6)


def test_a_table_ends_the_same_whichever_are_solved_beside_it():
    stack = stack_of_counts(21)
    together, turned, alone = prepared(stack), prepared(stack[::-1].copy()), prepared(stack[5:6])
    for run in (together, turned, alone):
        lanes.climb(*run, 1e-7, 2000)
    for number in range(2, 6):
        np.testing.assert_array_equal(together[number], turned[number][::-1])
        np.testing.assert_array_equal(together[number][5], alone[number][0])


def test_the_certificates_are_one():
    from torch import from_numpy

    rng = np.random.default_rng(1)
    p1, p2, r, v, *_ = prepared(stack_of_counts(30))
    r, v = r * rng.random(r.shape), rng.random(v.shape)
    theirs = gpu.bounds(*map(from_numpy, (p1, p2, r, v)))
    np.testing.assert_allclose(bounds(p1, p2, r, v), np.stack(theirs, 1), atol=1e-12)
    np.testing.assert_allclose(bounds(p1, p2, r, v, lanes.climb), np.stack(theirs, 1), atol=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_no_point_proves_anything_false(seed):
    rng = np.random.default_rng(seed)
    shape = (1, *rng.integers(1, 6, 3))
    rare = 10.0 ** rng.uniform(-rng.choice([3, 20, 100, 190]), 0, shape)
    p1, p2, r, v, found, spent = prepared(rare * (rng.random(shape) < 0.7) + (rng.random(shape) < 0.1) * 1e-8 + 1e-250)
    solved = search(p1, p2, 1e-9, 5000).bounds[0]
    for _ in range(20):
        noise = np.exp(rng.normal(0, rng.choice([0.1, 5, 50]), r.shape))
        point = r * noise * (rng.random(r.shape) < 0.9)
        for way in (climb, lanes.climb):
            low, high = bounds(p1, p2, point, v, way)[0]
            assert low <= solved[1] + 1e-12
            assert high >= solved[0] - 1e-12
    for way in (climb, lanes.climb):
        way(p1, p2, r.copy(), v.copy(), found, spent, -1.0, 200)  # on and on, with no gap small enough
        assert found[0, 0] <= found[0, 1] + 1e-12


def test_newton_finishes_what_crawls():
    table = np.random.default_rng(0).dirichlet(np.ones(1200)).reshape(1, 20, 20, 3)
    p1, p2, r, v, found, spent = prepared(table)
    climb(p1, p2, r, v, found, spent, 1e-9, 1000)
    assert found[0, 1] - found[0, 0] > 1e-7
    nearer_r, nearer_v = finish(p1[0], p2[0], r[0], v[0], 1e-9)
    low, high = bounds(p1, p2, nearer_r[None], nearer_v[None])[0]
    assert high - low < 1e-8


def test_its_own_exponential_and_logarithm():
    x = np.random.default_rng(0).uniform(-600, 600, 5000)
    np.testing.assert_allclose([exp(value) for value in x], np.exp(x), rtol=5e-16)
    near_one = np.concatenate([np.exp(x), 1 + x / 1e9, [1.0]])
    np.testing.assert_allclose([log(value) for value in near_one], np.log(near_one), rtol=5e-16)
    assert log(np.inf) == np.inf
    assert np.isnan(log(np.nan))
    assert 0 * log(0.0) == 0


def test_it_is_compiled_once_whatever_the_layout():
    table = random_table(8)
    decompose(np.asfortranarray(table))
    decompose(table.swapaxes(0, 1))
    decompose(np.stack([table, table]).astype(np.float32)[::-1])
    assert all(len(function.signatures) == 1 for function in (measure, start, climb, lanes.climb))


def test_it_compiles_without_a_folder_to_keep_it_in():
    def double(x):
        return 2 * x

    double.__code__ = double.__code__.replace(co_filename="/nowhere/double.py")
    assert kept_on_disk(double)(3.0) == 6


def test_threads_do_not_disturb_each_other():
    tables = [random_table(seed) for seed in range(24)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(decompose, tables))
    assert [pid.to_dict() for pid in together] == [decompose(table).to_dict() for table in tables]


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


def test_a_stack_has_no_one_optimum():
    with pytest.raises(InformationError, match="axes"):
        optimum(np.ones((2, 2, 2, 2)))


def test_one_class_has_nothing_to_tell():
    np.testing.assert_allclose(terms(decompose(np.ones((3, 2, 1)))), 0, atol=1e-12)


@pytest.mark.parametrize(
    "call", [lambda: gate("NAND"), lambda: gate("AND", 1.5), lambda: mixture({}), lambda: mixture({"COPY": 1})]
)
def test_a_gate_that_is_none_is_refused(call):
    with pytest.raises(InformationError):
        call()
