"""Random numbers that depend on a seed alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw CPU random numbers from `seed`; torch's global generators are left unchanged."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would reseed the generators of the GPUs, which are not restored.
        torch.default_generator.manual_seed(seed)
        yield


def seed_step(seed: int, epoch: int, batch: int, rank: int) -> None:
    """Seed torch before a training step.

    Checkpoints contain no random state. Seeding every step makes the dropout of a resumed run equal
    to that of an uninterrupted one.

    Args:
        seed: Seed of the run.
        epoch: Number of the epoch.
        batch: Number of the batch in the epoch.
        rank: Rank of the process; every process of a distributed run draws different numbers.
    """
    place = (seed, epoch, batch, rank)
    torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]))
