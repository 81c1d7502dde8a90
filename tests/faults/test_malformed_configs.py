"""Malformed configurations, generated and handwritten, end in one line that names the error, before any job."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import ROOT
from support.projects import Project, new_project

from mast.config.load import load_experiment
from mast.config.plan import figure_files, health_files, study_metrics
from mast.errors import MastError
from mast.preflight.experiment import check_experiment

SMOKE = (ROOT / "config/smoke.yaml").read_text(encoding="utf-8")
BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
GENERATED = 200

garbage = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["missing", "mats", "/", "../..", "-x", "{x}", "$(x)", "1e3", "~", " "]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(values: Any, path: tuple = ()) -> list[tuple]:
    """The path of every value of a configuration."""
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [found for key, value in inner for found in ((*path, key), *places(value, (*path, key)))]


PLACES = places(yaml.safe_load(SMOKE))


@st.composite
def changed_values(draw: Callable) -> bytes:
    """The smoke configuration with one to three keys deleted, renamed, or given another value."""
    values = copy.deepcopy(yaml.safe_load(SMOKE))
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(PLACES))
        inner = values
        try:
            for key in path:
                inner = inner[key]
            old = inner.pop(last)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change removed it
        how = draw(st.sampled_from(["delete", "rename", "replace", "replace"]))
        new = old if how == "rename" else draw(garbage)
        if how != "delete" and isinstance(inner, dict):
            inner[f"{last}x" if how == "rename" else last] = new
        elif how != "delete":
            inner.insert(last, new)
    return yaml.safe_dump(values, allow_unicode=True).encode()


@st.composite
def changed_text(draw: Callable) -> bytes:
    """Its text with a line doubled, a tab, a cut, or bytes that are no text."""
    lines = SMOKE.encode().splitlines(keepends=True)
    at = draw(st.integers(0, len(lines) - 1))
    match draw(st.sampled_from(["double", "tab", "cut", "bytes", "indent"])):
        case "double":
            lines.insert(at, lines[at])
        case "tab":
            lines[at] = b"\t" + lines[at]
        case "cut":
            text = b"".join(lines)
            return text[: draw(st.integers(0, len(text) - 1))]
        case "bytes":
            lines[at] = lines[at][:3] + draw(st.binary(min_size=1, max_size=4)) + lines[at][3:]
        case "indent":
            lines[at] = b" " + lines[at]
    return b"".join(lines)


def load(file: Path) -> None:
    """Do what the Snakefile does with a configuration, including what it derives from a valid one."""
    experiment = load_experiment(file, {"published": str(ROOT / "config/published.yaml")})
    check_experiment(experiment)
    for run in experiment.runs:
        experiment.pretrain_spec(run).model_dump_json()
    for study, spec in experiment.studies.items():
        experiment.table_spec(study).model_dump_json()
        study_metrics(experiment, study)
        if spec.compare:
            experiment.comparison_spec(study)
    for figure in ("losses", "masks", "uncertainty", "detections", "motivation", "length", "differences"):
        figure_files(experiment, figure)
    health_files(experiment)


def test_two_hundred_malformed_configurations_end_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "malformed.yaml"
    refused, valid = [], []

    @settings(
        max_examples=GENERATED, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.one_of(changed_values(), changed_text()))
    def each(content: bytes) -> None:
        file.write_bytes(content)
        with fault("malformed configuration"):
            try:
                load(file)
                valid.append(content)
            except MastError as error:
                assert len(str(error).splitlines()) == 1 and ": " in str(error), str(error)
                refused.append(content)

    each()
    assert len(refused) + len(valid) >= GENERATED
    assert len(refused) > GENERATED / 2
    assert [found.name for found in tmp_path.iterdir()] == ["malformed.yaml"], "nothing was begun"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "Input should be a valid dictionary"),
        (b"- a\n", "Input should be a valid dictionary"),
        (SMOKE.encode("utf-16"), "cannot be read"),
        (
            SMOKE.replace("\nseeds: [0]\n", "\nseeds: [0]\nseeds: [1]\n").encode(),
            "'seeds' is in line",
        ),
        (SMOKE.replace("  mast: {method: mast,", "  vicreg: {method: mast,").encode(), "'vicreg' is in line"),
        (SMOKE.replace("  dataset: shapes", "\tdataset: shapes").encode(), "not valid YAML"),
        (BOMB.encode(), "expands to more than 100,000 values"),
        (b"a: &a [*a]\n", "an alias refers to itself"),
        (b"a: " + b"[" * 5000, "nested too deeply"),
        (b"? [a, b]\n: 1\n", "not valid YAML"),
        (b"a: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML"),
    ],
)
def test_what_yaml_allows_and_no_configuration_is(content: bytes, named: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    with pytest.raises(MastError) as error:
        load_experiment(file)
    assert str(error.value).startswith(f"{file}: ") and named in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_an_alias_and_a_merged_key_are_no_duplicates(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    text = SMOKE.replace("detection-frozen: {<<: *detector,", "detection-frozen: {<<: *detector, epochs: 2,")
    assert text != SMOKE
    file.write_text(text, encoding="utf-8")
    assert load_experiment(file).protocols["detection-frozen"].epochs == 2


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return new_project(tmp_path_factory.mktemp("malformed") / "a project")


def without(key: str) -> bytes:
    values = yaml.safe_load(SMOKE)
    del values[key]
    return yaml.safe_dump(values).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"- a\n",
        without("runs"),
        SMOKE.replace("epochs: 2", "epohcs: 2").encode(),
        SMOKE.replace("\nseeds: [0]\n", "\nseeds: [0]\nseeds: [1]\n").encode(),
        SMOKE.replace("\nseeds: [0]\n", "\nseeds: [.nan]\n").encode(),
        SMOKE.replace("protocol: knn", "protocol: kmm").encode(),
        SMOKE.replace("  dataset: shapes", "\tdataset: shapes").encode(),
        b"a: &a [*a]\n",
    ],
    ids=["empty", "list", "no-runs", "typo", "twice", "nan", "reference", "tab", "itself"],
)
def test_snakemake_starts_nothing(project: Project, content: bytes) -> None:
    (project.directory / "config/malformed.yaml").write_bytes(content)
    run = project.snakemake("--dry-run", "all", "--configfile", "config/malformed.yaml")
    assert run.returncode != 0
    assert "Traceback" not in run.stdout, run.stdout[-3000:]
    assert not (project.directory / "results").exists()


def test_what_is_no_text_snakemake_refuses_itself(project: Project) -> None:
    (project.directory / "config/malformed.yaml").write_bytes(b"\xff\xfe")
    run = project.snakemake("--dry-run", "all", "--configfile", "config/malformed.yaml")
    assert run.returncode != 0
    assert "can't decode byte 0xff" in run.stdout.splitlines()[-1] + run.stdout.splitlines()[-2]
    assert not (project.directory / "results").exists()
