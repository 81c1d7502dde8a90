"""Results of other settings than the configuration has now are refused, and the message says what to run again."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.records import hashed, write_run_record

from mast.cli import main
from mast.config.experiment import Experiment
from mast.config.load import load_experiment
from mast.errors import MastError
from mast.files import read_sealed_json, write_sealed_json
from mast.records import AnalysisRecord
from mast.reporting.current import require_current_detections, require_current_runs
from mast.results import Results, predictions_of

CONFIG = {
    "datasets": {"shapes": {"kind": "shapes"}},
    "pretrain": {"dataset": "shapes", "epochs": 2},
    "seeds": [0],
    "runs": {"vicreg": {}, "mast": {"method": "mast"}},
    "protocols": {"linear": {"kind": "linear-lbfgs"}},
    "studies": {
        "linear": {
            "title": "Linear",
            "protocol": "linear",
            "tasks": ["shapes"],
            "runs": ["vicreg", "mast"],
            "compare": {"baseline": "vicreg", "runs": ["mast"]},
        }
    },
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(CONFIG | {"results": "results"}))
    return file


@pytest.fixture
def evaluated(config: Path, metrics_file: Callable[..., Path]) -> list[str]:
    """One metrics file of each run, as the configuration makes it."""
    own = load_experiment(config)
    linear = own.protocols["linear"]
    made = {"version": linear.version, "settings": linear.model_dump(mode="json", exclude={"kind"})}
    files = [metrics_file(run, **made) for run in own.runs]
    for run, file in zip(own.runs, files, strict=True):  # the fixture hashes what it is given
        write_sealed_json(file, read_sealed_json(file) | {"spec_sha256": own.pretrain_spec(run).sha256()})
    return [str(file) for file in files]


@pytest.mark.parametrize("command", ["table", "compare"])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("pretrain", {"dataset": "shapes", "epochs": 99}, "was trained with other settings"),
        ("runs", {"vicreg": {}, "mast": {"method": "mast", "epochs": 3}}, "run 'mast' was trained with other settings"),
        ("protocols", {"linear": {"kind": "linear-lbfgs", "strengths": 9}}, "other settings of protocol 'linear'"),
        ("runs", {"vicreg": {"label": "V", "seeds": [0, 1]}, "mast": {"method": "mast"}}, None),
    ],
)
def test_tables_take_only_what_the_configuration_makes(
    config: Path,
    evaluated: list[str],
    command: str,
    key: str,
    value: object,
    message: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config.write_text(yaml.safe_dump(CONFIG | {key: value}))
    options = ["--config", str(config), "--study", "linear", "--output", str(config.with_name("t"))]
    assert main([command, *options, *evaluated]) == (0 if message is None else 2)
    printed = capsys.readouterr().err
    if message is not None:
        assert message in printed and printed.count("\n") == 1
        assert f"again: snakemake linear --profile profiles/default --configfile {config}" in printed


def test_tables_refuse_another_version_of_the_protocol(
    config: Path, evaluated: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for file in map(Path, evaluated):
        write_sealed_json(file, read_sealed_json(file) | {"version": 77})
    options = ["--config", str(config), "--study", "linear", "--output", str(config.with_name("t"))]
    assert main(["table", *options, *evaluated]) == 2
    assert "made by version 77 of protocol 'linear', which is now version " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "encoder", "message"),
    [("now", "now", None), ("before", "now", "trained with other settings"), ("now", "before", "another encoder")],
)
def test_figures_and_health_take_only_runs_of_the_configuration(
    experiment_of: Callable[[dict, dict], Experiment], tmp_path: Path, spec: str, encoder: str, message: str | None
) -> None:
    study = CONFIG["studies"]["linear"]
    own = experiment_of({"linear": study}, {}).model_copy(update={"results": str(tmp_path)})
    run, analysis = Results(tmp_path).run("shapes", "mast", 0), Results(tmp_path).analysis("shapes", "mast", 0)
    sha256 = own.pretrain_spec("mast").sha256() if spec == "now" else hashed(spec)
    write_run_record(run.record, spec_sha256=sha256, files={run.encoder.name: hashed(encoder)})
    AnalysisRecord(format=1, encoder_sha256=hashed("now"), heads_sha256=hashed(""), files={}).write(analysis.record)
    files = [run.log, analysis.table("masks"), Results(tmp_path).run("shapes", "vicreg", 0).log]
    if message is None:
        require_current_runs(own, files, tmp_path / "c.yaml")
        return
    with pytest.raises(MastError, match=f"{message}.*again: snakemake all"):
        require_current_runs(own, files, tmp_path / "c.yaml")


def test_figures_take_only_detections_of_the_configuration(config: Path, evaluated: list[str]) -> None:
    own, files = load_experiment(config), [predictions_of(Path(file)) for file in evaluated]
    require_current_detections(own, [*files, Path("manifest.json"), Path("absent.predictions.json")], config)
    write_sealed_json(Path(evaluated[1]), read_sealed_json(Path(evaluated[1])) | {"spec_sha256": hashed("before")})
    with pytest.raises(MastError, match=r"was trained with other settings .*again: snakemake linear"):
        require_current_detections(own, files, config)
