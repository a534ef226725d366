"""The starter encoder's recipe, on a corpus of a few hundred lines and a handful of steps."""

import gzip
import lzma
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from trainer import pretrain
from trainer.errors import DatasetError, TrainerError

WORDS = [
    "今天",
    "天气",
    "真好",
    "我们",
    "出去",
    "ＶＰＮ",
    "论坛",
    "帖子",
    "hello",
    "2024年",
    "，",
    "😂",
    "か",
    "é",
]
SMALL = ["--layers", "1", "--width", "16", "--heads", "2", "--length", "24", "--batch-tokens", "200"]


def make_lines(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(WORDS, k=chance.randint(1, 20))) for _ in range(count)]


@pytest.fixture(autouse=True)
def one_thread():
    """Several threads are slower on tensors as small as these, and wait on each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(make_lines(400)), encoding="utf-8")
    return path


def make_run(corpus: Path, **changes: object) -> pretrain.Run:
    config = pretrain.PretrainConfig(
        **{"corpus": {str(corpus): 1.0}, "steps": 6, "layers": 1, "width": 16, "heads": 2} | changes,
        length=24,
        batch_tokens=200,
        pool=64,
    )
    return pretrain.start(config, torch.device("cpu"), lambda _: None)


def pretrain_tiny(corpus: Path, out: Path, *more: str) -> int:
    return pretrain.main(["--corpus", str(corpus), "--out", str(out), "--steps", "3", *SMALL, *more])


class TestText:
    @pytest.mark.parametrize(
        ("name", "opener"), [("a.txt", open), ("a.txt.gz", gzip.open), ("a.xz", lzma.open)]
    )
    def test_reads_plain_and_compressed_text_without_blank_lines(self, tmp_path, name, opener):
        with opener(tmp_path / name, "wt", encoding="utf-8") as file:
            file.write("第一行\n\n  第二行 \n")
        assert list(pretrain.read_corpus(tmp_path / name)) == ["第一行", "第二行"]

    def test_excluded_texts_are_dropped_whatever_their_width_case_and_spacing(self, tmp_path):
        corpus, labelled = tmp_path / "corpus.txt", tmp_path / "test.tsv"
        corpus.write_text("今天 天气ＡＢＣ\n留下的一行\n", encoding="utf-8")
        labelled.write_text("id\ttext\tlabel\n1\t今天天气abc\tnormal\n", encoding="utf-8")
        excluded = pretrain.read_excluded([labelled])
        assert list(pretrain.kept_lines(corpus, excluded)) == ["留下的一行"]

    def test_excluded_texts_reach_neither_the_vocabulary_nor_the_ids(self, corpus, tmp_path):
        corpus.write_text("饕餮盛宴\n" + corpus.read_text(encoding="utf-8"), encoding="utf-8")
        labelled = tmp_path / "test.tsv"
        labelled.write_text("text\n饕餮盛宴\n", encoding="utf-8")
        whole, without = make_run(corpus), make_run(corpus, exclude=(str(labelled),))
        assert "饕" in whole.tokenizer.get_vocab()
        assert "饕" not in without.tokenizer.get_vocab()
        assert len(whole.corpus.ids) == len(without.corpus.ids) + 4


class TestTokenizer:
    @pytest.fixture
    def tokenizer(self):
        tokens = pretrain.choose_tokens(make_lines(200), pretrain.PretrainConfig())
        return pretrain.build_tokenizer(tokens)

    def test_vocabulary_covers_every_character_seen(self, tokenizer):
        for encoding in tokenizer.encode_batch(make_lines(200)):
            assert pretrain.UNK not in encoding.ids

    def test_a_character_never_seen_is_unknown(self, tokenizer):
        assert tokenizer.encode("龘").ids == [pretrain.CLS, pretrain.UNK, pretrain.SEP]

    def test_full_width_and_half_width_forms_give_the_same_ids(self, tokenizer):
        assert tokenizer.encode("ＶＰＮ２０２４，Ｈｅｌｌｏ").ids == tokenizer.encode("vpn2024,hello").ids

    def test_latin_and_digits_come_in_pieces_and_all_else_in_single_characters(self, tokenizer):
        found = tokenizer.encode("今天helloz😂😂").tokens
        assert found == ["[CLS]", "今", "天", "hello", "##z", "😂", "😂", "[SEP]"]

    def test_keeps_the_commonest_characters_when_the_vocabulary_is_small(self):
        tokens = pretrain.choose_tokens(["好好好", "好坏"], pretrain.PretrainConfig(vocabulary=1))
        assert "好" in tokens
        assert "坏" not in tokens


class TestMixture:
    @pytest.fixture
    def corpus(self):
        """Three files of 1,000 segments of 10 tokens, the first of them held out by a tenth."""
        starts = np.arange(3000) * 10
        held_out = np.arange(3000) < 100
        ids = np.zeros(30_000, dtype=np.uint16)
        return pretrain.Corpus(ids, starts, starts + 10, np.arange(3000) // 1000, held_out)

    def test_no_file_passes_the_cap_while_others_can_take_the_rest(self, corpus):
        assert pretrain.mix_files(corpus, [8, 1, 1], 0.5) == pytest.approx([0.5, 0.25, 0.25])

    def test_shares_follow_the_weights_below_the_cap(self, corpus):
        assert pretrain.mix_files(corpus, [1, 2, 1], 0.9) == pytest.approx([0.25, 0.5, 0.25])

    def test_a_cap_that_cannot_be_kept_means_equal_shares(self, corpus):
        assert pretrain.mix_files(corpus, [8, 1, 1], 0.1) == pytest.approx([1 / 3] * 3)

    def test_pools_follow_the_shares_and_never_hold_held_out_text(self, corpus):
        pool = pretrain.draw_pool(corpus, np.array([0.5, 0.25, 0.25]), 400, 3, seed=0)
        assert np.bincount(corpus.files[pool]).tolist() == [200, 100, 100]
        assert not corpus.held_out[pool].any()

    def test_every_segment_is_seen_once_before_any_is_seen_twice(self, corpus):
        shares = np.array([0.0, 1.0, 0.0])
        drawn = np.concatenate([pretrain.draw_pool(corpus, shares, 250, n, seed=0) for n in range(4)])
        assert sorted(drawn) == list(range(1000, 2000))

    def test_batches_hold_every_segment_and_no_more_tokens_than_asked(self):
        lengths = np.array([5, 30, 7, 7, 100, 3, 12])
        batches = pretrain.group_by_length(lengths, 64)
        assert sorted(np.concatenate(batches)) == list(range(7))
        assert all(len(b) == 1 or len(b) * (lengths[b].max() + 2) <= 64 for b in batches)


class TestMasking:
    def test_a_word_is_masked_whole_and_special_tokens_never(self):
        words = np.zeros((10, 10), dtype=bool)
        words[7, 8] = True
        ids = np.array([[pretrain.CLS, 7, 8, 9, 7, 8, pretrain.SEP, pretrain.PAD]] * 200)
        masked = pretrain.choose_masked(ids, words, 0.3, np.random.default_rng(0))
        assert (masked[:, 1] == masked[:, 2]).all()
        assert (masked[:, 4] == masked[:, 5]).all()
        assert not masked[:, [0, 6, 7]].any()
        assert masked[:, 3].mean() == pytest.approx(0.3, abs=0.1)

    def test_a_batch_always_asks_something(self):
        ids = np.array([[pretrain.CLS, 7, pretrain.SEP]])
        masked = pretrain.choose_masked(ids, np.zeros((10, 10), dtype=bool), 0.0, np.random.default_rng(0))
        assert masked.sum() == 1

    def test_answers_are_what_stood_at_the_masked_places(self, corpus):
        run = make_run(corpus)
        batch = pretrain.make_batch(run.corpus, np.arange(8), run.words, 0.2, np.random.default_rng(0))
        plain = batch.ids.flatten().clone()
        plain[batch.places] = batch.answers
        for number, row in enumerate(plain.reshape(batch.ids.shape).tolist()):
            segment = run.corpus.ids[run.corpus.starts[number] : run.corpus.ends[number]].tolist()
            padding = [pretrain.PAD] * (len(row) - len(segment) - 2)
            assert row == [pretrain.CLS, *segment, pretrain.SEP, *padding]


class TestCounting:
    def test_pairs_are_counted_within_a_segment_only(self):
        corpus = pretrain.Corpus(
            np.array([1, 2, 1, 2, 2], dtype=np.uint16),
            np.array([0, 3]),
            np.array([3, 5]),
            np.zeros(2, dtype=np.int64),
            np.zeros(2, dtype=bool),
        )
        assert pretrain.count_pairs(corpus, 3, 1).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 1]]

    def test_neighbours_far_beyond_chance_are_one_word(self):
        counts = np.ones((400, 400), dtype=np.float32)
        counts[3, 4] = 100
        assert np.argwhere(pretrain.find_words(counts)).tolist() == [[3, 4]]

    def test_tokens_with_like_neighbours_get_like_vectors(self):
        counts = np.random.default_rng(0).poisson(3, (40, 40)).astype(np.float32)
        counts[1] = counts[0] + 1
        vectors = torch.nn.functional.normalize(pretrain.count_vectors(counts, 8, seed=0))
        assert vectors[0] @ vectors[1] > (vectors[0] @ vectors[2:].T).max()


class TestStart:
    """Where an encoder starts, before it has read anything."""

    @pytest.fixture
    def model(self):
        config = pretrain.PretrainConfig(layers=3)
        model = pretrain.build_encoder(config, torch.randn(500, 256, generator=torch.manual_seed(0)) * 0.04)
        model.bert.set_attn_implementation("eager")
        return model

    def test_heads_of_the_first_layers_look_at_their_neighbours(self, model):
        ids = torch.randint(5, 500, (4, 100), generator=torch.manual_seed(0))
        attentions = model.bert(input_ids=ids, output_attentions=True).attentions
        for layer, steps in enumerate([(-1, 1, -2, 2), (-1, 1)]):
            for head, step in enumerate(steps):
                looked = attentions[layer][:, head].mean(0)
                assert torch.diagonal(looked, step).mean() > 0.3
        assert attentions[2].max() < 0.1

    def test_the_pooler_passes_the_first_vector_on(self, model):
        found = model.bert(input_ids=torch.tensor([[2, 7, 8, 3]]))
        assert torch.allclose(found.pooler_output, found.last_hidden_state[:, 0].tanh(), atol=1e-5)


class TestRun:
    def test_saved_model_loads_with_nothing_but_transformers(self, corpus, tmp_path, capsys):
        assert pretrain_tiny(corpus, tmp_path / "out") == 0
        assert "saved at step 3" in capsys.readouterr().out
        model, facts = AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
        found = model(**tokenizer(["今天天气真好", "hello"], padding=True, return_tensors="pt"))
        assert not facts["missing_keys"]
        assert not facts["unexpected_keys"]
        assert model.dtype == torch.float32
        assert found.pooler_output.shape == (2, 16)
        assert found.last_hidden_state.isfinite().all()
        assert tokenizer("ＨＥＬＬＯ")["input_ids"] == tokenizer("hello")["input_ids"]
        assert tokenizer.mask_token == "[MASK]"

    def test_weights_on_disk_are_halves_in_safetensors_alone(self, corpus, tmp_path):
        pretrain_tiny(corpus, tmp_path / "out")
        names = {path.name for path in (tmp_path / "out").iterdir()}
        assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
        assert {t.dtype for t in load_file(tmp_path / "out" / "model.safetensors").values()} == {
            torch.float16
        }

    def test_resuming_after_a_kill_gives_the_same_as_never_stopping(self, corpus, tmp_path):
        def killed_after_three(line: str) -> None:
            if line.startswith("saved at step 3"):
                raise KeyboardInterrupt

        whole = make_run(corpus)
        pretrain.train(whole, tmp_path / "whole", tmp_path / "a", 1e9, lambda _: None)
        half = make_run(corpus)
        pretrain.save_corpus(half, tmp_path / "b")
        with pytest.raises(KeyboardInterrupt):
            pretrain.train(half, tmp_path / "half", tmp_path / "b", 0, killed_after_three)
        rest = pretrain.resume(half.config, torch.device("cpu"), tmp_path / "b")
        assert rest.tally.step == 3
        pretrain.train(rest, tmp_path / "half", tmp_path / "b", 1e9, lambda _: None)
        expected = load_file(tmp_path / "whole" / "model.safetensors")
        found = load_file(tmp_path / "half" / "model.safetensors")
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
        assert (rest.tally.step, rest.tally.tokens) == (whole.tally.step, whole.tally.tokens)

    def test_the_seed_decides(self, corpus):
        first, same, other = (make_run(corpus, seed=seed) for seed in (1, 1, 2))
        table = "bert.embeddings.word_embeddings.weight"
        assert torch.equal(first.model.state_dict()[table], same.model.state_dict()[table])
        assert not torch.equal(first.model.state_dict()[table], other.model.state_dict()[table])

    def test_learns_and_teaches_the_pooler_too(self, corpus):
        run = make_run(corpus, steps=40, learning_rate=0.01)
        batches = pretrain.walk_batches(run.corpus, run.words, run.config, 0)
        losses = [pretrain.take_step(run, next(batches)) for _ in range(40)]
        assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.3
        assert not torch.allclose(run.model.bert.pooler.dense.weight, torch.eye(16), atol=0.01)

    def test_the_same_command_again_goes_on_with_a_larger_budget(self, corpus, tmp_path, capsys):
        pretrain_tiny(corpus, tmp_path / "out")
        assert pretrain_tiny(corpus, tmp_path / "out", "--steps", "5") == 0
        said = capsys.readouterr().out
        assert "resumed at step 3" in said
        assert "saved at step 5" in said


class TestRefusals:
    """Each is one sentence on standard error and exit status 1."""

    def refused(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
        assert pretrain.main([str(argument) for argument in arguments]) == 1
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1
        return said

    def test_a_missing_corpus_file(self, tmp_path, capsys):
        said = self.refused(capsys, "--corpus", tmp_path / "none.txt", "--out", tmp_path / "out")
        assert "none.txt: no such corpus file" in said

    def test_an_empty_corpus(self, tmp_path, capsys):
        (tmp_path / "empty.txt").write_text("\n \n")
        said = self.refused(capsys, "--corpus", tmp_path / "empty.txt", "--out", tmp_path / "out")
        assert "the corpus is empty" in said

    def test_a_broken_archive(self, tmp_path, capsys):
        (tmp_path / "a.xz").write_bytes(b"not xz")
        assert "cannot be read" in self.refused(
            capsys, "--corpus", tmp_path / "a.xz", "--out", tmp_path / "out"
        )

    def test_text_that_is_not_utf8(self, tmp_path, capsys):
        (tmp_path / "a.txt").write_bytes("天气".encode("gb18030"))
        assert "not UTF-8" in self.refused(capsys, "--corpus", tmp_path / "a.txt", "--out", tmp_path / "out")

    def test_a_weight_that_is_no_number(self, corpus, tmp_path, capsys):
        said = self.refused(capsys, "--corpus", f"{corpus}=much", "--out", tmp_path / "out")
        assert "must be a number" in said

    def test_going_on_with_other_settings(self, corpus, tmp_path, capsys):
        pretrain_tiny(corpus, tmp_path / "out")
        capsys.readouterr()
        assert pretrain_tiny(corpus, tmp_path / "out", "--seed", "7") == 1
        assert "was made with another seed" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "wrong", [{"steps": 0}, {"minutes": -1.0}, {"length": 300}, {"heads": 3}, {"vocabulary": 70_000}]
    )
    def test_settings_that_cannot_work(self, wrong):
        with pytest.raises(TrainerError):
            pretrain.PretrainConfig(**wrong)

    def test_a_corpus_with_nothing_to_train_on(self, corpus):
        with pytest.raises(DatasetError, match="too small"):
            next(pretrain.walk_batches(make_run(corpus).corpus, np.zeros((1, 1)), ZERO_WEIGHT, 0))


ZERO_WEIGHT = pretrain.PretrainConfig(corpus={"corpus.txt": 0.0})
