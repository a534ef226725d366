import pytest
import torch
from transformers import TrainerState

from trainer.fitting.checkpoint_folder import CheckpointFolder


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "whole", "this training")


def save(folder, step, **facts):
    folder.save(
        {"now/a": torch.full((2,), float(step)), "best/a": torch.zeros(1)},
        facts,
        TrainerState(global_step=step),
    )


def test_the_newest_checkpoint_is_read_back_and_the_only_one_that_is_kept(folder):
    assert folder.newest() is None
    save(folder, 9, tally={"step": 9})
    save(folder, 10, tally={"step": 10})
    saved = folder.newest()
    assert saved.facts["tally"] == {"step": 10}
    assert {name: tensor.tolist() for name, tensor in saved.of("now").items()} == {"a": [10.0, 10.0]}
    assert TrainerState.load_from_json(str(saved.folder / "trainer_state.json")).global_step == 10
    assert [path.name for path in folder.path.iterdir()] == ["checkpoint-10"]


def test_another_training_leaves_a_checkpoint_alone_until_it_has_its_own(folder):
    save(folder, 20)
    save(folder, 30)
    other = CheckpointFolder(folder.path, "another training")
    assert other.newest() is None
    assert folder.newest() is not None
    save(other, 30)
    assert other.newest() is not None
    assert folder.newest() is None


def test_a_kill_while_writing_leaves_the_older_checkpoint(folder, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    save(folder, 1)
    with monkeypatch.context() as killing:
        killing.setattr(TrainerState, "save_to_json", killed)
        with pytest.raises(KeyboardInterrupt):
            save(folder, 2)
    assert folder.newest().folder.name == "checkpoint-1"
    save(folder, 2)
    assert [path.name for path in folder.path.iterdir()] == ["checkpoint-2"]


def test_a_checkpoint_is_tensors_and_json_and_no_pickle(folder):
    save(folder, 1)
    names = {path.name for path in (folder.path / "checkpoint-1").iterdir()}
    assert names == {"training.safetensors", "trainer_state.json"}


def test_a_checkpoint_of_a_former_version_is_replaced(folder):
    folder.path.write_bytes(b"one file")
    assert folder.newest() is None
    save(folder, 1)
    assert folder.newest() is not None


def test_without_a_path_nothing_is_kept():
    nowhere = CheckpointFolder(None, "this training")
    save(nowhere, 1)
    assert nowhere.newest() is None
