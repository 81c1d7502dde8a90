"""Published numbers, each with its source."""

from pathlib import Path

import yaml

from mast.config.report import PublishedValue, PublishedValues, TableRow, TableSpec
from mast.errors import MastError
from mast.settings import parse


def read_published(path: Path) -> tuple[PublishedValue, ...]:
    """Read the published values (config/published.yaml).

    Raises:
        MastError: the file is missing or not YAML, a key or value is wrong, or a number has no source.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise MastError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return parse(PublishedValues, content or {}, str(path)).values


def find_published(
    values: tuple[PublishedValue, ...], spec: TableSpec, column: tuple[str, str, str], row: TableRow
) -> PublishedValue | None:
    """The published value for a column (task, target, metric) of a row; the most specific one where several match.

    Raises:
        MastError: two values match equally well.
    """
    matching = [value for value in values if value.matches(spec.kind, *column, row)]
    matching.sort(key=_specificity, reverse=True)
    if len(matching) > 1 and _specificity(matching[0]) == _specificity(matching[1]):
        raise MastError(
            f"published values: two entries match {' '.join(column)} of run {row.run!r} "
            f"(sources: {matching[0].source}; {matching[1].source}); tell them apart by target or epochs"
        )
    return matching[0] if matching else None


def _specificity(value: PublishedValue) -> int:
    return sum(key is not None for key in (value.target, value.epochs, value.batch_size, value.augmentations))
