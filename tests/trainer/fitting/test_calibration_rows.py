from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.toy import toy_examples
from trainer.config import TrainConfig
from trainer.fitting.calibration_rows import calibrate, has_folds, plan_folds
from trainer.statistics.calibration import Calibration

TRAIN = toy_examples(90, 0)
THREE, NONE = TrainConfig(calibration_folds=3), TrainConfig(calibration_folds=0)


def judged(rows, seed, overshoot=3.0):
    """Logits that are right in two rows of three, and surer of it than that."""
    rng = np.random.default_rng(seed)
    targets = np.array([row.target for row in rows]).reshape(-1, 3)
    wrong = rng.random(len(rows)) < 1 / 3
    targets[wrong] = np.roll(targets[wrong], 1, axis=1)
    return (overshoot * targets).astype(np.float32), rows


@pytest.mark.parametrize(
    ("validation", "config", "train", "folds", "warning"),
    [
        (150, THREE, TRAIN, 0, None),
        (149, THREE, TRAIN, 3, "only 149 validation rows: the calibration is rough, fitted on out-of-fold"),
        (0, THREE, TRAIN, 3, "no validation rows: the calibration is rough, fitted on out-of-fold"),
        (149, NONE, TRAIN, 0, "only 149 validation rows: the calibration is rough"),
        (30, THREE, TRAIN[:30], 0, "the calibration is rough (30 training rows are too few to fold"),
        (29, THREE, TRAIN[:30], 0, "only 29 validation rows: the probabilities are not calibrated (30 train"),
        (0, NONE, TRAIN, 0, "no validation rows: the probabilities are not calibrated"),
    ],
)
def test_folds_are_trained_while_validation_rows_are_few_and_what_is_rough_is_told(
    validation, config, train, folds, warning
):
    found, warnings = plan_folds(train, toy_examples(validation, 1), config)
    assert len(found) == folds
    assert [warning in told for told in warnings] == ([] if warning is None else [True])


def test_whether_there_will_be_folds_is_known_from_counts_alone():
    assert [has_folds(149, THREE), has_folds(150, THREE), has_folds(0, NONE)] == [True, False, False]


def test_enough_validation_rows_are_fitted_on_alone():
    found = calibrate(judged(toy_examples(150, 1), 0), None)
    assert (found.fitted_on, found.rows) == ("validation", 150)
    assert found.temperature > 1.2


def test_validation_rows_and_training_rows_are_fitted_on_together():
    found = calibrate(judged(toy_examples(40, 1), 0), judged(TRAIN, 1))
    assert (found.fitted_on, found.rows) == ("out-of-fold", 130)
    assert found.temperature > 1.2
    alone = calibrate(judged([], 0), judged(TRAIN, 1))
    assert (alone.fitted_on, alone.rows) == ("out-of-fold", 90)


def test_the_labels_that_training_rows_were_chosen_for_do_not_shift_the_confidences():
    chosen = [replace(row, target=(0.0, 0.0, 1.0), label="violation") for row in TRAIN]
    assert set(calibrate(judged(toy_examples(40, 1), 0), judged(chosen, 1)).bias.values()) == {0.0}


def test_too_few_rows_of_any_kind_fit_nothing():
    assert calibrate(judged(toy_examples(29, 1), 0), None) == Calibration.identity()


def test_validation_rows_that_stand_for_many_do_not_silence_the_training_rows():
    drawn = toy_examples(40, 1)
    rare = [replace(row, inclusion=0.01) for row in drawn]
    scores, _ = judged(drawn, 0)
    assert calibrate((scores, rare), judged(TRAIN, 1)) == calibrate((scores, drawn), judged(TRAIN, 1))
