"""The checks: each file against its format, each recorded hash against the file that it names."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import safe_open

from mast.data.outside import Snapshot, changes
from mast.data.prepared.store import PreparedData
from mast.errors import MastError
from mast.evaluation.features_file import read_origin
from mast.files import WEIGHTS_METADATA, sha256_file
from mast.records import AnalysisRecord, Manifest, MetricsFile, Origin, Record, RunRecord, TableSources
from mast.results import PREDICTIONS_SUFFIX, DataFiles, Results, RunFiles, predictions_of, sources_of
from mast.verify.formats import unreadable
from mast.verify.rebuild import rebuild_command

Problems = Iterator[tuple[Path, str]]
"""Files and what is wrong with them."""

TEMPORARY = re.compile(r"^\..+\.tmp(\.[^.]+)*$")
"""Pattern of names that `mast.files.atomic_path` gives; a killed job leaves such files."""

PARTIAL = ".partial"
"""Folder in which data are prepared."""

EVERY = Results("")
OF_RUN = ("*", "*", "*")
RECORDS: dict[Path, type[Record]] = {
    EVERY.data("*").manifest: Manifest,
    EVERY.run(*OF_RUN).record: RunRecord,
    EVERY.metrics("*", "*", *OF_RUN): MetricsFile,
    EVERY.analysis(*OF_RUN).record: AnalysisRecord,
    sources_of(EVERY.table("*")): TableSources,
}
"""Pattern below the results directory → type of its records."""


class Verification:
    """One check of a results directory; the configuration is not needed."""

    def __init__(self, results: Path) -> None:
        """Prepare to check the directory.

        Raises:
            MastError: there is no such directory.
        """
        if not Path(results).is_dir():
            raise MastError(f"{results}: no such directory; give the configuration's `results`")
        self.results, self._tree = Path(results), Results(results)
        self.files = self.hashes = self.mismatches = self.temporary = self.unknown = 0
        self._of_file: dict[Path, str] = {}
        self._unreadable: set[Path] = set()
        self._records: dict[Path, Any] = {}

    def findings(self) -> Iterator[str]:
        """Yield one line for each mismatch (file, difference, command that rebuilds it) and each temporary file."""
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
        """Return the last line of the output; complete after `findings`."""
        return (
            f"{self.files} files read, {self.hashes} hashes compared ({self.unknown} have nothing here to compare "
            f"with): {self.mismatches} mismatches, {self.temporary} temporary files"
        )

    def _temporary_files(self) -> Iterator[str]:
        for path in sorted(self.results.rglob(".*")):
            if path.name == PARTIAL or (TEMPORARY.match(path.name) and PARTIAL not in path.parts):
                self.temporary += 1
                yield f"{path}: temporary file of a job that runs or was killed; if no job runs: rm -r {path}"

    def _formats(self) -> Problems:
        """Check every file by its suffix. Records are read here, once, for the checks below."""
        for file in self._found("**/*"):
            self.files += 1
            if problem := unreadable(file) or self._unread_record(file):
                self._unreadable.add(file)
                yield file, problem

    def _unread_record(self, file: Path) -> str | None:
        """Store the content of a record; return what is wrong with it, or None; None too if the file is no record."""
        relative = file.relative_to(self.results)
        found = [model for pattern, model in RECORDS.items() if relative.match(str(pattern))]
        if not found or file.name.endswith(PREDICTIONS_SUFFIX):
            return None
        try:
            self._records[file] = found[0].read(file)
        except MastError as error:
            return str(error).removeprefix(f"{file}: ").split(";")[0]
        return None

    def _recorded(self, pattern: Path) -> Iterator[tuple[Path, Any]]:
        """Return every readable record of a pattern."""
        yield from ((file, self._records[file]) for file in self._found(str(pattern)) if file in self._records)

    def _data(self) -> Problems:
        for file, _ in self._recorded(EVERY.data("*").manifest):
            try:
                prepared = PreparedData(file.parent)
                self.hashes += len(prepared.manifest.files)
                for changed in prepared.changed_files():
                    yield (changed if changed.is_relative_to(self.results) else file), f"{changed} is not as recorded"
            except MastError as error:
                yield file, str(error).removeprefix(f"{file}: ").split(";")[0]
            yield from self._sources(file)

    def _sources(self, manifest: Path) -> Problems:
        """Check the source files of prepared data. A changed time alone is no mismatch, and files may be missing."""
        sources = DataFiles(manifest.parent).sources
        if not sources.exists() or sources in self._unreadable:
            return
        try:
            seen = Snapshot.read(sources)
        except MastError as error:
            yield sources, str(error).removeprefix(f"{sources}: ").split(";")[0]
            return
        now = seen.again()
        if now is not None and (found := changes(seen, now)).content:
            yield manifest, f"{found} since the data were prepared"

    def _runs(self) -> Problems:
        for encoder in self._found(str(EVERY.run(*OF_RUN).encoder)):
            if not RunFiles(encoder.parent).record.exists():
                yield RunFiles(encoder.parent).record, "missing, though there is an encoder"
        for file, record in self._recorded(EVERY.run(*OF_RUN).record):
            yield from self._files(file, record)
            run = RunFiles(file.parent)
            for weights in (run.encoder, run.heads):
                yield from self._weights(weights, record)
            data = self._data_sha256(record.dataset)
            yield from self._same(run.encoder, "data_sha256", record.data_sha256, data, "the prepared data")

    def _weights(self, file: Path, record: RunRecord) -> Problems:
        if not file.exists() or file in self._unreadable:
            return
        metadata = _weights_metadata(file)
        for key in ("run", "dataset", "seed", "spec_sha256", "data_sha256"):
            if key in metadata:
                yield from self._same(file, key, metadata[key], str(getattr(record, key)), "run.json")

    def _features(self) -> Problems:
        for file in self._found(str(EVERY.features(*OF_RUN, "*"))):
            if file not in self._unreadable:
                try:
                    origin, pooling = read_origin(file)
                except MastError as error:
                    yield file, str(error).removeprefix(f"{file}: ")
                    continue
                *names, seed, _ = file.relative_to(self.results / "features").parts
                task, _, mark = file.stem.partition("+")
                yield from self._origin(file, origin, *names, seed, task)
                yield from self._same(file, "pooling", pooling, mark or "global", "its path")

    def _metrics(self) -> Problems:
        for file, record in self._recorded(EVERY.metrics("*", "*", *OF_RUN)):
            _, task, *names, _ = file.relative_to(self.results / "metrics").parts
            yield from self._origin(file, record, *names, file.stem, task)
            if recorded := (record.details or {}).get("predictions_sha256"):
                yield from self._same_file(predictions_of(file), recorded, file.name)

    def _analyses(self) -> Problems:
        for file, record in self._recorded(EVERY.analysis(*OF_RUN).record):
            yield from self._files(file, record)
            run = RunFiles(self.results / "pretrain" / file.parent.relative_to(self.results / "analysis"))
            for key, made_from in (("encoder_sha256", run.encoder), ("heads_sha256", run.heads)):
                yield from self._same(file, key, getattr(record, key), self._sha256(made_from), made_from)

    def _tables(self) -> Problems:
        for file, record in self._recorded(sources_of(EVERY.table("*"))):
            yield from self._files(file, record)
            for name, recorded in record.metrics.items():
                metrics = Path(os.path.normpath(file.parent / name))
                known = self._records.get(metrics)
                now = None if known is None else known.result_sha256()
                yield from self._same(file, "the recorded result", recorded, now, metrics)

    def _exports(self) -> Problems:
        for file in self._found(str(EVERY.export(*OF_RUN) / "model.safetensors")):
            encoder = RunFiles(self.results / "pretrain" / file.parent.relative_to(self.results / "export")).encoder
            yield from self._same(file, "content", self._sha256(file), self._sha256(encoder), encoder)

    def _files(self, record_file: Path, record: RunRecord | AnalysisRecord | TableSources) -> Problems:
        """Check the files whose hashes are in a record next to them."""
        for name, recorded in record.files.items():
            yield from self._same_file(record_file.with_name(name), recorded, record_file.name)

    def _origin(
        self, file: Path, recorded: Origin | MetricsFile, dataset: str, run: str, seed: str, task: str
    ) -> Problems:
        """Check the origin that a features or metrics file states against its path and the named files."""
        for key, place in (("dataset", dataset), ("run", run), ("task", task)):
            yield from self._same(file, key, getattr(recorded, key), place, "its path")
        yield from self._same(file, "seed", f"seed{recorded.seed}", seed, "its path")
        made = self._tree.run(dataset, run, seed.removeprefix("seed"))
        yield from self._same(file, "encoder_sha256", recorded.encoder_sha256, self._sha256(made.encoder), made.encoder)
        yield from self._same(file, "task_sha256", recorded.task_sha256, self._data_sha256(task), f"data {task!r}")
        record = self._records.get(made.record)
        for key in ("spec_sha256", "data_sha256"):
            yield from self._same(file, key, getattr(recorded, key), getattr(record, key, None), made.record)

    def _same_file(self, file: Path, recorded: str, where: object) -> Problems:
        if file.exists():
            yield from self._same(file, "content", self._sha256(file), recorded, where)
        else:
            yield file, f"missing, though {where} names it"

    def _same(self, file: Path, what: str, recorded: str, actual: str | None, where: object) -> Problems:
        """Yield a problem if two values differ; `actual` is None if there is nothing to compare with."""
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
        """Return the files of a pattern, without temporary ones."""
        return sorted(
            file
            for file in self.results.glob(pattern)
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(self.results).parts)
        )


def _weights_metadata(file: Path) -> dict[str, str]:
    with safe_open(file, framework="np") as tensors:
        return json.loads((tensors.metadata() or {}).get(WEIGHTS_METADATA, "{}"))


def _short(value: str) -> str:
    """Return a hash shortened to 12 digits, and other values as they are."""
    return value[:12] if re.fullmatch("[0-9a-f]{64}", value) else repr(value)
