"""The command line: the same verbs without a browser.

With --json a verb prints one JSON object on stdout and nothing else; messages go to stderr. A person's error ends with
one line and exit code 2.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmlens import __version__
from vlmlens.errors import UserError
from vlmlens.progress import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.verb(options)
    except UserError as error:
        print(f"vlmlens: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "vlmlens", description="Did the model look at the picture, where, and did it matter?"
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    app = verbs.add_parser("app", help="open the app in a browser")
    app.add_argument("--port", type=int, default=8501)
    app.add_argument("--headless", action="store_true", help="serve only, open no browser")
    app.add_argument(
        "--network", action="store_true", help="serve a class: everybody on this network may open and use the app"
    )
    app.set_defaults(verb=_app)

    models = verbs.add_parser("models", help="list the models that can be loaded by name")
    models.set_defaults(verb=_models)

    inspect = verbs.add_parser("inspect", help="ask one question about one picture and look inside")
    inspect.add_argument("model")
    inspect.add_argument("picture", help="a file, or a lab scene as JSON")
    inspect.add_argument("question")
    inspect.add_argument("--save", metavar="FILE", type=Path, help="write the trace file")
    inspect.add_argument("--device", default="auto")
    inspect.add_argument("--dtype", default="auto", help="auto, bf16, fp16, fp32, 8bit or 4bit")
    inspect.set_defaults(verb=_inspect)

    evaluate = verbs.add_parser("evaluate", help="accuracy on held-out lab questions, with the picture and without")
    evaluate.add_argument("model")
    evaluate.add_argument("--seed", type=int, default=0)
    evaluate.add_argument("--n", type=int, default=2000)
    evaluate.add_argument("--prior", type=float, default=None, help="the language prior of the questions, 0 to 1")
    evaluate.set_defaults(verb=_evaluate)

    pid = verbs.add_parser("pid", help="bits that picture and words bring about the answer, alone and together")
    pid.add_argument("model")
    pid.add_argument("--mode", choices=("representational", "interventional"), default="representational")
    pid.add_argument("--kind", default="color", help="of question, or any; the probe set is held-out lab scenes")
    pid.add_argument("--n", type=int, default=4000, help="items read (half are counted), or pictures crossed")
    pid.add_argument("--k", type=int, default=8, help="clusters of picture states, and of question states")
    pid.add_argument("--prior", type=float, default=None, help="the language prior of the questions, 0 to 1")
    pid.add_argument("--seed", type=int, default=0)
    pid.set_defaults(verb=_pid)

    diagnose = verbs.add_parser("diagnose", help="is the picture used at all? seven tests that can fail")
    diagnose.add_argument("model")
    diagnose.add_argument("--probe", default="lab", metavar="PATH", help="lab, or a CSV or JSONL file, or its folder")
    diagnose.add_argument("--seed", type=int, default=0)
    diagnose.add_argument("--scenes", type=int, default=64, help="of the lab probe")
    diagnose.add_argument("--questions", type=int, default=16, help="of the lab probe")
    diagnose.add_argument("--tests", nargs="+", default=["all"], metavar="TEST", help="by name; by default all seven")
    diagnose.add_argument("--device", default="auto")
    diagnose.add_argument("--dtype", default="auto", help="auto, bf16, fp16, fp32, 8bit or 4bit")
    diagnose.set_defaults(verb=_diagnose)

    perturb = verbs.add_parser("perturb", help="change a picture, step by step, and write it")
    perturb.add_argument("picture", help="a file, or a lab scene as JSON")
    perturb.add_argument(
        "--step",
        action="append",
        default=[],
        metavar="NAME[:STRENGTH[:SEED]]",
        help="for instance blur:0.5; again for more",
    )
    perturb.add_argument("--stack", metavar="JSON", help="steps as the app writes them, or a file of them; go first")
    perturb.add_argument("--region", metavar="KIND:X,Y,...", help="of every --step, for instance box:0.1,0.1,0.5,0.5")
    perturb.add_argument("--to", metavar="X,Y", help="where move, copy and swap put the region's centre, in fractions")
    perturb.add_argument("--donor", metavar="FILE", help="the other picture, for the changes that need one")
    perturb.add_argument("--out", metavar="FILE", type=Path, required=True)
    perturb.set_defaults(verb=_perturb)

    train = verbs.add_parser("train", help="train a wiring of the lab, or the shipped models anew")
    train.add_argument("names", nargs="*", metavar="MODEL", help="for instance lab:concat@1; none: see --all")
    train.add_argument("--all", action="store_true", help="everything, encoders first")
    train.add_argument("--card", action="store_true", help="measure only: write the cards of weights that are there")
    _add_run_options(train)
    train.set_defaults(verb=_train)

    cost = verbs.add_parser("cost", help="what the image tokens of a picture cost in a real model")
    cost.add_argument("--model", default="llava-1.5-7b", help="a published one, by its short name; see --list")
    cost.add_argument("--picture", default="1024x768", metavar="WIDTHxHEIGHT", help="in pixels")
    cost.add_argument("--text", type=int, default=64, help="tokens of text")
    cost.add_argument("--tokens", type=int, metavar="N", help="so many image tokens in place of the family's own count")
    cost.add_argument("--list", action="store_true", help="every published model, with this picture")
    cost.set_defaults(verb=_cost)

    lessons = verbs.add_parser("lessons", help="list the lessons, or check lesson files")
    lessons.add_argument("--check", nargs="+", metavar="FILE", type=Path, help="tell what is wrong, by file and line")
    lessons.add_argument("--run", action="store_true", help="with --check: also run every figure, from start to end")
    lessons.set_defaults(verb=_lessons)

    for verb in (models, inspect, evaluate, pid, diagnose, perturb, train, cost, lessons):
        verb.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser


# Field of a training plan, option, type, what it is.
_PLAN: tuple[tuple[str, str, type, str], ...] = (
    ("seed", "--seed", int, "of weights and data"),
    ("positions", "--positions", str, "how a position is told to attention"),
    ("prior", "--prior", float, "language prior of the training questions, 0 to 1"),
    ("width", "--width", int, "of fusion and readout"),
    ("side", "--tokens", int, "image tokens a side: 6, 3, 2 or 1"),
    ("latents", "--latents", int, "learned queries, where the wiring has any"),
    ("steps", "--steps", int, "by default as many as the shipped model of this wiring took"),
    ("batch", "--batch", int, "items a step"),
    ("pool", "--pool", int, "different items in all"),
    ("rate_new", "--rate-new", float, "highest learning rate of fusion and readout"),
    ("rate_projection", "--rate-projection", float, "of the ways from the encoders into the fusion"),
    ("rate_pretrained", "--rate-pretrained", float, "of both encoders; 0 keeps them frozen"),
    ("warm_up", "--warm-up", float, "part of the steps in which the rates rise"),
    ("decay", "--decay", float, "weight decay"),
    ("clip", "--clip", float, "the most that the gradient's norm may be"),
)


def _add_run_options(train: argparse.ArgumentParser) -> None:
    runs = train.add_argument_group("a run of one's own", "kept as run:NAME; Ctrl-C keeps what was reached")
    runs.add_argument("--wiring", help="what to train, for instance gated")
    runs.add_argument("--name", help="of the run; by default the wiring and the seed")
    for field, option, kind, told in _PLAN:
        runs.add_argument(option, dest=f"plan_{field}", type=kind, metavar=option[2:].upper(), help=told)
    runs.add_argument(
        "--mix", metavar="KIND=PART,...", help="how often each kind of question is drawn: color=2,count=1"
    )
    runs.add_argument("--remedy", action="append", default=[], metavar="NAME=STRENGTH", help="again for more")
    runs.add_argument("--resume", metavar="NAME", help="go on with a run that was stopped")
    runs.add_argument("--runs", action="store_true", help="list the runs")


def _app(options: argparse.Namespace) -> None:
    from vlmlens.ui.launch import launch

    launch(options.port, options.headless, options.network)


def _models(options: argparse.Namespace) -> None:
    from vlmlens.models import list_models
    from vlmlens.models.families import known

    found = list_models(every_seed=True)
    if options.json:
        _print({"models": [{"name": m.name, "family": m.family, "present": m.present, "size": m.size} for m in found]})
        return
    for model in found:
        print(f"{model.name:24} {'' if model.present else '(weights missing) '}{model.sentence}")
    print(f"A folder or hub name of a Hugging Face model loads too: {known()}.")


def _inspect(options: argparse.Namespace) -> None:
    import numpy as np

    from vlmlens.attention import budget, causal_check, contributions, default_place, hottest_window, image_maps
    from vlmlens.lab.scenes import Scene
    from vlmlens.models import load

    text = options.picture.lstrip()
    picture = Scene.from_json(text) if text.startswith("{") else Path(options.picture)
    vlm = load(options.model, options.device, options.dtype, progress=_Line())
    trace = vlm.inspect(picture, options.question)
    places, values = image_maps(trace)
    check = None
    if places:
        place = default_place(trace)
        region = hottest_window(values[place, :, 0].mean(axis=0), trace.grid.shape)
        check = causal_check(vlm, picture, options.question, trace, region)
    if options.save:
        try:
            trace.save(options.save)
        except OSError as error:
            raise UserError(f"The trace could not be written to {options.save}: {error.strerror}.") from error
    if options.json:
        content = trace.to_dict()
        for name, frame in (("budget", budget(trace).to_frame()), ("contribution", contributions(trace).to_frame())):
            content[name] = json.loads(frame.to_json(orient="records"))
        content["causal_check"] = None if check is None else check.to_dict()
        _print(content)
        return
    print(f"{trace.text or trace.answer}   (probability {trace.answers[0].probability:.3f})")
    print("then " + ", ".join(f"{a.text} {a.probability:.3f}" for a in trace.answers[1:4]))
    with np.printoptions(precision=3):
        print(contributions(trace).to_frame().to_string(index=False))
    if check is not None:
        print(f"{check.sentence(f'the hottest region of {places[place].label}')} {check.verdict.capitalize()}.")


def _evaluate(options: argparse.Namespace) -> None:
    from vlmlens.lab.evaluate import evaluate
    from vlmlens.lab.sample import PRIOR
    from vlmlens.models import load

    prior = PRIOR if options.prior is None else options.prior
    if options.n < 1 or options.seed < 0 or not 0 <= prior <= 1:
        raise UserError("--n is 1 or more, --seed 0 or more, --prior between 0 and 1.")
    found = evaluate(load(options.model).answer_many, options.seed, options.n, prior).to_dict()
    if options.json:
        _print({"model": options.model, **found})
        return
    print(f"{options.model}: accuracy {found['accuracy']:.4f} on {options.n} held-out questions")
    print(f"  without the picture {found['accuracy_blind']:.4f}; the prior allows {found['blind_ceiling']:.4f}")
    for kind, value in found["by_question"].items():
        print(f"  {kind:10} {value:.4f}")


def _pid(options: argparse.Namespace) -> None:
    from vlmlens.lab.questions import KINDS
    from vlmlens.lab.sample import PRIOR
    from vlmlens.models import load

    prior = PRIOR if options.prior is None else options.prior
    if options.kind not in (*KINDS, "any"):
        raise UserError(f"--kind is one of {', '.join(KINDS)}, any; got {options.kind}.")
    if options.n < 2 or options.k < 2 or options.seed < 0 or not 0 <= prior <= 1:
        raise UserError("--n and --k are 2 or more, --seed 0 or more, --prior between 0 and 1.")
    kinds = tuple(KINDS) if options.kind == "any" else (options.kind,)
    vlm = load(options.model)
    found = (_representational if options.mode == "representational" else _interventional)(vlm, kinds, prior, options)
    if options.json:
        _print({"model": options.model, "mode": options.mode, "kinds": kinds, "seed": options.seed, **found})


def _representational(vlm: Any, kinds: tuple[str, ...], prior: float, options: argparse.Namespace) -> dict[str, Any]:
    from vlmlens.information import Running
    from vlmlens.lab.sample import take

    items = take("test", options.seed, options.n, prior=prior, kinds=kinds)
    running = Running(options.k)
    for part in vlm.read([item.scene for item in items], [item.question.text for item in items]):
        running.add(part)
        _tell(f"item {running.n} of {len(items)}")
    found = dict(zip(running.points, running.estimates(final=True), strict=True))
    if not options.json:
        for point, estimate in found.items():
            print(f"{point} ({estimate.n} counted): {estimate.sentence('image positions', 'question positions')}")
            for term in estimate.terms:
                told = f"{term.value:7.3f}  ({term.low:.3f} to {term.high:.3f})" if term.value == term.value else "n/a"
                rest = f"plug-in {term.plug_in:.3f}, null {term.null_high:.3f} {term.why}"
                print(f"  {term.name:12} {told}  {rest}".rstrip())
            share = estimate.share
            print(f"  image share  {share.why or f'{share.value:.3f}  ({share.low:.3f} to {share.high:.3f})'}")
    return {"n": len(items), "k": options.k, "prior": prior, "points": {p: e.to_dict() for p, e in found.items()}}


def _interventional(vlm: Any, kinds: tuple[str, ...], prior: float, options: argparse.Namespace) -> dict[str, Any]:
    from vlmlens.information import interventional
    from vlmlens.lab.sample import crossed

    pictures = min(options.n, 32)
    scenes, questions, _ = crossed(options.seed, pictures)
    texts = [question.text for question in questions if question.kind in kinds]
    if len(texts) < 2:
        raise UserError(f"No questions of the kind {options.kind} have an answer on every scene; try color, size, any.")
    texts = texts[:: max(1, len(texts) // 16)][:16]
    found = interventional(
        vlm, scenes, texts, lens=True, tol=1e-4, ensemble=f"{pictures} scenes and {len(texts)} {options.kind} questions"
    )
    if not options.json:
        print(found.sentence().replace("**", ""))
        columns = ["point", "unique_1", "unique_2", "redundant", "synergistic", "gap"]
        print(found.to_frame()[columns].round(4).to_string(index=False))
        print(
            f"image share of what is unique {found.image_share:.3f}, of what changes it {found.behavioural_share:.3f}"
        )
    return found.to_dict()


def _diagnose(options: argparse.Namespace) -> None:
    from vlmlens.diagnostics import lab_probe, named, needs, read_probe, running
    from vlmlens.models import load

    tests = named("all" if options.tests == ["all"] else options.tests)
    lab = options.probe == "lab"
    probe = lab_probe(options.seed, options.scenes, options.questions) if lab else read_probe(options.probe)
    for test in tests:
        _tell(f"{test.name}: {needs(test.name, probe).sentence()}")
    progress = _Line()
    vlm = load(options.model, options.device, options.dtype, progress=progress)
    *_, card = running(vlm, probe, [test.name for test in tests], options.seed, progress)
    progress.step(1.0)
    if options.json:
        _print(card.to_dict())
    else:
        print(card.text())


def _perturb(options: argparse.Namespace) -> None:
    from vlmlens.perturb import Region, run, to_json
    from vlmlens.perturb.command import read_steps, write
    from vlmlens.picture import open_picture

    region = Region.parse(options.region) if options.region else None
    steps = read_steps(options.stack, options.step, region, options.to)
    donor = open_picture(options.donor) if options.donor else None
    text = options.picture.lstrip()
    if text.startswith("{"):
        from vlmlens.lab.draw import render
        from vlmlens.lab.scenes import Scene

        picture = render(Scene.from_json(text))
    else:
        picture = open_picture(options.picture)
    found = run(picture, steps, {} if donor is None else {step.donor: donor for step in steps})
    write(found.image, options.out)
    if options.json:
        told = {"out": str(options.out), "size": list(found.image.size), "changed": float(found.mask.mean())}
        _print({**told, "steps": json.loads(to_json(steps))})
        return
    print(f"{options.out}: {found.image.width} x {found.image.height}, {found.mask.mean():.1%} of the pixels changed")


def _train(options: argparse.Namespace) -> None:
    if options.wiring is not None or options.resume is not None or options.runs:
        from vlmlens.lab.training.command import run, table

        found = run(options, _tell)
        if options.json:
            _print(found)
        elif options.runs:
            print(table(found["runs"]))
        return
    from vlmlens.attention import causal_report
    from vlmlens.lab.factory import make_all, measure
    from vlmlens.lab.weights import LabName
    from vlmlens.models import LAB_KINDS, lab_models, load

    names = tuple(LabName.parse(name) for name in options.names)
    if unknown := [name for name in names if name.kind not in LAB_KINDS]:
        raise UserError(f"There is no {unknown[0]} to train; the lab has {', '.join(LAB_KINDS)}.")
    if not names and not options.all:
        raise UserError("Name the models to train (vlmlens train lab:concat@0), or take --all, or --wiring for a run.")
    if not options.card:
        make_all(() if options.all else names, report=_tell)
    cards = {}
    for name in names or [LabName.parse(model.name) for model in lab_models(every_seed=True) if model.present]:
        vlm = load(str(name))
        # The seed that the app opens is looked into as well; minutes, so the others are not.
        more = {} if name.seed else {"causal_check_over_300_questions": [r.to_dict() for r in causal_report(vlm)]}
        card = cards[str(name)] = measure(name, vlm.answer_many, **more)
        _tell(f"{name}: accuracy {card['held_out']['accuracy']}, least {min(card['held_out']['by_question'].values())}")
    if options.json:
        _print({"cards": cards})


def _cost(options: argparse.Namespace) -> None:
    from vlmlens.tokens.models import find, published

    size = tuple(int(edge) for edge in options.picture.lower().split("x") if edge.isdigit())
    if len(size) != 2:
        raise UserError(f"--picture is WIDTHxHEIGHT in pixels, for instance 672x672; got {options.picture}.")
    width, height = size
    found = {}
    for name in published() if options.list else [options.model]:
        real = find(name)
        seen, cost = real.see(width, height), real.cost(width, height, options.text, options.tokens)
        rule = {"model": real.name, "hub": real.hub, "picture": [width, height], "views": seen.views, "rule": seen.how}
        found[name] = rule | cost.to_dict()
        if options.json:
            continue
        cache = cost.cache() / 2**20
        told = f"{cost.sequence.image:6,} image tokens {cost.total / 1e12:9.3f} TFLOP {cache:9.1f} MiB of cache in bf16"
        print(f"{name:22} {told}")
        if not options.list:
            print(f"  {seen.how}")
            for part, flops in cost.flops.items():
                print(f"  {part:18} {flops / 1e12:9.3f} TFLOP  {flops / cost.total:6.1%}")
            print(f"  pairs of tokens, all layers {cost.pairs:,}")
    if options.json:
        _print({"models": found} if options.list else found[options.model])


def _lessons(options: argparse.Namespace) -> None:
    from vlmlens.lessons import LessonError, read, shelf, walk

    if options.check is None:
        found = shelf()
        rows = [
            {"name": lesson.name, "title": lesson.title, "level": lesson.level, "minutes": lesson.minutes}
            for lesson in found.lessons.values()
        ]
        if options.json:
            _print({"lessons": rows, "broken": found.broken})
        else:
            for row in rows:
                print(f"{row['name']}: {row['title']} ({row['level']}, {row['minutes']} minutes)")
            for told in found.broken.values():
                print(told, file=sys.stderr)
        return
    wrong: list[str] = []
    for path in options.check:
        try:
            lesson = read(path, str(path))
            steps = len(list(walk(lesson, progress=_Line()))) if options.run else len(lesson.steps)
            _tell(f"{path}: fine, {steps} steps")
        except LessonError as error:
            wrong += str(error).splitlines()
        except UserError as error:
            wrong.append(f"{path}: {error}")
    if options.json:
        _print({"checked": [str(path) for path in options.check], "wrong": wrong})
    if wrong:
        raise UserError("\n".join(wrong))


class _Line(Progress):
    """One line of a terminal, written anew at every step; nothing where stderr is a file."""

    def step(self, fraction: float, doing: str = "") -> None:
        super().step(fraction, doing)
        if sys.stderr.isatty():
            print(f"\r\x1b[K{doing}" if fraction < 1 else "\r\x1b[K", end="", file=sys.stderr, flush=True)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _print(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False))
