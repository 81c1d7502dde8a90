"""Refuse results that were made with other settings than the configuration has now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mast.config.experiment import Experiment
from mast.config.plan import planned_trainings
from mast.errors import MastError
from mast.files import sha256_json
from mast.records import AnalysisRecord, RunRecord
from mast.reporting.tables.collect import collect
from mast.results import PREDICTIONS_SUFFIX, AnalysisFiles, Results, metrics_of


@dataclass(frozen=True)
class Planned:
    """What a study's metrics are made with, as the configuration has it."""

    config: Path
    study: str
    version: int
    """Version of the protocol's code."""
    settings_sha256: str
    """Hash of the protocol's settings, as metrics files record them."""
    runs: Mapping[str, str]
    """Run → hash of its resolved settings."""

    @classmethod
    def of(cls, experiment: Experiment, study: str, config: Path) -> "Planned":
        """Return what the metrics of a study are made with."""
        own = experiment.studies[study]
        protocol = experiment.protocols[own.protocol]
        settings = sha256_json(protocol.recorded)
        runs = {run: experiment.pretrain_spec(run).sha256() for run in own.runs}
        return cls(config, study, protocol.version, settings, runs)

    def require(self, frame: pd.DataFrame) -> None:
        """Refuse metrics of other settings of the run or the protocol, or of another version of the protocol's code.

        Args:
            frame: as `collect` returns it, with files of the study only.

        Raises:
            MastError: for the first file whose result is not that of the configuration.
        """
        again = f"evaluate again: {_command(self.study, self.config)}"
        for record in frame.drop_duplicates("file").itertuples():
            if record.spec_sha256 != self.runs[record.run]:
                raise MastError(
                    f"{record.file}: run {record.run!r} was trained with other settings than {self.config} has now "
                    f"(spec_sha256); train and evaluate it again: {_command(self.study, self.config)}"
                )
            if record.version != self.version:
                raise MastError(
                    f"{record.file}: made by version {record.version} of protocol {record.protocol!r}, which is now "
                    f"version {self.version}; {again}"
                )
            if record.settings_sha256 != self.settings_sha256:
                raise MastError(
                    f"{record.file}: evaluated with other settings of protocol {record.protocol!r} than {self.config} "
                    f"has now; {again}"
                )


def require_current_detections(experiment: Experiment, files: Iterable[Path], config: Path) -> None:
    """Refuse detections whose metrics file, next to them, is not that of the configuration.

    Raises:
        MastError: see `Planned.require`.
    """
    places = (metrics_of(Path(file)) for file in files if str(file).endswith(PREDICTIONS_SUFFIX))
    frame = collect(place for place in places if place.exists())
    for name, study in experiment.studies.items() if len(frame) else ():
        own = (frame["protocol"] == study.protocol) & frame["run"].isin(study.runs)
        Planned.of(experiment, name, config).require(frame[own])


def require_current_runs(experiment: Experiment, files: Iterable[Path], config: Path) -> None:
    """Refuse logs, records and analyses of runs that were trained with other settings than the configuration has now.

    Runs whose `run.json` is not there, and files of no run, are passed over.

    Raises:
        MastError: for the first such run, or the first analysis of an encoder that was trained again since.
    """
    planned, results = planned_trainings(experiment), Results(experiment.results)
    for directory in dict.fromkeys(Path(file).parent for file in files):
        dataset, run, seed = ("", "", "", *directory.parts)[-3:]
        names = dataset, run, seed.removeprefix("seed")
        if names not in planned or not (record_file := results.run(*names).record).exists():
            continue
        record = RunRecord.read(record_file)
        if record.spec_sha256 != planned[names]:
            raise MastError(
                f"{record_file}: trained with other settings than {config} has now (spec_sha256); train again: "
                f"{_command('all', config)}"
            )
        analysis = AnalysisFiles(directory).record
        if analysis.exists() and AnalysisRecord.read(analysis).encoder_sha256 != record.encoder_sha256:
            raise MastError(
                f"{analysis}: of another encoder than that in {record_file} (encoder_sha256); analyze it again: "
                f"{_command('all', config)}"
            )


def _command(target: str, config: Path) -> str:
    return f"snakemake {target} --profile profiles/default --configfile {config}"
