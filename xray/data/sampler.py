"""Order of the images of an epoch, determined by (seed, epoch)."""

import math
from collections.abc import Iterator

import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import DistributedSampler

Key = tuple[int, int]
"""(epoch, index) of an image: everything that its augmentation depends on."""


class EpochSampler(DistributedSampler[Key]):
    """Shuffle by (seed, epoch), and pass the epoch to the dataset with every index.

    A resumed run continues with the same order, and loader processes that outlive an epoch learn
    the number of the next. In distributed training each process takes every n-th index, after
    padding to equal shares; as a DistributedSampler it is not replaced by Lightning's.

    Args:
        size: Number of samples.
        seed: Seed of the order.
        weights: (size,) float, drawing probabilities up to a factor, with replacement; None
            shuffles.
    """

    def __init__(self, size: int, seed: int, weights: Tensor | None = None) -> None:
        # Rank and number of processes are read for each epoch, as they may not be known yet.
        super().__init__(range(size), num_replicas=1, rank=0, seed=seed)  # type: ignore[arg-type]
        self.size = size
        self.weights = weights

    def __len__(self) -> int:
        return math.ceil(self.size / _rank_and_processes()[1])

    def __iter__(self) -> Iterator[Key]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        if self.weights is None:
            order = torch.randperm(self.size, generator=generator)
        else:
            order = torch.multinomial(
                self.weights, self.size, replacement=True, generator=generator
            )
        rank, processes = _rank_and_processes()
        padded = order[torch.arange(len(self) * processes) % self.size]
        yield from ((self.epoch, int(index)) for index in padded[rank::processes])


def _rank_and_processes() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
