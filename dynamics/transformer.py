"""The finite model: a one-layer softmax transformer, trained by back-propagation through its matrices.

The witness of the reduction: NumPy only, and nothing in here knows of the derived rates.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from derivations._progress import progress_of
from dynamics.backward import ByAreas, Plain, separable
from dynamics.errors import (
    MOST_BYTES,
    MOST_STEPS,
    MOST_THREADS,
    accept,
    accept_records,
    choice,
    positive,
    real_array,
    true_or_false,
    whole_number,
)
from dynamics.geometry import Array
from dynamics.samples import Samples, count_population, draw, in_order, pool_of, population
from dynamics.setting import Setting
from dynamics.shown import guarded, line, number
from dynamics.training import Training

Basis = Literal["random", "coordinates"]

MOST_STORED = 2**18  # samples of a population that is kept
MOST_DRAWN = 10**12  # samples: years
DENSE_SECONDS = 2e-9  # in the random basis, of a sample for each masked query, patch and dimension
LONG, LARGE = 10.0, 32  # seconds of a training, and patches, from which on it is worth to say what is faster
MOST_DIMENSIONS = math.isqrt(MOST_BYTES // 8)
_said: list[str] = []  # by this process, of what is faster


class TrainingDiverged(RuntimeError):
    """Q is no longer finite; ``training`` holds what was recorded until then."""

    def __init__(self, message: str, training: Training) -> None:
        super().__init__(message, training)
        self.training = training

    def __str__(self) -> str:
        return str(self.args[0])


class FiniteTransformer:
    """One attention layer, F_p = Σ_q softmax_q(e_pᵀQ(X̃_q + e_q)) X̃_q; arXiv 2403.02233, section on the model.

    Parameters
    ----------
    setting : Setting
        With patches that can be counted.
    seed : int
        Seed, 0 or more, of the basis and, independently, of the samples.
    dimension : int, optional
        d ≥ P + Σ N_k; by default the least.
    basis : "random" | "coordinates"
        "random": orthonormal positions and features from a Gaussian, dense products, the independent witness.
        "coordinates": unit vectors, so that Υ and Φ are blocks of Q. The same numbers to rounding, fast.
    threads : int
        Threads that share the samples of a gradient: the same bits however many. Two are 1.2 times as fast at P = 196
        and 1.4 at 400, with 1,000 samples; slower at 64. Leave BLAS one thread beside them (OPENBLAS_NUM_THREADS=1).

    Attributes
    ----------
    positions, features : (P, d), (Σ N_k, d) arrays
        e_p, and v_{k,m} cluster after cluster.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __init__(
        self, setting: Setting, seed: int = 0, dimension: int | None = None, basis: Basis = "random", threads: int = 1
    ) -> None:
        accept(isinstance(setting, Setting), "setting", setting, "a Setting")
        geometry = setting.geometry
        accept(geometry.area_of is not None, "geometry", "scaling", "patches that can be counted")
        assert geometry.area_of is not None
        patches, ends = geometry.area_of.shape[1], geometry.area_of.shape[1] + np.cumsum(geometry.areas)
        choice("basis", basis, get_args(Basis))
        self.setting, self.seed, self.basis = setting, whole_number("seed", seed, 0), basis
        self.threads = whole_number("threads", threads, 1, MOST_THREADS)
        least = int(ends[-1])
        accept(least <= MOST_DIMENSIONS, "P + Σ N_k", least, f"at most {MOST_DIMENSIONS:,}: Q would not fit in memory")
        self.dimension = least if dimension is None else whole_number("dimension", dimension, least, MOST_DIMENSIONS)
        self._area_of = geometry.area_of
        self._columns = [slice(end - n, end) for n, end in zip(geometry.areas, ends.tolist(), strict=True)]
        of_basis, of_samples = np.random.SeedSequence(self.seed).spawn(2)
        self._generator = np.random.default_rng(of_samples)
        self._directions = np.eye(self.dimension)
        if basis == "random":
            self._directions = np.linalg.qr(np.random.default_rng(of_basis).standard_normal(self._directions.shape)).Q
        self.positions, self.features = self._directions[:patches], self._directions[patches:least]
        self._stored: list[Samples] | None = None
        np.empty(2**21)  # freed at once: glibc then keeps as much, where a gradient's arrays were paged in every time

    @guarded
    def __repr__(self) -> str:
        threads = f"{self.threads} threads" if self.threads > 1 else ""
        made = (f"d = {self.dimension}", f"{self.basis} basis", f"seed {number(self.seed)}", threads)
        return line("FiniteTransformer", self.setting.geometry.summary, self.setting.law.label, *made)

    @property
    def initial(self) -> Array:
        """Q = 0: (d, d)."""
        return np.zeros((self.dimension, self.dimension))

    def loss(self, Q: npt.ArrayLike, samples: int | None = None) -> float:
        """L(Q) = ½ E Σ_{p∈M} ‖F_p − X_p‖²; see ``loss_and_gradient``."""
        return self.loss_and_gradient(Q, samples)[0]

    def gradient(self, Q: npt.ArrayLike, samples: int | None = None) -> Array:
        """∇L(Q), (d, d); see ``loss_and_gradient``."""
        return self.loss_and_gradient(Q, samples)[1]

    @np.errstate(under="ignore")
    def loss_and_gradient(self, Q: npt.ArrayLike, samples: int | None = None) -> tuple[float, Array]:
        """L(Q) and ∇L(Q). Exact, unless sampled.

        Parameters
        ----------
        Q : (d, d) array
            Finite.
        samples : int, optional
            Average over so many samples, new ones at every call, by the model's own generator: an unbiased estimate.
            By default over the population: every cluster, mask and latent value.

        Raises
        ------
        ValueError
            If Q has another shape or its scores are not finite, or the population is too large to enumerate.
        """
        Q = self._checked(Q)
        with pool_of(self.threads) as pool, np.errstate(over="ignore", invalid="ignore"):
            losses, gradient = self._evaluate(Q, samples, pool)
        accept(bool(np.isfinite(gradient).all()), "max |Q|", float(np.abs(Q).max()), "so small that scores are finite")
        return float(losses.sum()), gradient

    @np.errstate(under="ignore")
    def attention(self, Q: npt.ArrayLike, cluster: int = 0, latent: Any = None) -> Array:
        """Attention of every query on every patch, where the query alone is masked.

        Parameters
        ----------
        Q : (d, d) array
            Finite.
        cluster : int
            The cluster of the sample.
        latent : float or (N_k,) array, optional
            What every area shows; by default the value of the law, where it has but one.

        Returns
        -------
        (P, P) array
            Rows are queries, and sum to 1. Exact.

        Raises
        ------
        ValueError
            If an argument is out of range, the law has several values, or scores are not finite.
        """
        Q, cluster = self._checked(Q), whole_number("cluster", cluster, 0, len(self._columns) - 1)
        features = self._directions[self._columns[cluster]]
        shown = self.setting.law.shown(latent, len(features))[:, None] * features
        with np.errstate(over="ignore", invalid="ignore"):
            rows = self.positions @ Q
            score = rows @ (shown[self._area_of[cluster]] + self.positions).T
            np.fill_diagonal(score, (rows * self.positions).sum(axis=1))  # a masked query shows nothing
        accept(bool(np.isfinite(score).all()), "max |Q|", float(np.abs(Q).max()), "so small that scores are finite")
        attention = np.exp(score - score.max(axis=1, keepdims=True))
        return attention / attention.sum(axis=1, keepdims=True)

    def to_basis(self, Q: npt.ArrayLike) -> Array:
        """Q given in the coordinate basis, (d, d), in the basis of this model."""
        return self._directions.T @ self._checked(Q) @ self._directions

    def correlations(self, Q: npt.ArrayLike) -> tuple[Array, Array]:
        """Φ_{p→v} = e_pᵀQv, (P, Σ N_k), and Υ_{p→q} = e_pᵀQe_q, (P, P)."""
        Q, patches, used = self._checked(Q), len(self.positions), len(self.positions) + len(self.features)
        rows = Q[:patches] if self.basis == "coordinates" else self.positions @ Q @ self._directions.T
        return rows[:, patches:used].copy(), rows[:, :patches].copy()

    def off_manifold(self, Q: npt.ArrayLike) -> float:
        """Largest absolute entry of what Q, or a gradient, holds beside its e_p vᵀ and e_p e_qᵀ."""
        Q, kept = self._checked(Q), np.vstack([self.positions, self.features])
        return float(np.abs(Q - self.positions.T @ (self.positions @ Q @ kept.T) @ kept).max())

    @np.errstate(under="ignore")
    def train(
        self,
        step_size: float,
        steps: int,
        samples: int | None = None,
        every: int = 1,
        start: npt.ArrayLike | Training | None = None,
        progress: bool = False,
    ) -> Training:
        """Gradient descent Q ← Q − η∇L from Q = 0.

        Parameters
        ----------
        step_size, steps : float, int
            η > 0, and how many steps: 0 or more.
        samples : int, optional
            Samples of each gradient; by default the population.
        every : int
            Record every so many steps, and always the first and the last.
        start : (d, d) array or Training, optional
            Where to begin. A Training of this model goes on at its own step size and samples: n steps, then m, are
            n + m, bit for bit (if sampled: when this model drew nothing else in between).
        progress : bool
            Show a progress bar.

        Raises
        ------
        ValueError, TrainingDiverged
            If an argument is out of range or the records would not fit in memory; if Q is no longer finite.
        """
        true_or_false("progress", progress)
        step_size = positive("step_size", step_size)
        steps, every = whole_number("steps", steps, 0, MOST_STEPS), min(whole_number("every", every, 1), MOST_STEPS)
        samples = None if samples is None else whole_number("samples", samples, 1, MOST_DRAWN)
        before, Q, began = 0, self.initial, "Q = 0" if start is None else "a Q"
        if isinstance(start, Training):
            same = start.model is self and (start.step_size, start.samples) == (step_size, samples)
            accept(same, "start", "Training", "one of this model, step size and samples; or its .Q")
            before, Q, began = start.steps, start.Q, "a training"
        elif start is not None:
            Q = self._checked(start)
        count, patches, features = -(-steps // every) + 1, len(self.positions), len(self.features)
        accept_records(count * patches * (features + patches + 1), every)
        self._say_what_is_faster(steps, samples)
        fp, pp, losses = (np.empty((count, patches, n)) for n in (features, patches, 1))
        with pool_of(self.threads) as pool, np.errstate(over="ignore", invalid="ignore"):
            ahead = range(steps + 1)
            for step in progress_of(ahead, "training", steps, unit="step") if progress else ahead:
                state = self._generator.bit_generator.state
                of_query, gradient = self._evaluate(Q, samples, pool)
                if step % every == 0 or step == steps:
                    i = -(-step // every)
                    (fp[i], pp[i]), losses[i, :, 0] = self.correlations(Q), of_query
                following = Q - step_size * gradient
                if step == steps or not np.isfinite(following).all():
                    break
                Q = following
            t = step_size * (before + np.minimum(np.arange(i + 1.0) * every, step))
        self._generator.bit_generator.state = state  # what the last record saw, a training that goes on sees again
        records = t, fp[: i + 1], pp[: i + 1], losses[: i + 1, :, 0]
        training = Training(*records, Q, self, step_size, before + step, samples, every, began)
        if step < steps:
            raise TrainingDiverged(f"Q is not finite after {before + step + 1} steps of {step_size=}", training)
        return training

    def _say_what_is_faster(self, steps: int, samples: int | None) -> None:
        """A line on stderr, once a process, before a long training in the basis that is there to be independent."""
        from tqdm import tqdm

        patches, masked = len(self.positions), int(self.setting.masked)
        if self.basis == "coordinates" or patches < LARGE or _said:
            return
        drawn = count_population(self.setting) if samples is None else samples
        seconds = DENSE_SECONDS * steps * drawn * masked * patches * self.dimension
        if seconds > LONG:
            faster = 'basis="coordinates" gives the same numbers, to rounding, 10 to 40 times as fast'
            _said.append(f'basis="random" will take some {number(seconds, 2)} s: {faster}')
            tqdm.write(_said[-1], file=sys.stderr)  # no warning, which some make an error

    def _checked(self, Q: npt.ArrayLike) -> Array:
        """Q as a (d, d) array of finite numbers."""
        Q = real_array(Q)
        accept(Q.shape == (self.dimension,) * 2, "Q.shape", Q.shape, f"{(self.dimension,) * 2}")
        accept(bool(np.isfinite(Q).all()), "Q", Q[~np.isfinite(Q)][:3].tolist(), "finite numbers")
        return Q

    def _samples(self, samples: int | None) -> Iterable[Samples]:
        """New draws, or the population: kept where it is small, refused where it is too large."""
        if samples is not None:
            return draw(self.setting, whole_number("samples", samples, 1, MOST_DRAWN), self._generator)
        if self._stored is None:
            if count_population(self.setting) > MOST_STORED:
                return population(self.setting)
            self._stored = list(population(self.setting))
        return self._stored

    def _evaluate(self, Q: Array, samples: int | None, pool: Executor | None) -> tuple[Array, Array]:
        """Every query's share of the loss, (P,), and ∇L, (d, d)."""
        patches, coordinates, values = len(self.positions), self.basis == "coordinates", self.setting.law.values
        rows = Q[:patches] if coordinates else self.positions @ Q
        by_areas = coordinates and separable(rows[:, :patches], rows[:, patches:], values.max())
        clusters: list[Plain | ByAreas] = [
            ByAreas(rows, columns, area_of, values)
            if by_areas
            else Plain(rows, self.positions, self._directions[columns], area_of)
            for area_of, columns in zip(self._area_of, self._columns, strict=True)
        ]
        blocks = (block for batch in self._samples(samples) for block in batch.blocks(clusters[batch.k].width))
        sums: dict[int, list[Array]] = {}
        for k, parts in in_order(lambda one: (one.k, clusters[one.k].of_block(one)), blocks, pool, self.threads):
            for total, part in zip(sums.setdefault(k, parts), parts, strict=True):
                if total is not part:
                    total += part
        losses, d_rows = np.zeros(patches), np.zeros_like(rows)
        for k, parts in sums.items():
            share, d_share = clusters[k].gradient(*parts)
            losses += share
            d_rows += d_share
        rest = np.zeros((self.dimension - patches, self.dimension))
        return losses, np.vstack([d_rows, rest]) if coordinates else self.positions.T @ d_rows
