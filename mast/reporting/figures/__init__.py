"""One file per figure: its description (mast.config.figures) and the function that draws it."""

from collections.abc import Callable
from importlib import import_module

from mast.catalogue import module_files
from mast.errors import MastError


def load(name: str) -> Callable[..., None]:
    """Return the function `draw(runs, output_stem)` of a figure. It gets files by label of a run, or by title of a
    study.

    Raises:
        MastError: the figure's file has no such function.
    """
    file = module_files(__name__)[name]
    draw = getattr(import_module(f"{__name__}.{file.stem}"), "draw", None)
    if draw is None:
        raise MastError(f"{file}: has no function draw(runs, output_stem); see docs/use/extending.md")
    return draw
