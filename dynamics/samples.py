"""Samples to learn from: clusters, latents and masks, drawn at random or enumerated; and threads that share them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.setting import Setting

Mask = npt.NDArray[np.bool_]
Result = TypeVar("Result")

MOST_SAMPLES = 20_000_000  # of a population: a gradient takes half a minute, or minutes (basis)
CHUNK = 4096  # samples drawn or enumerated at once; the same for both bases, so that they draw the same


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of cluster k: latents (B, N_k), masks (B, P) and weights (B,) in the average."""

    k: int
    latent: Array
    masked: Mask
    weight: Array

    def blocks(self, size: int) -> Iterator[Samples]:
        """The same, at most so many at a time."""
        for first in range(0, len(self.weight), size):
            part = slice(first, first + size)
            yield Samples(self.k, self.latent[part], self.masked[part], self.weight[part])


def draw(setting: Setting, samples: int, generator: np.random.Generator) -> Iterator[Samples]:
    """Independent samples, each of weight 1/samples."""
    law, patches, masked = setting.law, int(setting.geometry.patches), int(setting.masked)
    for k, count in enumerate(generator.multinomial(samples, setting.weights).tolist()):
        for first in range(0, count, CHUNK):
            size = min(CHUNK, count - first)
            latent = generator.choice(law.values, (size, setting.geometry.areas[k]), p=law.weights)
            shuffled = generator.random((size, patches)).argsort(axis=1)
            yield Samples(k, latent, shuffled < masked, np.full(size, 1 / samples))


def count_population(setting: Setting) -> int:
    """How many samples there are.

    Raises
    ------
    ValueError
        If they are too many to enumerate.
    """
    latents = sum(len(setting.law.values) ** areas for areas in setting.geometry.areas)
    count = latents * math.comb(int(setting.geometry.patches), int(setting.masked))
    many = f"a number of samples: 10^{math.log10(count):.1f} masks and latents are too many to enumerate"
    accept(count <= MOST_SAMPLES, "samples", None, many)
    return count


def population(setting: Setting) -> Iterator[Samples]:
    """Every mask with all latent values, in every cluster, weighted by its probability. Exact."""
    law, patches, masked = setting.law, int(setting.geometry.patches), int(setting.masked)
    masks, values = math.comb(patches, masked), len(law.values)
    for k, areas in enumerate(setting.geometry.areas):
        total = masks * values**areas
        for first in range(0, total, CHUNK):
            latent, mask = np.divmod(np.arange(first, min(first + CHUNK, total)), masks)
            digits = latent[:, None] // values ** np.arange(areas) % values
            weight = setting.weights[k] / masks * law.weights[digits].prod(axis=1)
            yield Samples(k, law.values[digits], masks_of(patches, masked, mask), weight)


def masks_of(patches: int, masked: int, rank: Indices) -> Mask:
    """The masks of these ranks in lexicographic order: (B, P)."""
    masks, left = np.empty((len(rank), patches), dtype=bool), np.full(len(rank), masked)
    for p in range(patches):
        with_p = np.array([0, *(math.comb(patches - 1 - p, n) for n in range(masked))])[left]
        masks[:, p] = rank < with_p
        rank, left = np.where(masks[:, p], rank, rank - with_p), left - masks[:, p]
    return masks


def pool_of(threads: int) -> AbstractContextManager[Executor | None]:
    """Threads for the length of a call, so that nothing is kept that could be neither pickled nor forked."""
    return ThreadPoolExecutor(threads) if threads > 1 else nullcontext()


def in_order(
    function: Callable[[Samples], Result], blocks: Iterable[Samples], pool: Executor | None, threads: int
) -> Iterator[Result]:
    """``map(function, blocks)``, by the pool if there is one: a few ahead, as a population need not fit in memory."""
    if pool is None:
        yield from map(function, blocks)
        return
    waiting: deque[Future[Result]] = deque()
    for block in blocks:
        waiting.append(pool.submit(copy_context().run, function, block))  # np.errstate belongs to the context
        if len(waiting) > 2 * threads:
            yield waiting.popleft().result()
    yield from (done.result() for done in waiting)
