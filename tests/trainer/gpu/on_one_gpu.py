"""`trainer.train` for processes that share one GPU, which NCCL refuses: their gradients go over gloo."""

import os
import sys

import torch.distributed

from trainer.train import main

if __name__ == "__main__":
    os.environ["LOCAL_RANK"] = "0"  # the number of the GPU
    torch.distributed.init_process_group("gloo")
    sys.exit(main())
