"""Forward and back through the transformer, a block of samples at a time; one of its ways to the same numbers each."""

from __future__ import annotations

import numpy as np

from dynamics.geometry import Array, Indices
from dynamics.samples import Samples


class Plain:
    """One cluster at one Q: the plain transformer, in any basis, by the rows e_pᵀQ, (P, d)."""

    def __init__(self, rows: Array, positions: Array, features: Array, area_of: Indices) -> None:
        self.rows, self.positions, self.features, self.area_of = rows, positions, features, area_of
        self.width = max(1, 2**15 // positions.size)

    def of_block(self, block: Samples) -> list[Array]:
        """Loss of each query, (P,), and its gradient in the rows, (P, d)."""
        shown = (block.latent[:, :, None] * self.features)[:, self.area_of]
        seen = shown * ~block.masked[:, :, None]
        keys = seen + self.positions
        query = np.nonzero(block.masked)[1].reshape(len(shown), -1)
        score = self.rows[query] @ keys.transpose(0, 2, 1)
        attention = np.exp(score - score.max(axis=2, keepdims=True))
        attention /= attention.sum(axis=2, keepdims=True)
        residual = attention @ seen - np.take_along_axis(shown, query[:, :, None], axis=1)
        d_attention = residual @ seen.transpose(0, 2, 1)
        d_score = attention * (d_attention - (attention * d_attention).sum(axis=2, keepdims=True))
        d_query = (block.weight[:, None, None] * d_score) @ keys
        to_patches = np.equal.outer(np.arange(len(self.rows)), query.ravel()).astype(float)
        losses = to_patches @ (block.weight[:, None] / 2 * (residual**2).sum(axis=2)).ravel()
        return [losses, to_patches @ d_query.reshape(-1, self.rows.shape[1])]

    def gradient(self, losses: Array, d_rows: Array) -> tuple[Array, Array]:
        """The same, of sums over blocks."""
        return losses, d_rows


def separable(pp: Array, fp: Array, largest: float) -> bool:
    """Whether e^Υ and e^{zΦ} stay finite as separate factors, and so do products and quotients of two of each."""
    spread = np.ptp(pp, axis=1) + largest * (fp.max(axis=1).clip(min=0) - fp.min(axis=1).clip(max=0))
    return bool(spread.max() < 150)


class ByAreas:
    """The same in the coordinate basis, where the exponents of a score are separable.

    One-hot features say which keys share an area: sums over keys become one matrix product an area, and what is left
    to do for every sample and query is per area. Arrays are (query, sample), which pass through the cache together.
    """

    def __init__(self, rows: Array, columns: slice, area_of: Indices, values: Array) -> None:
        self.rows, self.columns = rows, columns
        size, self.order = np.bincount(area_of), np.argsort(area_of, kind="stable")  # areas become slices of patches
        self.starts = size.cumsum() - size
        self.parts = [slice(start, start + n) for start, n in zip(self.starts, size, strict=True)]
        self.fp, self.own = rows[self.order, columns], area_of[self.order]  # and the target area of each query
        pp = rows[:, : len(rows)]
        e_pp = np.exp(pp - pp.max(axis=1, keepdims=True))
        self.e_pp = self.e_seen = e_pp[self.order].take(self.order, axis=1)
        self.z = values[0] if len(values) == 1 else None  # then e^{zΦ} goes into the keys, and powers of z come last
        if self.z is not None:
            self.e_seen = self.e_pp * np.exp(self.z * self.fp).take(self.own, axis=1)
        self.width = max(1, min(2**22 // self.fp.size, max(128, 2**14 // self.fp.size)))  # that fit cache and memory

    def of_block(self, block: Samples) -> list[Array]:
        """Losses, (P,), and parts of the gradient: in Φ, (N_k, P), and in e^Υ of unmasked and of masked q, (q, p)."""
        law, latent, masked = self.z is None, block.latent.T, block.masked.T[self.order].astype(float)
        unmasked, missed, others = 1 - masked, self.e_pp @ masked, np.zeros_like(masked)
        hit, work, mass, growth = np.empty_like(masked), np.empty_like(masked), [], []
        for z, fp, inside in zip(latent, self.fp.T, self.parts, strict=True):
            seen = self.e_seen[:, inside] @ unmasked[inside]
            mass.append(seen)
            if law:
                growth.append(np.exp(np.multiply.outer(fp, z)))
                seen *= growth[-1]
            hit[inside], seen[inside] = seen[inside], 0  # so that 1 − A_a is a sum: it keeps its digits as A_a → 1
            missed += seen
            shown = np.multiply(seen, z, out=work) if law else seen
            others += np.multiply(shown, shown, out=work)
        inverse = 1 / (missed + hit)
        missed *= inverse
        others *= inverse**2
        pull = latent[self.own] ** 2 * missed if law else missed
        error = others + pull * missed  # ‖F − X‖²
        mean = others - pull * hit * inverse  # over all keys, of the gain: of ½‖F − X‖² by attention
        weight = masked * block.weight
        error *= weight
        losses = error.sum(axis=1) / 2
        weight *= inverse
        mean *= weight
        weight *= inverse
        error *= -inverse
        d_fp, (d_seen, d_masked) = np.zeros(self.fp.T.shape), np.empty((2, *self.e_pp.shape))
        for m, (seen, inside) in enumerate(zip(mass, self.parts, strict=True)):
            g = np.multiply(seen, weight, out=work)
            if law:
                g *= latent[m] ** 2
            g -= mean
            g[inside] = error[inside]
            if law:
                seen[inside] = hit[inside]
                seen *= g
                d_fp[m] = seen @ latent[m]
                g *= growth[m]
            np.matmul(unmasked[inside], g.T, out=d_seen[inside])
        return [losses, d_fp, d_seen, np.matmul(masked, mean.T, out=d_masked)]

    def gradient(self, losses: Array, d_fp: Array, d_seen: Array, d_masked: Array) -> tuple[Array, Array]:
        """Loss of each query, (P,), and its gradient in the rows, (P, d), of sums over blocks."""
        d_rows, back, square = np.zeros_like(self.rows), np.argsort(self.order), 1.0
        d_seen = d_seen * self.e_seen.T
        if self.z is not None:
            square, d_fp = self.z**2, self.z**3 * np.add.reduceat(d_seen, self.starts, axis=0)
        d_pp = square * (d_seen - self.e_pp.T * d_masked)
        d_rows[:, self.columns], d_rows[:, : len(back)] = d_fp.T[back], d_pp.T[back].take(back, axis=1)
        return square * losses[back], d_rows
