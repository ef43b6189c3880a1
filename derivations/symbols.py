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
K = sp.Symbol("K", integer=True, positive=True)  # clusters
d = sp.Symbol("d", integer=True, positive=True)  # dimension of features and positions

# Indices.
j, a, m, l = sp.symbols("j a m l", integer=True, positive=True)  # areas: a the query's target, m and l two others
q, r, i = sp.symbols("q r i", integer=True, positive=True)  # patches
s = sp.Symbol("s", integer=True, positive=True)  # a class of patches
p, k = sp.symbols("p k", integer=True, positive=True)  # query; cluster
b, c, row, column = sp.symbols("b c row column", integer=True, positive=True)  # components of a vector

# The sample.
weight = sp.IndexedBase("pi", nonnegative=True)  # weight[k]: probability of cluster k
z = sp.IndexedBase("z", nonnegative=True)  # z[m]: latent of area m
U = sp.IndexedBase("U", nonnegative=True)  # U[q, m] = 1 where patch q is unmasked and lies in area m, else 0
u = sp.IndexedBase("u", nonnegative=True)  # u[s]: unmasked patches of class s
h = sp.IndexedBase("h", nonnegative=True)  # h[s]: masked patches of class s, the query not counted
area = sp.IndexedBase("area", integer=True)  # area[s]: the area class s lies in
n = sp.IndexedBase("n", integer=True, nonnegative=True)  # n[s]: patches of class s, the query not counted
masked = sp.Symbol("M", integer=True, positive=True)  # masked patches γP, the query among them
C = sp.Symbol("C", integer=True, positive=True)  # patches of one area
copies = sp.Symbol("n'", integer=True, positive=True)  # equal other areas, C patches each
total = sp.Symbol("u_other", integer=True, nonnegative=True)  # unmasked patches in all of them
k1, k2 = sp.symbols("k_1 k_2", integer=True, nonnegative=True)  # orders of moments
u1, u2 = sp.symbols("u_1 u_2", integer=True, nonnegative=True)  # counts of two classes, where they are summed over

# The softmax of one sample as masses: exp(score) of each patch, and their sums.
seen = sp.IndexedBase("a", positive=True)  # seen[s]: mass of an unmasked patch of class s, exp(z Φ + Υ_s)
hidden = sp.IndexedBase("b", positive=True)  # hidden[s]: of a masked one, exp(Υ_s)
own = sp.Symbol("b_self", positive=True)  # of the query itself, which is masked
X = sp.IndexedBase("X", nonnegative=True)  # X[m]: unmasked mass of area m
D = sp.Symbol("D", positive=True)  # the softmax denominator, all mass

# The integral form of a mean over masks and latents.
y = sp.Symbol("y", positive=True)  # the node of the integral (elsewhere s, which is a class here)
mark = sp.Symbol("x", positive=True)  # marks masked patches in a generating function
chance = sp.IndexedBase("w", nonnegative=True)  # chance[m, i]: probability of value i of the latent of area m
value = sp.IndexedBase("c", integer=True)  # value[m]: which of its values the latent of area m takes
seen_power = sp.IndexedBase("i", integer=True, nonnegative=True)  # seen_power[m]: power of the unmasked mass of area m
hidden_power = sp.IndexedBase("j", integer=True, nonnegative=True)  # hidden_power[m]: of the masked mass
J = sp.Symbol("J", integer=True, positive=True)  # values of a latent, or rows of a closure
slope = sp.IndexedBase("f", real=True)  # slope[i, s]: of the loss of row i along s; slope[k]: derivative k
part = sp.IndexedBase("nu", positive=True)  # part[s]: n_s / (P − 1)
frequency = sp.Symbol("omega", positive=True)  # 2π over the step in log y
steer = sp.IndexedBase("t", real=True)  # steer[s]: component of a direction along the count of class s
hidden_part = sp.Symbol("mu", positive=True)  # (M − 1)/(P − 1): masked part of the other patches

# The matrix that is trained.
e = sp.IndexedBase("e", real=True)  # e[q, b]: component b of the position encoding of patch q
v = sp.IndexedBase("v", real=True)  # v[m, b]: of the feature of area m
x = sp.IndexedBase("x", real=True)  # x[q, b]: of the key X̃_q + e_q
Q = sp.IndexedBase("Q", real=True)  # the query–key matrix
W = sp.IndexedBase("W", real=True)  # W[p, b]: its row e_pᵀ Q

# The symmetries and the flow.
shown = sp.IndexedBase("o", integer=True, nonnegative=True)  # shown[q, s] = 1 where patch q of class s is unmasked
shift = sp.Symbol("c_0", real=True)  # one number added to every score
area_size = sp.IndexedBase("C", integer=True, nonnegative=True)  # area_size[k, m]: patches of an area of a cluster
square = sp.IndexedBase("zeta", nonnegative=True)  # square[k, m]: mean of the square of a latent
coordinate = sp.IndexedBase("y", real=True)  # coordinate[i]: a reduced coordinate
mult = sp.IndexedBase("mult", integer=True, positive=True)  # mult[i]: how many correlations share it
rate = sp.IndexedBase("rate", real=True)  # rate[i]: rate of any one of them
coordinates = sp.Symbol("n_y", integer=True, positive=True)  # how many
eta = sp.Symbol("eta", positive=True)  # step size of descent
loss_fp = sp.IndexedBase("L_Phi", real=True)  # loss_fp[p, m]: derivative of L by Φ_m of query p
loss_pp = sp.IndexedBase("L_Upsilon", real=True)  # loss_pp[p, q]: by Υ_q of query p

# The state: correlations of the query.
fp = sp.IndexedBase("Phi", real=True)  # fp[m]: FP correlation of query and area m
pp = sp.IndexedBase("Upsilon", real=True)  # pp[q]: PP correlation of query and patch q, equal within a class: pp[s]
pp_self = sp.Symbol("Upsilon_self", real=True)  # PP correlation of the query and itself

# What the state makes of the sample.
score = sp.IndexedBase("sigma", real=True)  # score[q] of patch q
attn = sp.IndexedBase("attn", nonnegative=True)  # attn[q]: attention of the query on patch q
A = sp.IndexedBase("A", nonnegative=True)  # A[m]: attention on the unmasked patches of area m
R = sp.IndexedBase("R", nonnegative=True)  # R[m] = 1 − A[m], carried as the sum of all other attention

# Large P: mean-field, one cluster, one latent for all areas; see asymptotics.
kappa_c, kappa_s = sp.symbols("kappa_c kappa_s", positive=True)  # a global area has P^κc patches, a local one P^κs
mask_ratio = sp.Symbol("gamma", positive=True)  # masked part of all patches
latent = sp.Symbol("z", positive=True)  # the constant latent
t = sp.Symbol("t", positive=True)  # time of the flow
