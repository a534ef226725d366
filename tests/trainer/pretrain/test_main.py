"""The command line, and its errors in one sentence."""

import pytest
from transformers import AutoModel, AutoTokenizer

from trainer.errors import TrainerError
from trainer.pretrain.__main__ import main
from trainer.pretrain.config import PretrainConfig

SMALL = ["--layers", "1", "--width", "16", "--heads", "2", "--length", "24", "--batch-tokens", "200", "--cpu"]


def pretrain_tiny(corpus, out, *more):
    return main(["--corpus", str(corpus), "--out", str(out), "--steps", "3", *SMALL, *more])


def refused(capsys, *arguments):
    assert main([*map(str, arguments), "--cpu"]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


def test_the_encoder_loads_with_nothing_but_transformers(corpus, tmp_path, capsys):
    assert pretrain_tiny(corpus, tmp_path / "out") == 0
    assert "saved at step 3" in capsys.readouterr().out
    model, facts = AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    found = model(**tokenizer(["今天天气真好", "hello"], padding=True, return_tensors="pt"))
    assert not facts["missing_keys"]
    assert not facts["unexpected_keys"]
    assert str(model.dtype) == "torch.float32"
    assert found.pooler_output.shape == (2, 16)
    assert found.last_hidden_state.isfinite().all()
    assert tokenizer("ＨＥＬＬＯ")["input_ids"] == tokenizer("hello")["input_ids"]
    assert tokenizer.mask_token == "[MASK]"


def test_the_same_command_again_goes_on_with_a_larger_budget(corpus, tmp_path, capsys):
    pretrain_tiny(corpus, tmp_path / "out")
    assert pretrain_tiny(corpus, tmp_path / "out", "--steps", "5") == 0
    said = capsys.readouterr().out
    assert "at step 3" in said
    assert "saved at step 5" in said


def test_a_missing_corpus_file(tmp_path, capsys):
    said = refused(capsys, "--corpus", tmp_path / "none.txt", "--out", tmp_path / "out")
    assert "none.txt: no such corpus file" in said


def test_an_empty_corpus(tmp_path, capsys):
    (tmp_path / "empty.txt").write_text("\n \n")
    said = refused(capsys, "--corpus", tmp_path / "empty.txt", "--out", tmp_path / "out")
    assert "the corpus is empty" in said


def test_a_broken_archive(tmp_path, capsys):
    (tmp_path / "a.xz").write_bytes(b"not xz")
    assert "cannot be read" in refused(capsys, "--corpus", tmp_path / "a.xz", "--out", tmp_path / "out")


def test_text_that_is_not_utf8(tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes("天气".encode("gb18030"))
    assert "not UTF-8" in refused(capsys, "--corpus", tmp_path / "a.txt", "--out", tmp_path / "out")


def test_a_weight_that_is_no_number(corpus, tmp_path, capsys):
    said = refused(capsys, "--corpus", f"{corpus}=much", "--out", tmp_path / "out")
    assert "must be a number" in said


def test_a_corpus_with_nothing_to_train_on(corpus, tmp_path, capsys):
    assert pretrain_tiny(f"{corpus}=0", tmp_path / "out") == 1
    assert "too small" in capsys.readouterr().err


def test_going_on_with_other_settings(corpus, tmp_path, capsys):
    pretrain_tiny(corpus, tmp_path / "out")
    capsys.readouterr()
    assert pretrain_tiny(corpus, tmp_path / "out", "--seed", "7") == 1
    assert "was made with another seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"minutes": -1.0}, {"length": 300}, {"heads": 3}, {"vocabulary": 70_000}]
)
def test_settings_that_cannot_work(wrong):
    with pytest.raises(TrainerError):
        PretrainConfig(**wrong)
