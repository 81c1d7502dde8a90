"""A run takes the shared settings, and its job gets the resolved ones."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT

from mast.config.experiment import Experiment, merge
from mast.config.figures import FIGURES
from mast.config.load import load_experiment
from mast.config.plan import figure_files, health_files, planned_trainings
from mast.config.pretrain import PretrainSpec
from mast.settings import parse, parse_spec

CONFIG = ROOT / "config"
MAPPINGS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers()),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.integers() | inner),
)


@pytest.fixture
def smoke() -> dict[str, Any]:
    return yaml.safe_load((CONFIG / "smoke.yaml").read_text(encoding="utf-8"))


def specs(values: dict[str, Any]) -> dict[str, str]:
    experiment = parse(Experiment, values, "config")
    return {run: experiment.pretrain_spec(run).model_dump_json() for run in experiment.runs}


def test_the_example_of_the_guide_is_a_configuration() -> None:
    """The study that docs/use/configuration.md shows is valid, and has the nine trainings that the page promises."""
    page = (ROOT / "docs/use/configuration.md").read_text(encoding="utf-8")
    values = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    experiment = parse(Experiment, values, "the example")
    assert len(planned_trainings(experiment)) == 9 and list(experiment.studies) == ["need"]


@given(MAPPINGS)
def test_merge_with_nothing_changes_nothing(values: dict) -> None:
    assert merge(values, {}) == merge({}, values) == values


@given(MAPPINGS, MAPPINGS)
def test_own_settings_win_and_shared_ones_stay(shared: dict, own: dict) -> None:
    merged = merge(shared, own)
    assert set(merged) == set(shared) | set(own)
    for key in merged:
        if key not in own:
            assert merged[key] == shared[key]
        elif not isinstance(own[key], dict) or not isinstance(shared.get(key), dict):
            assert merged[key] == own[key]
        else:
            assert merged[key] == merge(shared[key], own[key])


def test_lists_and_mixtures_are_replaced_as_a_whole() -> None:
    shared = {"policy": {"augmentations": ["crop", "flip"]}, "pairing": {"mixture": {"composed": 1.0}}}
    own = {"policy": {"augmentations": ["blur"]}, "pairing": {"mixture": {"single": 1.0}}}
    assert merge(shared, own) == own


def test_a_run_takes_shared_settings_and_its_own(smoke: dict[str, Any]) -> None:
    spec = parse(Experiment, smoke, "config").pretrain_spec("mast-no-masks")
    assert (spec.epochs, spec.batch_size, spec.projector.output) == (2, 64, 32)
    assert spec.mast.masks.kind == "none"
    assert spec.mast.uncertainty.kind == "none"


def test_masks_of_all_runs_do_not_touch_runs_without_masks(smoke: dict[str, Any]) -> None:
    before = specs(smoke)
    smoke["pretrain"]["mast"] = {"masks": {"temperature": 0.123}}
    after = specs(smoke)
    unchanged = {run for run in before if before[run] == after[run]}
    assert unchanged == {"untrained", "supervised", "vicreg"}


def test_one_key_of_one_run_changes_that_run_alone(smoke: dict[str, Any]) -> None:
    before = specs(smoke)
    smoke["runs"]["mast-no-masks"]["epochs"] = 3
    after = specs(smoke)
    assert {run for run in before if before[run] != after[run]} == {"mast-no-masks"}


def test_settings_of_unused_augmentations_do_not_matter(smoke: dict[str, Any]) -> None:
    before = specs(smoke)
    smoke["pretrain"]["policy"]["blur"] = {"probability": 0.9}
    after = specs(smoke)
    unchanged = {run for run in before if before[run] == after[run]}
    assert unchanged == {"untrained", "mast-crop-flip"}


def test_labels_and_seeds_are_no_settings_of_training(smoke: dict[str, Any]) -> None:
    before = specs(smoke)
    smoke["runs"]["mast"].update(label="Ours", seeds=[5, 6, 7])
    assert specs(smoke) == before


def test_a_setting_that_came_later_is_in_a_spec_only_where_it_changes_the_run(smoke: dict[str, Any]) -> None:
    """Else the hash of all older runs would change. What is not trained has no last batch."""
    before = specs(smoke)
    assert not any("last_batch" in spec for spec in before.values())
    smoke["pretrain"]["last_batch"] = "kept"
    after = specs(smoke)
    assert {run for run in before if before[run] == after[run]} == {"untrained"}
    assert '"last_batch":"kept"' in after["mast"]


@pytest.mark.parametrize("name", ["config.yaml", "smoke.yaml", "paper/imagenet.yaml"])
def test_spec_survives_the_command_line(name: str) -> None:
    experiment = load_experiment(CONFIG / name)
    for run in experiment.runs:
        spec = experiment.pretrain_spec(run)
        assert parse_spec(PretrainSpec, spec.model_dump_json()).resolved() == spec


def test_data_and_a_run_are_a_whole_configuration() -> None:
    values = {"datasets": {"photos": {"kind": "folder", "root": "photos"}}}
    values["runs"] = {
        "mine": {"method": "mast", "dataset": "photos"},
        "none": {"method": "untrained", "dataset": "photos"},
    }
    experiment = parse(Experiment, values, "config")
    mine = [f"results/pretrain/photos/mine/seed{seed}" for seed in (0, 1)]
    none = [f"results/pretrain/photos/none/seed{seed}" for seed in (0, 1)]
    records = {run: [f"{folder}/run.json" for folder in folders] for run, folders in (("mine", mine), ("none", none))}
    assert health_files(experiment) == records
    assert figure_files(experiment, "losses") == {"mine": [f"{folder}/metrics.jsonl" for folder in mine]}
    assert [figure for figure in FIGURES if figure_files(experiment, figure)] == ["losses"]
    assert experiment.studies == experiment.protocols == {}
    tiny = parse(Experiment, values | {"scale": "tiny"}, "config")
    assert tiny.run_seeds("mine") == (0,) and tiny.results == "results-tiny"


def test_how_often_a_training_saves_its_state_is_no_part_of_what_it_is(smoke: dict[str, Any]) -> None:
    before = parse(Experiment, smoke, "config").pretrain_spec("mast")
    smoke["pretrain"]["checkpoint_minutes"] = 1.5
    changed = parse(Experiment, smoke, "config")
    assert changed.pretrain_spec("mast").checkpoint_minutes == 1.5
    assert changed.pretrain_spec("mast").without_pace() == before.without_pace() == before
    assert changed.pretrain_spec("untrained").without_pace().checkpoint_minutes is None
