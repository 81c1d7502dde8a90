"""The checks: each file by its format, each recorded hash against the file that it names."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

from mast.data.prepared.store import PreparedData
from mast.errors import MastError
from mast.evaluation.features_file import read_origin
from mast.files import SEAL, WEIGHTS_METADATA, read_json, sha256_file
from mast.records import Manifest, MetricsFile, Origin
from mast.results import PREDICTIONS_SUFFIX, Results, predictions_of
from mast.verify.formats import unreadable
from mast.verify.rebuild import rebuild_command

Problems = Iterator[tuple[Path, str]]
"""Files and what is wrong with them."""

TEMPORARY = re.compile(r"^\..+\.tmp(\.[^.]+)*$")
"""Names that `mast.files.atomic_path` gives; a killed job leaves them."""

PARTIAL = ".partial"
"""The folder in which data are prepared."""

SEALED = (
    "data/*/manifest.json",
    "pretrain/*/*/*/run.json",
    "metrics/*/*/*/*/*.json",
    "analysis/*/*/*/analysis.json",
    "tables/*.sources.json",
)
"""Records that hold their own hash."""


class Verification:
    """One look at a results directory; the configuration is not needed."""

    def __init__(self, results: Path) -> None:
        """Begin.

        Raises:
            MastError: there is no such directory.
        """
        if not Path(results).is_dir():
            raise MastError(f"{results}: no such directory; give the configuration's `results`")
        self.results = Path(results)
        self.files = self.hashes = self.mismatches = self.temporary = self.unknown = 0
        self._of_file: dict[Path, str] = {}
        self._unreadable: set[Path] = set()

    def findings(self) -> Iterator[str]:
        """One line for each mismatch (file, what differs, the command that rebuilds it) and each temporary file."""
        yield from self._temporary_files()
        for check in (
            self._formats,
            self._data,
            self._runs,
            self._features,
            self._metrics,
            self._analyses,
            self._tables,
            self._exports,
        ):
            for file, problem in check():
                self.mismatches += 1
                yield f"{file}: {problem}; {rebuild_command(self.results, file)}"

    def summary(self) -> str:
        """The last line; complete after `findings`."""
        return (
            f"{self.files} files read, {self.hashes} hashes compared ({self.unknown} have nothing here to compare "
            f"with): {self.mismatches} mismatches, {self.temporary} temporary files"
        )

    def _temporary_files(self) -> Iterator[str]:
        for path in sorted(self.results.rglob(".*")):
            if path.name == PARTIAL or (TEMPORARY.match(path.name) and PARTIAL not in path.parts):
                self.temporary += 1
                yield f"{path}: temporary, of a job that runs or was killed; where none runs: rm -r {path}"

    def _formats(self) -> Problems:
        for file in self._found("**/*"):
            self.files += 1
            if problem := unreadable(file) or self._unsealed(file):
                self._unreadable.add(file)
                yield file, problem

    def _unsealed(self, file: Path) -> str | None:
        sealed = any(file.relative_to(self.results).match(pattern) for pattern in SEALED)
        if sealed and not file.name.endswith(".predictions.json") and SEAL not in read_json(file):
            return f"has no {SEAL}: damaged, or written by an older version"
        return None

    def _data(self) -> Problems:
        for manifest in self._found(str(Results("").data("*").manifest)):
            try:
                prepared = PreparedData(manifest.parent)
                self.hashes += len(prepared.manifest.files)
                for file in prepared.changed_files():
                    yield (file if file.is_relative_to(self.results) else manifest), f"{file} is not as recorded"
            except MastError as error:
                yield manifest, str(error).removeprefix(f"{manifest}: ").split(";")[0]

    def _runs(self) -> Problems:
        trained = self._found("pretrain/*/*/*/encoder.safetensors") + self._found("pretrain/*/*/*/run.json")
        for run_file in sorted({file.with_name("run.json") for file in trained}):
            if not run_file.exists():
                yield run_file, "missing, though there is an encoder"
                continue
            if run_file in self._unreadable:
                continue
            record = read_json(run_file)
            for name, recorded in record["files"].items():
                yield from self._same_file(run_file.with_name(name), "content", recorded, "run.json")
            encoder = run_file.with_name("encoder.safetensors")
            for file in (encoder, run_file.with_name("heads.safetensors")):
                yield from self._weights(file, record)
            data = self._data_sha256(record["dataset"])
            yield from self._same(encoder, "data_sha256", record["data_sha256"], data, "the prepared data")

    def _weights(self, file: Path, record: Mapping[str, Any]) -> Problems:
        if not file.exists() or file in self._unreadable:
            return
        metadata = _weights_metadata(file)
        for key in ("run", "dataset", "seed", "spec_sha256", "data_sha256"):
            if key in metadata:
                yield from self._same(file, key, metadata[key], str(record[key]), "run.json")

    def _features(self) -> Problems:
        for file in self._found("features/*/*/*/*.npz"):
            if file not in self._unreadable:
                try:
                    origin = read_origin(file)
                except MastError as error:
                    yield file, str(error).removeprefix(f"{file}: ")
                    continue
                *names, seed, _ = file.relative_to(self.results / "features").parts
                yield from self._origin(file, origin, *names, seed, file.stem)

    def _metrics(self) -> Problems:
        for file in self._found("metrics/*/*/*/*/*.json"):
            if file in self._unreadable or file.name.endswith(PREDICTIONS_SUFFIX):
                continue
            try:
                record = MetricsFile.read(file)
            except MastError as error:
                yield file, str(error).removeprefix(f"{file}: ")
                continue
            _, task, *names, _ = file.relative_to(self.results / "metrics").parts
            yield from self._origin(file, record, *names, file.stem, task)
            if recorded := (record.details or {}).get("predictions_sha256"):
                yield from self._same_file(predictions_of(file), "content", recorded, file.name)

    def _analyses(self) -> Problems:
        for file in self._found("analysis/*/*/*/analysis.json"):
            if file in self._unreadable:
                continue
            record = read_json(file)
            for name, recorded in record["files"].items():
                yield from self._same_file(file.with_name(name), "content", recorded, file.name)
            run = self.results / "pretrain" / file.parent.relative_to(self.results / "analysis")
            for name in ("encoder", "heads"):
                made_from = run / f"{name}.safetensors"
                yield from self._same(
                    file, f"{name}_sha256", record[f"{name}_sha256"], self._sha256(made_from), made_from
                )

    def _tables(self) -> Problems:
        for file in self._found("tables/*.sources.json"):
            if file in self._unreadable:
                continue
            record = read_json(file)
            for name, recorded in record["files"].items():
                yield from self._same_file(file.with_name(name), "content", recorded, file.name)
            for name, recorded in record["metrics"].items():
                metrics = Path(os.path.normpath(file.parent / name))
                known = metrics.is_file() and metrics not in self._unreadable
                now = MetricsFile.read(metrics).result_sha256() if known else None
                yield from self._same(file, "the recorded result", recorded, now, metrics)

    def _exports(self) -> Problems:
        for file in self._found("export/*/*/*/model.safetensors"):
            made_from = self.results / "pretrain" / file.parent.relative_to(self.results / "export")
            encoder = made_from / "encoder.safetensors"
            yield from self._same(file, "content", self._sha256(file), self._sha256(encoder), encoder)

    def _origin(
        self, file: Path, recorded: Origin | MetricsFile, dataset: str, run: str, seed: str, task: str
    ) -> Problems:
        """What a features or metrics file says of where it comes from, against its path and those files."""
        for key, place in (("dataset", dataset), ("run", run), ("task", task)):
            yield from self._same(file, key, getattr(recorded, key), place, "its path")
        yield from self._same(file, "seed", f"seed{recorded.seed}", seed, "its path")
        made = Results(self.results).run(dataset, run, seed.removeprefix("seed"))
        yield from self._same(file, "encoder_sha256", recorded.encoder_sha256, self._sha256(made.encoder), made.encoder)
        yield from self._same(file, "task_sha256", recorded.task_sha256, self._data_sha256(task), f"data {task!r}")
        known = made.record.exists() and made.record not in self._unreadable
        record = read_json(made.record) if known else {}
        for key in ("spec_sha256", "data_sha256"):
            yield from self._same(file, key, getattr(recorded, key), record.get(key), made.record)

    def _same_file(self, file: Path, what: str, recorded: str, where: object) -> Problems:
        if file.exists():
            yield from self._same(file, what, self._sha256(file), recorded, where)
        else:
            yield file, f"missing, though {where} names it"

    def _same(self, file: Path, what: str, recorded: str, actual: str | None, where: object) -> Problems:
        """A problem where two values differ; `actual` is None where there is nothing to compare with."""
        if actual is None:
            self.unknown += 1
            return
        self.hashes += 1
        if recorded != actual:
            yield file, f"{what} {_short(recorded)} differs from {_short(actual)} of {where}"

    def _sha256(self, file: Path) -> str | None:
        if file not in self._of_file and file.is_file():
            self._of_file[file] = sha256_file(file)
        return self._of_file.get(file)

    def _data_sha256(self, name: str) -> str | None:
        try:
            return Manifest.read(Results(self.results).data(name).manifest).sha256
        except MastError:  # missing, or reported by another check
            return None

    def _found(self, pattern: str) -> list[Path]:
        """Files of a pattern, without temporary ones."""
        return sorted(
            file
            for file in self.results.glob(pattern)
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(self.results).parts)
        )


def _weights_metadata(file: Path) -> dict[str, str]:
    with safe_open(file, framework="np") as tensors:
        return json.loads((tensors.metadata() or {}).get(WEIGHTS_METADATA, "{}"))


def _short(value: str) -> str:
    """A hash shortened to 12 digits; other values as they are."""
    return value[:12] if re.fullmatch("[0-9a-f]{64}", value) else repr(value)
