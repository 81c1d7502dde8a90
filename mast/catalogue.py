"""Catalogues: folders in which each file defines one entry, found by the file's name."""

import ast
import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, Union, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from mast.errors import MastError
from mast.settings import UNKNOWN_KIND, nearest

Entry = TypeVar("Entry")


def module_files(package: str) -> dict[str, Path]:
    """Return name → file for every module of a package, sorted by name; `_` becomes `-`. Files that begin with `_` are
    left out.
    """
    folder = Path(importlib.import_module(package).__file__).parent
    names = sorted(found.name for found in pkgutil.iter_modules([str(folder)]) if not found.ispkg)
    return {name.replace("_", "-"): folder / f"{name}.py" for name in names if not name.startswith("_")}


class Catalogue(Mapping[str, type[Entry]], Generic[Entry]):
    """Entries of a package: each module defines one subclass of `base`, and the module's name is the entry's name.

    An entry's module is imported when the entry is first used. Planning a workflow imports the entries, so their
    modules import torch and other slow packages inside functions.
    """

    def __init__(self, package: str, base: type[Entry], underscores: bool = False) -> None:
        """Remember the package, whose dotted name is `package`. Its folder is listed at first use.

        With `underscores`, names keep the `_` of their files.
        """
        self.package, self.base, self.underscores = package, base, underscores

    @cached_property
    def files(self) -> dict[str, Path]:
        """Return name → file of each entry."""
        found = module_files(self.package)
        return {file.stem: file for file in found.values()} if self.underscores else found

    def __getitem__(self, name: str) -> type[Entry]:
        """Return the class that a module defines.

        Raises:
            MastError: there is no such module, or it does not define exactly one subclass of the catalogue's base.
        """
        if name not in self.files:
            raise MastError(f"{self.base.__name__.lower()} {name!r} is not known; {nearest(name, self.files)}")
        module = importlib.import_module(f"{self.package}.{self.files[name].stem}")
        found = [value for value in vars(module).values() if self._is_own(value, module.__name__)]
        if len(found) != 1:
            raise MastError(
                f"{self.files[name]}: defines {len(found)} subclasses of {self.package}.{self.base.__name__}; "
                "define exactly one (names of other modules and names that begin with _ do not count)"
            )
        return found[0]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, sorted."""
        return iter(self.files)

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.files)

    def _is_own(self, value: Any, module: str) -> bool:
        is_entry = isinstance(value, type) and issubclass(value, self.base) and value.__module__ == module
        return is_entry and not value.__name__.startswith("_")


def union(catalogue: Catalogue[Any]) -> Any:
    """Return the union type of the settings of all entries; `kind` is the discriminator.

    Raises:
        MastError: an entry's `kind` is not the name of its file.
    """
    for name, entry in catalogue.items():
        field = entry.model_fields.get("kind")
        if field is None or get_args(field.annotation) != (name,):
            raise MastError(f"{catalogue.files[name]}: the file's name is its kind; write kind: Literal[{name!r}]")

    def know(settings: Any) -> Any:
        if isinstance(settings, dict) and not (
            isinstance(kind := settings.get("kind"), str) and kind in catalogue.files
        ):
            raise PydanticCustomError(UNKNOWN_KIND, "{fault}", {"fault": _kind_fault(settings, catalogue.files)})
        return settings

    kinds = Annotated[Union[tuple(catalogue.values())], Field(discriminator="kind")]  # noqa: UP007
    return Annotated[kinds, BeforeValidator(know)]


def _kind_fault(settings: dict[str, Any], kinds: Mapping[str, Path]) -> str:
    every = f"choose from: {', '.join(map(repr, kinds))}"
    if "kind" in settings:
        near = difflib.get_close_matches(str(settings["kind"]), kinds, n=1)
        return f"{settings['kind']!r} is not known; {f'did you mean {near[0]!r}? ' if near else ''}{every}"
    near = difflib.get_close_matches("kind", [str(key) for key in settings], n=1)
    return f"Field required; {f'is {near[0]!r} meant for it? ' if near else ''}{every}"


def stated(file: Path, constant: str) -> Any:
    """Return the value of a module's constant, a literal, without running the module.

    Raises:
        MastError: the module does not assign a literal to that name at its top level.
    """
    for node in ast.parse(file.read_text(encoding="utf-8"), str(file)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == constant for target in targets):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                raise MastError(f"{file}: {constant} is computed; write its value out") from None
    raise MastError(f"{file}: has no {constant}; see docs/use/extending.md")
