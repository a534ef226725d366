import json
from dataclasses import replace

import pytest

from trainer.adapters.card import SCHEMA, Card, installed_versions, model_card, read_card, write_card
from trainer.errors import AdapterError
from trainer.labels import LABELS
from trainer.statistics.calibration import Calibration


def test_a_card_says_what_it_takes_to_make_the_adapter_again(trained, toy_config):
    card = read_card(trained)
    assert card.config == toy_config
    assert card.base.name == toy_config.base
    assert card.labels == LABELS
    assert card.data["train"].rows == 150
    assert card.data["train"].labels == dict.fromkeys(LABELS, 50)
    assert len(card.data["train"].sha256) == 64
    assert card.versions.keys() >= {"python", "torch", "transformers", "peft"}
    assert card.best_epoch in {epoch.epoch for epoch in card.epochs}
    assert card.validation is not None
    assert card.posts_per_second > 0


def test_a_card_survives_json(trained):
    card = read_card(trained)
    assert Card.from_dict(json.loads(json.dumps(card.to_dict()))) == card


def test_a_card_names_no_path_of_this_machine_but_the_base_as_given(trained, toy_files):
    text = (trained / "card.json").read_text(encoding="utf-8")
    assert str(toy_files["train"].parent) not in text


@pytest.mark.parametrize(
    ("told", "fitted_on", "rows"),
    [({}, "validation", 60), ({"temperature": 1.0, "bias": dict.fromkeys(LABELS, 0.0)}, "nothing", 0)],
)
def test_a_card_from_before_they_told_it_says_what_the_calibration_was_fitted_on(
    edit_card, told, fitted_on, rows
):
    def age(card):
        card["calibration"] = {name: card["calibration"][name] for name in ("temperature", "bias")} | told
        del card["config"]["calibration_folds"]

    calibration = read_card(edit_card(age)).calibration
    assert (calibration.fitted_on, calibration.rows) == (fitted_on, rows)


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        (Calibration.identity(), "not calibrated"),
        (Calibration(1.5, {}, "validation", 1_200), "calibrated on 1,200 validation posts"),
        (Calibration(1.5, {}, "out-of-fold", 340), "340 posts, the training posts among them"),
    ],
)
def test_a_card_says_in_words_what_its_confidences_rest_on(trained, calibration, words):
    assert words in model_card(replace(read_card(trained), calibration=calibration))


def test_the_readme_is_the_card_in_words(trained):
    card = read_card(trained)
    readme = (trained / "README.md").read_text(encoding="utf-8")
    assert readme == model_card(card)
    assert readme.startswith("---\nlibrary_name: peft")
    assert all(warning in readme for warning in card.warnings)


def test_versions_name_the_libraries_at_work():
    assert {"python", "torch", "transformers", "peft"} <= installed_versions().keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.pop("schema"), "not a readable card"),
        (lambda card: card.update(schema=SCHEMA + 1), f"schema {SCHEMA + 1}"),
        (lambda card: card.pop("base"), "not a readable card"),
        (lambda card: card.update(surprise=1), "not a readable card"),
        (lambda card: card["config"].update(rank=0), "not a readable card"),
        (lambda card: card["calibration"].update(temperature=0), "not a readable card"),
        (lambda card: card["calibration"]["bias"].pop("normal"), "not a readable card"),
        (lambda card: card["calibration"].update(fitted_on="tea leaves"), "not a readable card"),
    ],
)
def test_a_card_that_cannot_be_read_is_refused(edit_card, change, message):
    with pytest.raises(AdapterError, match=message):
        read_card(edit_card(change))


def test_a_missing_folder_and_a_missing_or_broken_card_are_told_apart(tmp_path):
    with pytest.raises(AdapterError, match="no such adapter folder"):
        read_card(tmp_path / "nowhere")
    with pytest.raises(AdapterError, match=r"card\.json is missing"):
        read_card(tmp_path)
    (tmp_path / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(AdapterError, match="not a readable card"):
        read_card(tmp_path)


def paths_in(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from paths_in(one, (*path, name))


ODD = (None, True, -1, float("nan"), 10**400, "\ud800", [[]], {"x": {}})


def test_a_card_with_any_odd_value_is_refused_or_can_be_written_again(trained, tmp_path):
    """A card comes from another machine: each value in turn is replaced by each of ODD."""
    whole = json.loads((trained / "card.json").read_text(encoding="utf-8"))
    whole["validation"] = {"macro_f1": 0.5}  # the other metrics are not read
    for path in paths_in(whole):
        for odd in ODD:
            values = replaced(whole, path, odd)
            (tmp_path / "card.json").write_text(json.dumps(values), encoding="utf-8")
            try:
                card = read_card(tmp_path)
            except AdapterError:
                continue
            write_card(tmp_path, card)


def replaced(whole, path, odd):
    values = json.loads(json.dumps({"whole": whole}))
    at = values
    for name in ("whole", *path)[:-1]:
        at = at[name]
    at[("whole", *path)[-1]] = odd
    return values["whole"]
