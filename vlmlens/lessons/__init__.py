"""Lessons: small stories on live models, each a text file, every number of it from the run on the page.

    lesson = read(Path("assets/lessons/xor.md"))    # LessonError names file and line of everything that is wrong
    shown = run(lesson.steps[0].call)               # a live run: numbers, a chart, a sentence
    lesson.steps[0].body.say(shown.numbers)
    vlmlens lessons --check FILE...                 # the same from a shell

A figure is one file in `figures/`; a lesson that uses figures which are there needs no code.
"""

from vlmlens.lessons.figures import FIGURES, Amount, Choice, FigureError, LessonFigure, Shown
from vlmlens.lessons.lesson import KINDS, LEVELS, Call, Judged, Lesson, LessonError, Slider, Step
from vlmlens.lessons.parse import parse, read
from vlmlens.lessons.rules import Condition, Rule, RuleError
from vlmlens.lessons.shelf import HOME, OWN, Shelf, files, shelf
from vlmlens.lessons.text import Body
from vlmlens.lessons.walk import Said, run, walk

__all__ = [
    "FIGURES",
    "HOME",
    "KINDS",
    "LEVELS",
    "OWN",
    "Amount",
    "Body",
    "Call",
    "Choice",
    "Condition",
    "FigureError",
    "Judged",
    "Lesson",
    "LessonError",
    "LessonFigure",
    "Rule",
    "RuleError",
    "Said",
    "Shelf",
    "Shown",
    "Slider",
    "Step",
    "files",
    "parse",
    "read",
    "run",
    "shelf",
    "walk",
]
