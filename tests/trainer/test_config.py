import json
import subprocess
import sys

import pytest

from trainer.config import PRESETS, TrainConfig, quick
from trainer.errors import AdapterError, DatasetError, EncoderError, TrainerError


def test_a_config_survives_json():
    config = TrainConfig(base="some/where", learning_rate=1e-4, seed=7)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_settings_left_out_keep_their_defaults():
    assert TrainConfig.from_dict({"rank": 8}) == TrainConfig(rank=8)


def test_a_whole_number_serves_as_a_fraction():
    assert TrainConfig.from_dict({"dropout": 0}).dropout == 0.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_speed": 1}, "unknown training setting 'learning_speed'"),
        ({"rank": "16"}, "rank must be int"),
        ({"rank": True}, "rank must be int"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"warmup": 1.0}, "warmup"),
        ({"max_length": 2}, "max_length"),
        ({"max_label_weight": 0.5}, "max_label_weight"),
        ({"focal_gamma": -1}, "focal_gamma"),
        ({"calibration_folds": 2}, "calibration_folds must be 0 or from 3 to 10, not 2"),
        ({"train_pooler": 1}, "train_pooler must be bool"),
        ({"target_modules": "query,"}, "target_modules must be 'all-linear' or names"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(values, message):
    with pytest.raises(TrainerError, match=message):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_settings(name):
    assert TrainConfig.from_dict(PRESETS[name])


def test_quick_is_a_training_cut_short_and_without_folds():
    config = TrainConfig(base="b", seed=3)
    trial = quick(config)
    assert (trial.base, trial.seed, trial.learning_rate) == ("b", 3, config.learning_rate)
    assert trial.max_steps < config.max_steps
    assert trial.calibration_folds == 0


def test_the_recipe_of_the_note_trains_no_folds():
    assert TrainConfig.from_dict(PRESETS["note"]).calibration_folds == 0


def test_every_error_is_a_trainer_error():
    assert all(issubclass(kind, TrainerError) for kind in (DatasetError, EncoderError, AdapterError))


def test_settings_errors_and_cards_load_without_heavy_libraries():
    code = (
        "import sys, trainer.config, trainer.errors, trainer.adapters.card\n"
        "print(*{'torch', 'transformers', 'peft', 'numpy', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_narrow_encoder_learns_at_a_higher_rate_within_bounds() -> None:
    config = TrainConfig(learning_rate=1e-4)
    rates = [config.rate_for(width) for width in (1024, 768, 384, 192, 32)]
    assert rates == pytest.approx([1e-4, 1e-4, 2e-4, 4e-4, 4e-4])
