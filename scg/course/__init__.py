"""The exercises of the course in ``docs/course``, and the marks of answers to them."""

from scg.course.exercise import Exercise, Verdict
from scg.course.exercises import EXERCISES, mark

__all__ = ["EXERCISES", "Exercise", "Verdict", "mark"]
