"""Every symbol of the theory, once.

A masked patch p, the *query*, sees a sample of one cluster: its areas m = 1..N, target area a among them, and the
patches q = 1..P, which fall into classes s = 1..S of exchangeable ones.
"""

from __future__ import annotations

import sympy as sp

# How many: symbolic, never a number.
P = sp.Symbol("P", integer=True, positive=True)  # patches
N = sp.Symbol("N", integer=True, positive=True)  # areas of the sampled cluster
S = sp.Symbol("S", integer=True, positive=True)  # classes of exchangeable patches

# Indices. `a` is the target area of the query; `m` and `l` are two further, different areas.
j, a, m, l = sp.symbols("j a m l", integer=True, positive=True)
q, r, i = sp.symbols("q r i", integer=True, positive=True)
s = sp.Symbol("s", integer=True, positive=True)

# The sample.
z = sp.IndexedBase("z", nonnegative=True)  # z[m]: latent of area m
U = sp.IndexedBase("U", nonnegative=True)  # U[q, m] = 1 where patch q is unmasked and lies in area m, else 0
u = sp.IndexedBase("u", nonnegative=True)  # u[s], h[s]: unmasked and masked patches of class s, the query not counted
h = sp.IndexedBase("h", nonnegative=True)
area = sp.IndexedBase("area", integer=True)  # area[s]: the area class s lies in

# The state: correlations of the query.
fp = sp.IndexedBase("Phi", real=True)  # fp[m] = Φ_{p→v_m}
pp = sp.IndexedBase("Upsilon", real=True)  # pp[q] = Υ_{p→q}, equal within a class: pp[s]
pp_self = sp.Symbol("Upsilon_self", real=True)

# What the state makes of the sample.
score = sp.IndexedBase("sigma", real=True)  # score[q] of patch q
attn = sp.IndexedBase("attn", nonnegative=True)  # attn[q] = attn_{p→q}
A = sp.IndexedBase("A", nonnegative=True)  # A[m]: attention on the unmasked patches of area m
R = sp.IndexedBase("R", nonnegative=True)  # R[m] = 1 − A[m], carried as the sum of all other attention
