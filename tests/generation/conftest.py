"""transformers imports torchvision, whose published wheel fails beside a CPU build of torch; tiny models are
fastest on one thread."""

import torch

from leafinstruct._torchvision import mend

mend()
torch.set_num_threads(1)
