"""The order of an epoch, from (seed, epoch) alone."""

import math
from collections.abc import Iterator

import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import Sampler

Key = tuple[int, int]
"""(epoch, index): all that the draw of an augmentation depends on."""


class EpochSampler(Sampler[Key]):
    """Shuffles by (seed, epoch) and hands the epoch to the dataset with every index.

    A resumed run so sees the order it would have seen, and loader processes that outlive an epoch
    learn which one it is. In distributed training each process takes every n-th index, after
    padding to equal shares.

    Args:
        size: Number of samples.
        seed: Of the shuffle.
        weights: (size,) float, drawing probabilities up to a factor, with replacement; None
            shuffles.
    """

    def __init__(self, size: int, seed: int, weights: Tensor | None = None) -> None:
        self.size = size
        self.seed = seed
        self.weights = weights
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.size / _world()[1])

    def __iter__(self) -> Iterator[Key]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        if self.weights is None:
            order = torch.randperm(self.size, generator=generator)
        else:
            order = torch.multinomial(
                self.weights, self.size, replacement=True, generator=generator
            )
        rank, world = _world()
        padded = order[torch.arange(len(self) * world) % self.size]
        yield from ((self.epoch, int(index)) for index in padded[rank::world])


def _world() -> tuple[int, int]:
    """Tell (rank, number of processes) of this training."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
