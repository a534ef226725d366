import torch

from trainer.device import GIB, gpu_memory


def test_the_memory_of_a_gpu_is_told_in_gib_and_a_cpu_has_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (60 * GIB, 80 * GIB))
    assert gpu_memory(torch.device("cuda")) == {"gpu_used": 20.0, "gpu_total": 80.0}
    assert gpu_memory(torch.device("cpu")) == {}
