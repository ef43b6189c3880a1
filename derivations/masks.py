"""Masks: how many patches of each class a mask leaves, and what it hides for good.

A mask is a set of M = γP patches, each such set as likely as any other; the query is one of them.

1. The unmasked counts of the classes, given that the query is masked, follow a multivariate hypergeometric law
   (``occupancy-law``): it chooses in each class on its own, among all choices of P − M from P − 1. Classes counted
   together are one class (``occupancy-merges``), so the law sums to one for any number of them, and one class against
   all others gives its mean (``mean-occupancy``).
2. Given the counts, every patch of a class is unmasked with the same probability (``patch-given-counts``): the mean
   rates of two patches of a class are equal, and are the rate of the class (``class-rate``). So Υ, equal within
   each class at Q = 0, stays so.
3. An area is wholly masked with a known probability, and then no training can reconstruct it (``loss-floor``).

Exact. Source: arXiv 2403.02233, the sections on the random masking and on the optimal loss.
"""

from __future__ import annotations

import itertools
import random
from functools import cache

import sympy as sp

from derivations.proof import Checked, DerivationError
from derivations.statements import Result, Step, states
from derivations.symbols import K, N, P, S, area_size, k, m, masked, n, s, square, u, u1, weight

_PAPER = "paper, the random masking of the setup and the concentration of the masked counts"
_area_is_masked = sp.Function("Pr_masked")  # of the size of an area: probability that all of it is masked
_chance = sp.Function("Pr")  # of the counts u: their probability, given that the query is masked


def _by_gamma(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same by SymPy's sums of binomials, which are Gauss' sum of a hypergeometric series."""
    size, rest, seen = sp.symbols("size rest seen", integer=True, positive=True)
    numbers = {n[s]: size} if before.has(n[s]) else {n[1]: size, n[2]: rest}
    numbers |= {P: size + rest + 1, masked: size + rest + 1 - seen, u[s]: seen}
    first, second = (side.subs(numbers, simultaneous=True).doit() for side in (before, after))
    # SymPy sets apart the case of no other patch, where nothing is left to sum.
    first, second = (side.replace(sp.Piecewise, lambda *cases: cases[0][0]) for side in (first, second))
    ratio = sp.gammasimp((first / second).rewrite(sp.gamma))
    if ratio != 1 and sp.simplify(ratio) != 1:
        raise DerivationError(f"before is {sp.simplify(ratio)} times after")
    return Checked("symbolic")


def _by_counting(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same where probabilities are counted over all masks, for random sizes of classes, areas and masks."""
    generator, counted = random.Random(0), 0
    written = {x: [side.subs({S: x, N: 2, K: 2}).doit() for side in (before, after)] for x in (2, 3)}
    for _ in range(21):
        sizes = [generator.randint(0, 2) for _ in range(generator.randint(2, 3))]
        patches = sum(sizes) + 1
        number_masked = generator.randint(1, patches)
        where: dict[sp.Expr, sp.Integer] = {P: sp.Integer(patches), masked: sp.Integer(number_masked)}
        where |= {n[x]: sp.Integer(size) for x, size in enumerate(sizes, 1)}
        places = itertools.product((1, 2), (1, 2))
        where |= {area_size[place]: sp.Integer(generator.randint(0, patches)) for place in places}
        sides = [side.xreplace(where) for side in written[len(sizes)]]
        whole = [_whole_by_masks(size, patches, number_masked) for size in range(patches + 1)]
        for counts, chance in _law_by_masks(sizes, number_masked).items():
            at = {u[x]: sp.Integer(count) for x, count in enumerate(counts, 1)}
            at |= {_chance(u[s]): chance} | {_area_is_masked(size): value for size, value in enumerate(whole)}
            first, second = (side.xreplace(at).doit() for side in sides)
            if sp.expand(first - second) != 0:
                raise DerivationError(f"{first} before, {second} after, at classes {sizes}, {number_masked} masked")
            counted += 1
            if not before.has(_chance):
                break
    return Checked("all masks counted", counted)


def _law_by_masks(sizes: list[int], number_masked: int) -> dict[tuple[int, ...], sp.Rational]:
    """Probability of every vector of unmasked counts, by going through all masks that hold the query, patch 0."""
    classes = [x for x, size in enumerate(sizes) for _ in range(size)]
    found = dict.fromkeys(itertools.product(*(range(size + 1) for size in sizes)), 0)
    masks = list(itertools.combinations(range(len(classes)), number_masked - 1))
    for mask in masks:
        unmasked = [classes[x] for x in range(len(classes)) if x not in mask]
        found[tuple(unmasked.count(x) for x in range(len(sizes)))] += 1
    possible = {counts: number for counts, number in found.items() if sum(counts) == len(classes) + 1 - number_masked}
    return {counts: sp.Rational(number, len(masks)) for counts, number in possible.items()}


@cache
def _whole_by_masks(size: int, patches: int, number_masked: int) -> sp.Rational:
    """Probability that the first `size` patches are all masked, by going through all masks."""
    masks = list(itertools.combinations(range(patches), number_masked))
    return sp.Rational(sum(set(range(size)) <= set(mask) for mask in masks), len(masks))


@states
def occupancy_law() -> Result:
    """The unmasked counts of the classes, given that the query is masked, are multivariate hypergeometric."""
    before = _chance(u[s])
    after = sp.Product(sp.binomial(n[s], u[s]), (s, 1, S)) / sp.binomial(P - 1, masked - 1)
    return Result(
        name="occupancy-law",
        title="The occupancy law: unmasked counts of the classes, given that the query is masked",
        statement=sp.Eq(before, after),
        steps=(
            Step("masks that hold the query, with these counts, over all that hold it", before, after, _by_counting),
        ),
        exactness="exact",
        reference=f"theory §3 (classes); {_PAPER}",
        uses=("exchangeable-patches",),
        assumptions=("masks are drawn uniformly among the sets of M patches", "P = 1 + Σ n_s, P − M = Σ u_s"),
    )


@states
def occupancy_merges() -> Result:
    """Two classes counted together are one class: so the law sums to one, class by class."""
    both = P - masked
    before = sp.Sum(sp.binomial(n[1], u1) * sp.binomial(n[2], both - u1), (u1, 0, both))
    after = sp.binomial(n[1] + n[2], both)
    return Result(
        name="occupancy-merges",
        title="Two classes counted together are one class; class by class, the occupancy law sums to one",
        statement=sp.Eq(before, after),
        steps=(Step("Vandermonde", before, after, _by_gamma),),
        exactness="exact",
        reference=f"theory §3 (classes); {_PAPER}",
        uses=("occupancy-law",),
    )


@states
def mean_occupancy() -> Result:
    """The mean unmasked count of a class, given that the query is masked."""
    others = sp.binomial(P - 1 - n[s], P - masked - u1)
    before = sp.Sum(u1 * sp.binomial(n[s], u1) * others, (u1, 0, P - masked)) / sp.binomial(P - 1, masked - 1)
    after = n[s] * (P - masked) / (P - 1)
    return Result(
        name="mean-occupancy",
        title="The mean unmasked count of a class, given that the query is masked",
        statement=sp.Eq(before, after),
        steps=(Step("all other classes counted together, then Vandermonde", before, after, _by_gamma),),
        exactness="exact",
        reference=f"theory §5 (counts at their mean); {_PAPER}",
        uses=("occupancy-law", "occupancy-merges"),
    )


@states
def patch_given_counts() -> Result:
    """Given how many patches of a class are unmasked, any one of them is with the same probability."""
    before = sp.binomial(n[s] - 1, u[s] - 1) / sp.binomial(n[s], u[s])
    return Result(
        name="patch-given-counts",
        title="Given the counts, any patch of a class is unmasked with the same probability",
        statement=sp.Eq(before, u[s] / n[s]),
        steps=(Step("choices that hold the patch, over all choices", before, u[s] / n[s], _by_gamma),),
        exactness="exact",
        reference=f"theory §3 (classes); {_PAPER}",
        uses=("exchangeable-patches", "class-rate", "occupancy-law"),
        assumptions=("masks are drawn uniformly among the sets of M patches",),
    )


@states
def loss_floor() -> Result:
    """L*: what an area that is wholly masked must cost."""

    def floor(whole: sp.Expr) -> sp.Expr:
        of_area = area_size[k, m] * square[k, m] * whole / 2
        return sp.Sum(weight[k] * sp.Sum(of_area, (m, 1, N)), (k, 1, K))

    size = area_size[k, m]
    before = floor(_area_is_masked(size))
    after = floor(sp.binomial(P - size, masked - size) / sp.binomial(P, masked))
    return Result(
        name="loss-floor",
        title="The infimum L* of the loss: each patch of an area that is wholly masked",
        statement=sp.Eq(before, after),
        steps=(Step("masks that hold the whole area, over all", before, after, _by_counting),),
        exactness="exact",
        reference="theory §3 (infimum of the loss); paper, the optimal loss L*",
        uses=("query-loss-of-attention",),
        assumptions=(
            "masks are drawn uniformly among the sets of M patches",
            "ζ is the mean of z²; a cluster of fewer than N areas has empty ones",
            "that the loss is never below, but comes as near as one likes: loss-above-floor, floor-is-approached",
        ),
    )
