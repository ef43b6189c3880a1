"""Peers of one gradient of the transformer: other ways to write the same, with the samples given.

Each ``prepare(model, samples)`` returns ``gradient(Q)`` -> (d, d), in the basis of the model and at its dimension, for
samples of one cluster. They share no code with the package but its basis vectors and the labels of the areas.
"""

import numpy as np


def keys_of(model, samples):
    """What every patch would show, X, and with the masked at 0, X̃: (B, P, d) each; and the masked queries, (B, γP)."""
    area_of = model.setting.geometry.area_of[samples.k]
    before = sum(model.setting.geometry.areas[: samples.k])
    shown = samples.latent[:, area_of, None] * model.features[before + area_of]
    query = np.nonzero(samples.masked)[1].reshape(len(shown), -1)
    return shown, shown * ~samples.masked[:, :, None], query


def einsum(model, samples):
    """The transformer as one would write it first: every query attends, by ``np.einsum``."""
    shown, seen, _ = keys_of(model, samples)
    positions, keys = model.positions, seen + model.positions
    weight = (samples.weight[:, None] * samples.masked)[:, :, None]

    def gradient(Q):
        score = np.einsum("pd,de,bqe->bpq", positions, Q, keys, optimize=True)
        attention = np.exp(score - score.max(axis=2, keepdims=True))
        attention /= attention.sum(axis=2, keepdims=True)
        residual = np.einsum("bpq,bqd->bpd", attention, seen, optimize=True) - shown
        d_attention = np.einsum("bpd,bqd->bpq", weight * residual, seen, optimize=True)
        d_score = attention * (d_attention - (attention * d_attention).sum(axis=2, keepdims=True))
        return np.einsum("pd,bpq,bqe->de", positions, d_score, keys, optimize=True)

    return gradient


def masked_rows(model, samples):
    """Only the queries that are in the loss, by batched ``matmul``; in the coordinate basis Q's rows are theirs."""
    shown, seen, query = keys_of(model, samples)
    positions, keys, patches = model.positions, seen + model.positions, len(model.positions)
    target = np.take_along_axis(shown, query[:, :, None], axis=1)
    weight = samples.weight[:, None, None]
    to_patches = np.equal.outer(np.arange(patches), query.ravel()).astype(float)

    def gradient(Q):
        rows = Q[:patches] if model.basis == "coordinates" else positions @ Q
        score = rows[query] @ keys.transpose(0, 2, 1)
        attention = np.exp(score - score.max(axis=2, keepdims=True))
        attention /= attention.sum(axis=2, keepdims=True)
        residual = attention @ seen - target
        d_attention = weight * residual @ seen.transpose(0, 2, 1)
        d_score = attention * (d_attention - (attention * d_attention).sum(axis=2, keepdims=True))
        return positions.T @ (to_patches @ (d_score @ keys).reshape(-1, Q.shape[1]))

    return gradient


def coordinates(model, samples, at_once=8):
    """The same for unit vectors, where scores are Υ + zΦ: a few samples at a time, for the cache."""
    area_of, patches = model.setting.geometry.area_of[samples.k], len(model.positions)
    first = patches + sum(model.setting.geometry.areas[: samples.k])
    of_area = np.equal.outer(area_of, np.arange(model.setting.geometry.areas[samples.k])).astype(float)
    columns = slice(first, first + of_area.shape[1])
    seen = samples.latent[:, area_of] * ~samples.masked
    query = np.nonzero(samples.masked)[1].reshape(len(seen), -1)
    target = np.take_along_axis(samples.latent, area_of[query], axis=1)[:, :, None] * of_area[query]
    blocks = [slice(start, start + at_once) for start in range(0, len(seen), at_once)]
    to_patches = [np.equal.outer(np.arange(patches), query[block].ravel()).astype(float) for block in blocks]

    def gradient(Q):
        pp, fp, total = Q[:patches, :patches], Q[:patches, columns] @ of_area.T, np.zeros_like(Q)
        for block, back in zip(blocks, to_patches, strict=True):
            shown, rows = seen[block, None], query[block]
            score = pp[rows] + fp[rows] * shown
            attention = np.exp(score - score.max(axis=2, keepdims=True))
            attention /= attention.sum(axis=2, keepdims=True)
            residual = (attention * shown) @ of_area - target[block]
            d_attention = samples.weight[block, None, None] * (residual @ of_area.T) * shown
            d_score = attention * (d_attention - (attention * d_attention).sum(axis=2, keepdims=True))
            total[:patches, :patches] += back @ d_score.reshape(-1, patches)
            total[:patches, columns] += back @ (d_score * shown).reshape(-1, patches) @ of_area
        return total

    return gradient


def jax(model, samples, masked_only=False):
    """``jax.jit(jax.grad(loss))`` in double precision; `masked_only` as in ``masked_rows``."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    given = (*keys_of(model, samples), samples.masked, samples.weight, model.positions)
    shown, seen, query, masked, weight, positions = map(jnp.asarray, given)

    def loss(Q, shown, seen, query, masked, weight):
        rows = positions @ Q
        if masked_only:
            rows, shown = rows[query], jnp.take_along_axis(shown, query[:, :, None], axis=1)
        attention = jax.nn.softmax(rows @ (seen + positions).transpose(0, 2, 1), axis=2)
        error = ((attention @ seen - shown) ** 2).sum(axis=2)
        return (weight[:, None] / 2 * (error if masked_only else masked * error)).sum()

    compiled = jax.jit(jax.grad(loss))
    return lambda Q: np.asarray(compiled(Q, shown, seen, query, masked, weight))


PEERS = {
    "einsum": einsum,
    "masked rows": masked_rows,
    "coordinates": coordinates,  # in this basis only
    "jax": jax,
    "jax, masked rows": lambda model, samples: jax(model, samples, masked_only=True),
}
