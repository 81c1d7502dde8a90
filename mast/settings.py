"""What all models of settings share, and how plain values are validated."""

import difflib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import to_jsonable_python

from mast.errors import MastError

Spec = TypeVar("Spec")


class StrictModel(BaseModel):
    """Unknown keys are errors; values do not change after validation; the docstring of a field is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}; {nearest(str(key), cls.model_fields)}")
        return values

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, values: Any) -> Any:
        """Refuse truth values for numbers: pydantic would take `epochs: yes` for 1."""
        for key, field in cls.model_fields.items() if isinstance(values, dict) else ():
            given = values.get(key)
            entries = given.values() if isinstance(given, dict) else given if isinstance(given, list) else [given]
            truth = any(isinstance(entry, bool) for entry in entries)
            if truth and _takes(field.annotation, (int, float)) and not _takes(field.annotation, (bool, Any)):
                raise ValueError(
                    f"{key}: {given} is not a number; write one (YAML reads yes, on, no and off as true or false)"
                )
        return values

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the JSON schema. Every key has its meaning and its default, also if a function makes the default."""
        schema = handler(core_schema)
        for key, described in handler.resolve_ref_schema(schema)["properties"].items():
            field = cls.model_fields[key]
            if not field.is_required():
                described.setdefault("default", to_jsonable_python(field.get_default(call_default_factory=True)))
            if text := _meaning(cls, key):
                described["description"] = text
        return schema


KIND = "Name of this kind; it selects the keys of this section."
"""Meaning of `kind` in a model that is one of several kinds."""


def _meaning(model: type[BaseModel], key: str) -> str:
    """Return the description of a key by the nearest base class that has one, or the docstring of its own section."""
    owners = [owner for owner in model.__mro__ if issubclass(owner, BaseModel) and key in owner.model_fields]
    for owner in owners:
        if text := owner.model_fields[key].description:
            return text
    annotation = model.model_fields[key].annotation
    if key == "kind" and len(get_args(annotation)) == 1:
        return KIND
    parts = [part for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
    sections = [part for part in parts if issubclass(part, BaseModel)]
    return inspect.cleandoc(sections[0].__doc__ or "").split("\n\n")[0] if sections else ""


def _takes(annotation: Any, kinds: tuple[Any, ...]) -> bool:
    """Return whether an annotation allows one of these types somewhere."""
    return annotation in kinds or any(_takes(part, kinds) for part in get_args(annotation))


def nearest(word: str, choices: Any) -> str:
    """Return a hint for a mistyped word: the nearest choice, or all choices if none is near."""
    choices = [str(choice) for choice in choices]
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from: {', '.join(choices) or '(none defined)'}"


NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
PATTERNS = {NAME_PATTERN: "a name has letters, digits, _ . and -, and begins with a letter or digit"}
"""Pattern of a setting → its description in messages. Modules add the patterns of their settings."""

UNKNOWN_KIND = "unknown_kind"
"""Type of the error if `kind` is missing or unknown."""

LONGEST_SHOWN = 80
"""Number of characters of a wrong value that a message shows."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=64)]
"""A name that becomes part of a path: letters, digits, `_`, `.`, `-`; does not start with `-` or `.`."""


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is listed twice; name it once")
    return values


Once = AfterValidator(_once)
"""Constraint on a tuple: no value occurs twice."""

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Precision = Literal["fp32", "bf16", "fp16"]

FULL, MINMAX = "full", "minmax"

_Finite = Annotated[float, Field(allow_inf_nan=False)]


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] >= ends[1]:
        raise ValueError("the first value must be below the second")
    return ends


PixelRange = Literal["full", "minmax"] | Annotated[tuple[_Finite, _Finite], AfterValidator(_rising)]
"""Values of an image of more than 8 bits that become black and white (`mast.data.pixels`)."""


class Transform(StrictModel):
    """How a whole image becomes a square of the dataset's `size` (`mast.data.transforms`)."""

    resize: Annotated[int, Field(ge=8, le=4096)] | None = None
    """Side to which the short side is resized first, pixels; null: `size`."""
    square: Literal["crop", "stretch"] = "crop"
    """How the square is made then: by cutting out the central square of `size` pixels, or by resizing the whole image
    to `size` × `size`.
    """
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Interpolation of the antialiased resizing."""


class Normalisation(StrictModel):
    """Mean and standard deviation of the channels, for pixels in [0, 1]."""

    mean: tuple[Probability, Probability, Probability]
    """Mean of red, green, blue."""
    std: tuple[Positive, Positive, Positive]
    """Standard deviation of red, green, blue."""


Turning = Literal["upright", "stored"]
"""Whether pixels are turned upright according to EXIF, or taken as stored."""

Transparency = Literal["white", "dropped"]
"""Whether transparent pixels are laid over white, or show the colour that is stored beneath their transparency."""


def parse(kind: type[Spec], values: Any, source: str) -> Spec:
    """Validate `values` as a model or union of models; `source` begins the message of an error.

    Raises:
        MastError: `<source>: <dotted key>: <what is wrong>`, for the first of the errors.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise MastError(f"{source}: {one_line(error.errors(), values)}") from None


def parse_spec(kind: type[Spec], text: str) -> Spec:
    """Read one spec from the JSON that a rule passes on the command line.

    Raises:
        MastError: the text is not JSON, or a key or value is wrong.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise MastError(f"--spec: not valid JSON ({error})") from None
    return parse(kind, values, "--spec")


def one_line(errors: Sequence[Mapping[str, Any]], values: Any) -> str:
    """Return the first of pydantic's errors on `values`: `<dotted key>: <what is wrong> (got <value>)`."""
    first = max(errors, key=lambda entry: len(entry["loc"]))  # in a union, the branch that matched the most keys
    named = [*_keys(first["loc"], values, first["type"] == "missing"), *["kind"] * (first["type"] == UNKNOWN_KIND)]
    where = ".".join(named)
    return (f"{where}: " if where else "") + _message(first)


def _message(error: Mapping[str, Any]) -> str:
    """Describe what is wrong in words that do not depend on how settings are read."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    got = "" if isinstance(given, dict | list) or kind == "missing" else f" (got {_short(given)})"
    match kind:
        case "model_type" | "dict_type" | "model_attributes_type" | "dataclass_type" | "mapping_type":
            return f"Input should be a valid dictionary: keys with values{got}"
        case "tuple_type" | "list_type" | "set_type":
            return f"Input should be a list{got}"
        case "too_short" | "too_long":
            least = kind == "too_short"
            bound, count = ("at least", context["min_length"]) if least else ("at most", context["max_length"])
            return f"should have {bound} {count} {'entry' if count == 1 else 'entries'}, not {context['actual_length']}"
        case "string_pattern_mismatch":
            return f"{PATTERNS.get(context['pattern'], 'contains characters that are not allowed here')}{got}"
        case "string_type" if isinstance(given, bool | int | float):
            return f"Input should be a valid string{got}; put text into quotes"
        case "literal_error" if isinstance(given, str):
            choices = re.findall(r"'([^']*)'", str(context["expected"]))
            close = difflib.get_close_matches(given, choices, n=1)
            return f"{error['msg']}{got}" + (f"; did you mean {close[0]!r}?" if close else "")
    return error["msg"].removeprefix("Value error, ") + got


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _keys(location: tuple[int | str, ...], values: Any, missing: bool) -> list[str]:
    """Return the parts of a pydantic location that are keys of the input, without the tags of unions."""
    keys = []
    for depth, part in enumerate(location):
        places = range(len(values)) if isinstance(values, list) else values if isinstance(values, dict) else ()
        if part in places:
            values = values[part]
        elif not (missing and depth == len(location) - 1):
            continue
        keys.append(str(part) if str(part).isprintable() else repr(part))
    return keys
