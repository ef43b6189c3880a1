"""The finite model: a one-layer softmax transformer, trained by back-propagation through its matrices.

The witness of the reduction: NumPy only, and nothing in here knows of the derived rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from dynamics.errors import (
    MOST_BYTES,
    MOST_STEPS,
    accept,
    accept_records,
    choice,
    positive,
    real_array,
    whole_number,
)
from dynamics.geometry import Array, Indices
from dynamics.samples import Samples, count_population, draw, population
from dynamics.setting import Setting
from dynamics.training import Training

Basis = Literal["random", "coordinates"]

MOST_STORED = 2**18  # samples of a population that is kept
MOST_DRAWN = 10**12  # samples: years
MOST_DIMENSIONS = math.isqrt(MOST_BYTES // 8)


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

    Attributes
    ----------
    positions, features : (P, d), (Σ N_k, d) arrays
        e_p, and v_{k,m} cluster after cluster.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __init__(self, setting: Setting, seed: int = 0, dimension: int | None = None, basis: Basis = "random") -> None:
        accept(isinstance(setting, Setting), "setting", setting, "a Setting")
        geometry = setting.geometry
        accept(geometry.area_of is not None, "geometry", "scaling", "patches that can be counted")
        assert geometry.area_of is not None
        patches, ends = geometry.area_of.shape[1], geometry.area_of.shape[1] + np.cumsum(geometry.areas)
        choice("basis", basis, get_args(Basis))
        self.setting, self.seed, self.basis = setting, whole_number("seed", seed, 0), basis
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
        with np.errstate(over="ignore", invalid="ignore"):
            losses, gradient = self._evaluate(Q, samples)
        accept(bool(np.isfinite(gradient).all()), "max |Q|", float(np.abs(Q).max()), "so small that scores are finite")
        return float(losses.sum()), gradient

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
        from tqdm import tqdm  # only where a training runs

        step_size = positive("step_size", step_size)
        steps, every = whole_number("steps", steps, 0, MOST_STEPS), min(whole_number("every", every, 1), MOST_STEPS)
        samples = None if samples is None else whole_number("samples", samples, 1, MOST_DRAWN)
        before, Q = 0, self.initial
        if isinstance(start, Training):
            same = start.model is self and (start.step_size, start.samples) == (step_size, samples)
            accept(same, "start", "Training", "one of this model, step size and samples; or its .Q")
            before, Q = start.steps, start.Q
        elif start is not None:
            Q = self._checked(start)
        count, patches, features = -(-steps // every) + 1, len(self.positions), len(self.features)
        accept_records(count * patches * (features + patches + 1), every)
        fp, pp, losses = (np.empty((count, patches, n)) for n in (features, patches, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            for step in tqdm(range(steps + 1), "training", steps, unit="step", disable=not progress):
                state = self._generator.bit_generator.state
                of_query, gradient = self._evaluate(Q, samples)
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
        training = Training(*records, Q, self, step_size, before + step, samples)
        if step < steps:
            raise TrainingDiverged(f"Q is not finite after {before + step + 1} steps of {step_size=}", training)
        return training

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

    def _evaluate(self, Q: Array, samples: int | None) -> tuple[Array, Array]:
        """Every query's share of the loss, (P,), and ∇L, (d, d)."""
        patches, coordinates = len(self.positions), self.basis == "coordinates"
        rows = Q[:patches] if coordinates else self.positions @ Q
        losses, d_rows = np.zeros(patches), np.zeros_like(rows)
        separable = coordinates and _separable(rows[:, :patches], rows[:, patches:], self.setting.law.values.max())
        for batch in self._samples(samples):
            area_of, columns = self._area_of[batch.k], self._columns[batch.k]
            if separable:
                part, d_fp, d_pp = _by_areas(rows[:, columns], rows[:, :patches], area_of, batch)
                d_rows[:, columns] += d_fp
                d_rows[:, :patches] += d_pp
            else:
                part, d_part = _plain(rows, self.positions, self._directions[columns], area_of, batch)
                d_rows += d_part
            losses += part
        rest = np.zeros((self.dimension - patches, self.dimension))
        return losses, np.vstack([d_rows, rest]) if coordinates else self.positions.T @ d_rows


def _plain(rows: Array, positions: Array, features: Array, area_of: Indices, batch: Samples) -> tuple[Array, Array]:
    """Loss of each query, (P,), and its gradient in the rows e_pᵀQ, (P, d): the plain transformer, in any basis."""
    patches, d = positions.shape
    losses, d_rows = np.zeros(patches), np.zeros((patches, d))
    for block in batch.blocks(max(1, 2**15 // (patches * d))):
        shown = (block.latent[:, :, None] * features)[:, area_of]
        seen = shown * ~block.masked[:, :, None]
        keys = seen + positions
        query = np.nonzero(block.masked)[1].reshape(len(shown), -1)
        score = rows[query] @ keys.transpose(0, 2, 1)
        attention = np.exp(score - score.max(axis=2, keepdims=True))
        attention /= attention.sum(axis=2, keepdims=True)
        residual = attention @ seen - np.take_along_axis(shown, query[:, :, None], axis=1)
        d_attention = residual @ seen.transpose(0, 2, 1)
        d_score = attention * (d_attention - (attention * d_attention).sum(axis=2, keepdims=True))
        d_query = (block.weight[:, None, None] * d_score) @ keys
        to_patches = np.equal.outer(np.arange(patches), query.ravel()).astype(float)
        losses += to_patches @ (block.weight[:, None] / 2 * (residual**2).sum(axis=2)).ravel()
        d_rows += to_patches @ d_query.reshape(-1, d)
    return losses, d_rows


def _separable(pp: Array, fp: Array, largest: float) -> bool:
    """Whether e^Υ and e^{zΦ} stay finite as separate factors, and so do products and quotients of two of each."""
    spread = np.ptp(pp, axis=1) + largest * (fp.max(axis=1).clip(min=0) - fp.min(axis=1).clip(max=0))
    return bool(spread.max() < 150)


def _by_areas(fp: Array, pp: Array, area_of: Indices, batch: Samples) -> tuple[Array, Array, Array]:
    """Loss of each query, (P,), and its gradient in Φ, (P, N_k), and Υ, (P, P): the same in the coordinate basis.

    One-hot features say which keys share an area: sums over keys become one matrix product an area, and what is left
    to do for every sample and query is per area.
    """
    patches, size, z = len(pp), np.bincount(area_of), batch.latent[0, 0]
    same = bool((batch.latent == z).all())  # then e^{zΦ} goes into the keys, and powers of z come last
    order = np.argsort(area_of, kind="stable")  # areas become slices of patches
    starts = size.cumsum() - size
    parts = [slice(start, start + n) for start, n in zip(starts, size, strict=True)]
    own = area_of[order], np.arange(patches)  # the target area of each query
    e_pp = np.exp(pp - pp.max(axis=1, keepdims=True))[np.ix_(order, order)]
    e_seen = e_pp * np.exp(z * fp[order][:, own[0]]) if same else e_pp
    losses, d_fp, (d_seen, d_masked) = np.zeros(patches), np.zeros(fp.T.shape), np.zeros((2, patches, patches))
    width = max(1, min(2**22 // fp.size, max(64, 2**13 // fp.size)))  # samples that fit the cache, and the memory
    buffers = np.empty((2, len(size), patches, width))
    for block in batch.blocks(width):
        latent, masked = block.latent.T[:, None], block.masked.T[order].astype(float)
        unmasked, weight = 1 - masked, block.weight * z**2 if same else block.weight
        mass, g = buffers[:, :, :, : len(weight)]
        for m, inside in enumerate(parts):
            np.matmul(e_seen[:, inside], unmasked[inside], out=mass[m])
        if not same:
            growth = np.exp(fp.T[:, order, None] * latent)
            mass *= growth
        hit, mass[own] = mass[own], 0  # so that 1 − A_a is a sum of the others: it keeps its digits as A_a → 1
        missed = e_pp @ masked + mass.sum(axis=0)
        inverse = 1 / (missed + hit)
        missed *= inverse
        pull = missed if same else latent[own[0], 0] ** 2 * missed
        gain = mass if same else np.multiply(mass, latent**2, out=g)  # of ½‖F − X‖² by attention, times D
        others = np.einsum("mpb,mpb->pb", mass, gain) * inverse**2
        error = others + pull * missed  # ‖F − X‖²
        mean = others - pull * hit * inverse  # of the gain, over all keys
        scale = masked * weight * inverse
        np.multiply(gain, inverse * scale, out=g)
        g -= mean * scale
        g[own] = -error * scale
        if not same:
            mass[own] = hit
            d_fp += np.einsum("mpb,mpb->mp", mass, g * latent)
            g *= growth
        for m, inside in enumerate(parts):
            d_seen[inside] += unmasked[inside] @ g[m].T
        d_masked += masked @ (mean * scale).T
        losses += (error * masked) @ (weight / 2)
    d_seen *= e_seen.T  # (q, p), here and in d_masked
    if same:
        d_fp = z * np.add.reduceat(d_seen, starts, axis=0)
    back = np.argsort(order)
    return losses[back], d_fp.T[back], (d_seen - e_pp.T * d_masked).T[np.ix_(back, back)]
