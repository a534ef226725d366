import torch

from trainer.running.device import GIB, attention_for_any_shape, gpu_memory


def test_the_memory_of_a_gpu_is_told_in_gib_and_a_cpu_has_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (60 * GIB, 80 * GIB))
    assert gpu_memory(torch.device("cuda")) == {"gpu_used": 20.0, "gpu_total": 80.0}
    assert gpu_memory(torch.device("cpu")) == {}


def test_attention_leaves_cudnn_out_and_the_setting_as_it_was():
    before = torch.backends.cuda.cudnn_sdp_enabled()
    with attention_for_any_shape():
        assert not torch.backends.cuda.cudnn_sdp_enabled()
        assert torch.backends.cuda.flash_sdp_enabled()
        assert torch.backends.cuda.mem_efficient_sdp_enabled()
    assert torch.backends.cuda.cudnn_sdp_enabled() == before
