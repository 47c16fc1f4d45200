"""Which maps find what was asked about? Every method on every lab model, marked against the known places.

python benchmarks/maps.py --keep FOLDER    # compute what FOLDER lacks, mark all, write the results (an hour)
python benchmarks/maps.py                  # write docs/maps.md anew from what was measured last
"""

import argparse
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import vlmlens
from vlmlens.attention import hellinger, image_maps, masking_sweep, over_image
from vlmlens.attribution import METHODS, Case, Map, explain
from vlmlens.attribution import PASSES as DEFAULT_PASSES
from vlmlens.attribution.ground_truth import (
    HOME,
    GroundTruth,
    Mean,
    Refused,
    Row,
    Score,
    Trial,
    auc,
    lead,
    mark,
    pointing,
    published,
    relevant_cells,
)
from vlmlens.errors import NotApplicable, NotWatched
from vlmlens.lab.draw import PIXELS
from vlmlens.lab.sample import Item, items
from vlmlens.lab.vision import SIDE
from vlmlens.models import VLM, lab_models
from vlmlens.trace import Grid

TARGET = HOME / "ground_truth.json"
QUESTIONS = 500
TUNING = 100
PROBE = 64  # of the tuning questions: for the masking sweep
PASSES = 108  # of a sampling method: 3 orders of 36 patches, or 108 subsets
SEED = 2  # of the questions; 0 and 1 are those of the cards
SLOW = ("shapley", "kernel shap")  # as long as all others together, so they come last
LAYERED = ("raw", "sink-removed", "relative", "value-weighted", "lens", "question rows")  # a map for every layer
LONGEST = {"test": QUESTIONS, "validation": TUNING}


def asked(split: str) -> list[Item]:
    """Held-out questions of mixed kinds that speak of something on the board."""
    speaking = (item for item in items(split, SEED) if item.question.relevant(item.scene))
    return list(itertools.islice(speaking, LONGEST[split]))


# Maps, kept as they come


@dataclass(frozen=True)
class Kept:
    """One method's maps of all questions of a split."""

    labels: tuple[str, ...]
    values: np.ndarray  # [question, slice, cell]
    first: np.ndarray  # int [question]: the slice to show
    notes: tuple[str, ...]  # [question]
    milliseconds: float

    @property
    def shown(self) -> np.ndarray:
        shown: np.ndarray = self.values[np.arange(len(self.values)), self.first]
        return shown


def question_rows(case: Case) -> Map:
    """Raw attention of the question's words instead of the answering row."""
    places, values = image_maps(case.trace, "question")
    return Map("question rows", tuple(p.label for p in places), values.mean(axis=2), "of the attention")


def gradients(case: Case) -> Map:
    """What GradCAM is made of, and what becomes of it with one step left out."""
    eyes, seen = case.eyes, list[Tensor]()

    def watch(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    with case.computing():
        handle = eyes.projector.register_forward_hook(watch)
        try:
            case.of_pixels(eyes.pixels.clone().requires_grad_()).sum().backward()
        finally:
            handle.remove()
    assert seen[0].grad is not None
    active, slope = seen[0].detach()[0].numpy(), seen[0].grad[0].numpy()  # [patch, width]
    pooled, own = active @ slope.mean(axis=0), active * slope
    variants = {
        "as published": pooled.clip(0),
        "without the ReLU": pooled,
        "sign turned": -pooled,
        "each patch by its own gradient, summed": own.sum(axis=1),
        "the same, size only": np.abs(own.sum(axis=1)),
        "size of the patch's gradient alone": np.linalg.norm(slope, axis=1),
    }
    return Map("gradients", tuple(variants), np.stack(list(variants.values()))[:, None], "")


EXTRAS: dict[str, Callable[[Case], Map]] = {"question rows": question_rows, "gradients": gradients}


def folder(keep: Path, model: str) -> Path:
    return keep / model.removeprefix("lab:")


def path(keep: Path, model: str, split: str, method: str) -> Path:
    return folder(keep, model) / f"{split} {method}.npz"


def load(keep: Path, model: str, split: str, method: str) -> Kept | str:
    """Maps, or the reason why there are none."""
    with np.load(path(keep, model, split, method)) as found:
        if "reason" in found:
            return str(found["reason"])
        labels, notes = (tuple(found[name].tolist()) for name in ("labels", "notes"))
        return Kept(labels, found["values"], found["first"], notes, float(found["milliseconds"]))


def compute(keep: Path, cases: Sequence[Case], model: str, split: str, method: str) -> None:
    draw = EXTRAS.get(method) or (lambda case: explain(method, case))
    start = time.perf_counter()
    target = path(keep, model, split, method)
    try:
        found = [draw(case) for case in cases]
    except (NotApplicable, NotWatched) as reason:
        np.savez(target, reason=str(reason))
        return
    spent = 1000 * (time.perf_counter() - start) / len(cases)
    np.savez(
        target,
        labels=np.array(found[0].labels),
        values=np.stack([one.values.mean(axis=1) for one in found]),
        first=np.array([one.first for one in found]),
        notes=np.array([one.note for one in found]),
        milliseconds=spent,
    )
    print(f"{model} {split} {method}: {spent:.0f} ms a map", flush=True)


def cases_of(vlm: VLM, chosen: Sequence[Item], sweep: vlmlens.attention.Sweep) -> list[Case]:
    found = []
    for item in chosen:
        question = item.question.text + "?"
        trace = vlm.inspect(item.scene, question)
        more = {"fusion": sweep.fusion_layers, "review": sweep.review_layer, "passes": PASSES}
        found.append(Case(vlm, item.scene, question, trace, **more))
    return found


def fill(keep: Path, models: Sequence[str]) -> None:
    """Every map that is not there yet; what samples comes last."""
    tuning = asked("validation")
    quick = [method for method in METHODS if method not in SLOW]
    for methods in ([*quick, *EXTRAS], SLOW):
        for model in models:
            jobs = [("test", method) for method in methods]
            jobs += [("validation", method) for method in methods if method in LAYERED]
            jobs = [job for job in jobs if not path(keep, model, *job).exists()]
            if not jobs:
                continue
            folder(keep, model).mkdir(parents=True, exist_ok=True)
            vlm = vlmlens.load(model)
            probe = tuning[:PROBE]
            sweep = masking_sweep(vlm, [i.scene for i in probe], [i.question.text + "?" for i in probe], mode="zero")
            (folder(keep, model) / "sweep.json").write_text(json.dumps(sweep.to_dict()))
            for split in dict.fromkeys(split for split, _ in jobs):
                chosen = asked(split)
                cases = cases_of(vlm, chosen, sweep)
                if split == "test":
                    right = [case.answer.text == item.answer for case, item in zip(cases, chosen, strict=True)]
                    relevant = [
                        relevant_cells(item.question, item.scene, case.trace.grid)
                        for case, item in zip(cases, chosen, strict=True)
                    ]
                    np.savez(folder(keep, model) / "truth.npz", right=right, relevant=relevant)
                for method in [method for where, method in jobs if where == split]:
                    compute(keep, cases, model, split, method)


# Marks


@dataclass(frozen=True)
class Truth:
    """What is known of the questions of a split."""

    kinds: np.ndarray  # str [question]
    relevant: np.ndarray  # bool [question, cell]

    @classmethod
    def of(cls, split: str) -> "Truth":
        grid = Grid.regular((SIDE, SIDE), range(SIDE * SIDE), (PIXELS, PIXELS))  # of every lab model
        chosen = asked(split)
        return cls(
            np.array([item.question.kind for item in chosen]),
            np.stack([relevant_cells(item.question, item.scene, grid) for item in chosen]),
        )


def measured(keep: Path, models: Sequence[str]) -> GroundTruth:
    test, tuning = Truth.of("test"), Truth.of("validation")
    accuracy: dict[str, float] = {}
    rows: list[Row] = []
    refused: list[Refused] = []
    trials: list[Trial] = []
    for model in models:
        with np.load(folder(keep, model) / "truth.npz") as found:
            right = found["right"]
            assert (found["relevant"] == test.relevant).all()
        accuracy[model] = round(float(right.mean()), 5)
        raw = load(keep, model, "test", "raw")
        assert isinstance(raw, Kept)
        for method in METHODS:
            found = load(keep, model, "test", method)
            if isinstance(found, str):
                refused.append(Refused(model, method, found))
                continue
            layer = best = None
            if len(found.labels) > 1:
                layer = chosen_layer(load(keep, model, "validation", method), tuning.relevant)
                best = mark(found.values[:, layer], test.relevant)
            rows.append(
                Row(
                    model,
                    method,
                    mark(found.shown, test.relevant),
                    mark(found.shown[right], test.relevant[right]),
                    None if method == "raw" else lead(found.shown, raw.shown, test.relevant),
                    "" if layer is None else found.labels[layer],
                    best,
                    None if best is None else mark(found.values.mean(axis=1), test.relevant),
                    {
                        str(kind): mark(found.shown[test.kinds == kind], test.relevant[test.kinds == kind])
                        for kind in dict.fromkeys(test.kinds)
                    },
                    found.milliseconds,
                )
            )
        trials += [Trial(model, *trial) for trial in tried(keep, model, test, tuning)]
    return GroundTruth(
        "python benchmarks/maps.py --keep FOLDER",
        time.strftime("%Y-%m-%d"),
        vlmlens.__version__,
        QUESTIONS,
        TUNING,
        PASSES,
        float(test.relevant.mean()),
        accuracy,
        tuple(rows),
        tuple(refused),
        tuple(trials),
    )


def chosen_layer(found: Kept | str, relevant: np.ndarray) -> int:
    """The slice with the most hits on the tuning questions; where they tie, the larger area."""
    assert isinstance(found, Kept)
    marks = [(pointing(one, relevant).mean(), auc(one, relevant).mean()) for one in found.values.swapaxes(0, 1)]
    return max(range(len(marks)), key=marks.__getitem__)


def tried(keep: Path, model: str, test: Truth, tuning: Truth) -> Iterator[tuple[str, str, Score]]:
    """Why contrastive maps and GradCAM do what they do: subject, variant, score."""
    raw, contrastive = (load(keep, model, "test", method) for method in ("raw", "contrastive"))
    assert isinstance(raw, Kept)
    assert isinstance(contrastive, Kept)
    for kind in dict.fromkeys(test.kinds):
        of = test.kinds == kind
        yield "contrastive less raw", str(kind), lead(contrastive.shown[of], raw.shown[of], test.relevant[of])
    for note, _ in Counter(contrastive.notes).most_common():
        of = np.array(contrastive.notes) == note
        yield "contrastive took", note.partition(",")[0], mark(contrastive.shown[of], test.relevant[of])
    late = [raw.labels.index(note.partition(" less ")[0]) for note in contrastive.notes]
    alone = raw.values[np.arange(len(late)), late]
    yield "contrastive less its late layer", "all", lead(contrastive.shown, alone, test.relevant)
    for kind in dict.fromkeys(test.kinds):
        of = test.kinds == kind
        yield "contrastive less its late layer", str(kind), lead(contrastive.shown[of], alone[of], test.relevant[of])
    for method, whose in (("raw", "answering row"), ("question rows", "question's rows")):
        on_test, on_tuning = (load(keep, model, split, method) for split in ("test", "validation"))
        if isinstance(on_test, str):
            continue
        assert isinstance(on_tuning, Kept)
        looking = np.flatnonzero(on_test.values.any(axis=(0, 2))).tolist()  # a word looks nowhere in a readout
        for layer in looking:
            yield f"attention, {whose}", on_test.labels[layer], mark(on_test.values[:, layer], test.relevant)
        shares, tuned = over_image(on_test.values), over_image(on_tuning.values)  # [question, layer, cell]
        pairs = list(itertools.permutations(looking, 2))
        if not pairs:
            continue
        found = [pointing(tuned[:, one] - tuned[:, other], tuning.relevant).mean() for one, other in pairs]
        for one, other in pairs:
            named = f"{on_test.labels[one]} less {on_test.labels[other]}"
            yield f"pair, {whose}", named, mark(shares[:, one] - shares[:, other], test.relevant)
        one, other = pairs[int(np.argmax(found))]
        named = f"{on_test.labels[one]} less {on_test.labels[other]}"
        maps = shares[:, one] - shares[:, other]
        yield f"best pair, {whose}", named, mark(maps, test.relevant)
        single = on_test.values[:, chosen_layer(on_tuning, tuning.relevant)]
        yield f"best pair less raw as shown, {whose}", named, lead(maps, raw.shown, test.relevant)
        yield f"best pair less best layer, {whose}", named, lead(maps, single, test.relevant)
    for method in METHODS:
        found = load(keep, model, "test", method)
        if isinstance(found, Kept) and (found.shown < 0).any():
            yield "sign ignored", method, mark(np.abs(found.shown), test.relevant)
    if raw.labels[-1].startswith("readout"):
        shares = over_image(raw.values)
        maps = np.stack([one[-1] - one[int(hellinger(one)[-1].argmax())] for one in shares])
        yield "readout as the late layer", "readout less the farthest layer", mark(maps, test.relevant)
    found = load(keep, model, "test", "gradients")
    assert isinstance(found, Kept)
    for number, label in enumerate(found.labels):
        yield "gradcam", label, mark(found.values[:, number], test.relevant)


# Words and tables

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "maps.md"
BEST = ("pair", "pair less best layer")
TEXT = Path(__file__).resolve().with_suffix(".md")  # with a place for every table


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(mean: Mean) -> str:
    return f"{100 * mean.value:.0f} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def points(mean: Mean) -> str:
    return f"{100 * mean.value:+.0f} [{100 * mean.low:+.0f}, {100 * mean.high:+.0f}]"


def more(mean: Mean) -> str:
    return f"{mean.value:+.2f} [{mean.low:+.2f}, {mean.high:+.2f}]"


def area(mean: Mean) -> str:
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def by_method(found: GroundTruth, told: Callable[[Row], str], chance: str) -> str:
    """One line a method, one column a model."""
    lines = [
        [method, *(told(row) if (row := found.row(m, method)) else "n/a" for m in found.models)] for method in METHODS
    ]
    return table(
        ["method", *(f"`{model}`" for model in found.models)], [*lines, ["*chance*", *[chance] * len(found.models)]]
    )


def trials_of(found: GroundTruth, model: str, subject: str) -> list[Trial]:
    return [trial for trial in found.trials if (trial.model, trial.subject) == (model, subject)]


def layer_choice(found: GroundTruth) -> str:
    """What each way to choose a layer costs: shown first, best on other questions, mean."""
    methods = [m for m in METHODS if any(row.chosen for row in found.rows if row.method == m)]

    def told(row: Row | None) -> str:
        if row is None or row.chosen is None or row.averaged is None:
            return "n/a"
        shown, chosen, averaged = (100 * s.pointing.value for s in (row.shown, row.chosen, row.averaged))
        return f"{shown:.0f} · {chosen:.0f} ({row.layer.partition(':')[0]}) · {averaged:.0f}"

    return table(
        ["method", *(f"`{model}`" for model in found.models)],
        [[method, *(told(found.row(model, method)) for model in found.models)] for method in methods],
    )


def short(variant: str) -> str:
    """ "layer 3 less layer 2" without what each of them joins."""
    return " less ".join(part.partition(":")[0] for part in variant.split(" less "))


def against_raw(found: GroundTruth) -> str:
    """Contrastive maps as shown against raw ones as shown."""
    lines = []
    for model in found.models:
        raw, contrastive = found.row(model, "raw"), found.row(model, "contrastive")
        assert raw is not None
        assert contrastive is not None
        assert contrastive.over_raw is not None
        itself = trials_of(found, model, "contrastive less its late layer")[0].score
        took = trials_of(found, model, "contrastive took")
        lines.append(
            [
                f"`{model}`",
                percent(raw.shown.pointing),
                percent(contrastive.shown.pointing),
                points(contrastive.over_raw.pointing),
                more(contrastive.over_raw.auc),
                points(itself.pointing),
                more(itself.auc),
                "; ".join(f"{short(t.variant)} ({t.score.n})" for t in took),
            ]
        )
    over = ["lead over raw", "in area", "lead over its late layer", "in area", "layers it took (questions)"]
    return table(["model", "raw", "contrastive", *over], lines)


def best_pairs(found: GroundTruth) -> str:
    """The best that any choice of two layers could do, against the best single layer chosen in the same way."""
    lines = []
    for model in found.models:
        raw = found.row(model, "raw")
        assert raw is not None
        assert raw.chosen is not None
        (best,), (gain,) = (trials_of(found, model, f"best {what}, answering row") for what in BEST)
        lines.append(
            [
                f"`{model}`",
                f"{raw.layer.partition(':')[0]}: {100 * raw.chosen.pointing.value:.0f}",
                f"{short(best.variant)}: {100 * best.score.pointing.value:.0f}",
                points(gain.score.pointing),
                more(gain.score.auc),
            ]
        )
    return table(["model", "raw, best layer", "best pair", "lead of the pair", "lead in area"], lines)


def layers_alone(found: GroundTruth) -> str:
    lines = []
    for model in found.models:
        for rows in ("answering row", "question's rows"):
            seen = trials_of(found, model, f"attention, {rows}")
            told = [f"{t.variant.partition(':')[0]} {100 * t.score.pointing.value:.0f}" for t in seen]
            if told:
                lines.append([f"`{model}`", rows, ", ".join(told)])
    return table(["model", "whose attention", "hits of each layer alone"], lines)


def by_kind(found: GroundTruth) -> str:
    of = {
        model: {t.variant: t.score for t in trials_of(found, model, "contrastive less raw")} for model in found.models
    }
    kinds = sorted(next(iter(of.values())))
    return table(
        ["kind (questions)", *(f"`{model}`" for model in found.models)],
        [
            [f"{kind} ({of[found.models[0]][kind].n})", *(points(of[model][kind].pointing) for model in found.models)]
            for kind in kinds
        ],
    )


def unsigned(found: GroundTruth) -> str:
    """What signed maps mark where only the size of a value counts."""
    of = {m: {t.variant: t.score for t in trials_of(found, m, "sign ignored")} for m in found.models}
    return table(
        ["sign ignored", *(f"`{model}`" for model in found.models)],
        [
            [method, *(f"{100 * (s := of[m][method]).pointing.value:.0f} · {s.auc.value:.2f}" for m in found.models)]
            for method in METHODS
            if all(method in of[model] for model in found.models)
        ],
    )


def cam(found: GroundTruth) -> str:
    of = {model: {t.variant: t.score for t in trials_of(found, model, "gradcam")} for model in found.models}
    return table(
        ["GradCAM", *(f"`{model}`" for model in found.models)],
        [
            [variant, *(f"{100 * (s := of[m][variant]).pointing.value:.0f} · {s.auc.value:.2f}" for m in found.models)]
            for variant in next(iter(of.values()))
        ],
    )


def document(found: GroundTruth) -> str:
    """docs/maps.md."""
    accuracy = ", ".join(f"`{model}` {100 * right:.1f} %" for model, right in found.accuracy.items())
    kinds = {trial.variant: trial.score for trial in trials_of(found, "lab:txt2img", "contrastive less raw")}
    gains = [
        (trial.model, trial.variant, trial.score)
        for model in found.models
        for trial in trials_of(found, model, "contrastive less its late layer")
    ]
    readouts = [(m, t.score) for m in found.models for t in trials_of(found, m, "readout as the late layer")]
    refused = "\n".join(f"- `{one.model}`, {one.method}: {one.reason}" for one in found.refused)
    filled = {
        "questions": found.questions,
        "tuning": found.tuning,
        "probe": PROBE,
        "passes": found.passes,
        "page": DEFAULT_PASSES,
        "date": found.date,
        "chance": f"{100 * found.chance:.0f}",
        "accuracy": accuracy,
        "refused": refused,
        "pointing": by_method(found, lambda row: percent(row.shown.pointing), f"{100 * found.chance:.0f}"),
        "area": by_method(found, lambda row: area(row.shown.auc), "0.50"),
        "layers": layer_choice(found),
        "against_raw": against_raw(found),
        "pairs": best_pairs(found),
        "alone": layers_alone(found),
        "kinds": by_kind(found),
        "unsigned": unsigned(found),
        "cam": cam(found),
        "areas": ", ".join(
            f"questions of {kind} on `{model}` ({more(score.auc)})" for model, kind, score in gains if score.auc.low > 0
        ),
        "relation_area": more(kinds["relation"].auc),
        "readout": ", ".join(f"{100 * score.pointing.value:.0f} % (`{model}`)" for model, score in readouts),
    }
    return TEXT.read_text().format_map(filled)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the maps are kept")
    keep = parser.parse_args().keep
    if keep is not None:
        torch.set_num_threads(1)
        models = sorted((m.name for m in lab_models()), key=lambda name: name != "lab:llava")
        fill(keep, models)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(json.dumps(measured(keep, models).to_dict(), indent=1, allow_nan=False) + "\n")
    DOCUMENT.write_text(document(published()))
    print(f"wrote {DOCUMENT.name}")


if __name__ == "__main__":
    main()
