"""The published codes' networks, in NumPy joint by joint, and made-up weights of theirs.

Names, shapes and arithmetic as in garyzhao/SemGCN, RufusDing/3D-HPE-using-GCN, tamasino52/Any-GCN
and ZhimingZo/Modulated-GCN. Nothing here knows of the library under test.
"""

import numpy as np

PARENTS = {  # VideoPose3D's 17 joints, and those without Neck/Nose
    16: (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14),
    17: (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
}
GROUPS = ((2, 3), (5, 6), (1, 4), (0, 7), (8, 9), (14, 15), (11, 12), (10, 13))
"""SemGCN's pairs of its 16 joints."""


def linked(joints):
    """A + I, as booleans."""
    adjacency = np.eye(joints, dtype=bool)
    for child, parent in enumerate(PARENTS[joints]):
        if parent >= 0:
            adjacency[child, parent] = adjacency[parent, child] = True
    return adjacency


# Affinities


def softmaxed(adjacency, e):
    """SemGCN's: entries of A + I row by row hold e, all others -9e15, softmax over a row."""
    logits = np.full(adjacency.shape, -9e15)
    logits[adjacency] = e[0]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def row_normalised(adjacency):
    return adjacency / adjacency.sum(axis=1, keepdims=True)


def modulated(start, adj2):
    moved = start + adj2
    return (moved + moved.T) / 2


def whole_self(adjacency):
    others = adjacency & ~np.eye(len(adjacency), dtype=bool)
    return row_normalised(others) + np.eye(len(adjacency))


# Graph convolutions: for receiver i and sender j, the affinity and the matrix


def _conv(p, x, affinity, matrix):
    joints = x.shape[1]
    out = np.zeros((*x.shape[:2], len(p["bias"])))
    for i in range(joints):
        for j in range(joints):
            if affinity[i, j]:
                out[:, i] += affinity[i, j] * (x[:, j] @ matrix(i, j))
        out[:, i] += p["bias"]
    return out


def semgcn(p, x):
    a = softmaxed(linked(x.shape[1]), p["e"])
    return _conv(p, x, a, lambda i, j: p["W"][0 if i == j else 1])


def liu_pre(p, x):
    N = x.shape[1]
    a = softmaxed(linked(N), p["e"])
    return _conv(p, x, a, lambda i, j: p["W"][j if i == j else j + N])


def liu_post(p, x):
    N = x.shape[1]
    a = softmaxed(linked(N), p["e"])
    return _conv(p, x, a, lambda i, j: p["W"][i if i == j else i + N])


def any_vanilla(p, x):
    return _conv(p, x, row_normalised(linked(x.shape[1])), lambda i, j: p["W"][0])


def any_dc_vanilla(p, x):
    a = row_normalised(linked(x.shape[1]))
    return _conv(p, x, a, lambda i, j: p["W"][0 if i == j else 1])


def any_pre(p, x):
    return _conv(p, x, row_normalised(linked(x.shape[1])), lambda i, j: p["W"][0][j])


def any_dc_pre(p, x):
    a = row_normalised(linked(x.shape[1]))
    return _conv(p, x, a, lambda i, j: p["W"][0 if i == j else 1][j])


def any_dc_post(p, x):
    a = row_normalised(linked(x.shape[1]))
    return _conv(p, x, a, lambda i, j: p["W"][0 if i == j else 1][i])


def any_convst(p, x):
    """By the triangle of the matrix: 0 itself, 1 sender of the larger index, 2 of the smaller."""
    a = row_normalised(linked(x.shape[1]))
    return _conv(p, x, a, lambda i, j: p["W"][0 if i == j else 1 if j > i else 2])


def any_nosharing(p, x):
    """Sums adj[h, w] x_h W[h, w] over h: the affinity is that of the other direction."""
    a = row_normalised(linked(x.shape[1]))
    return _conv(p, x, a.T, lambda i, j: p["W"][j, i])


def _scaled(p, x, start):
    a = modulated(start, p["adj2"])
    return _conv(p, x, a, lambda i, j: p["W"][0 if i == j else 1] * p["M"][j])


def modulated_gcn(p, x):
    return _scaled(p, x, whole_self(linked(x.shape[1])))


def any_modulated(p, x):
    return _scaled(p, x, row_normalised(linked(x.shape[1])))


SHAPES = {  # leading axes of W; 0 stands for the number of joints, -2 for twice that
    semgcn: (2,),
    liu_pre: (-2,),
    liu_post: (-2,),
    any_vanilla: (1,),
    any_dc_vanilla: (2,),
    any_pre: (1, 0),
    any_dc_pre: (2, 0),
    any_dc_post: (2, 0),
    any_convst: (3,),
    any_nosharing: (0, 0),
    modulated_gcn: (2,),
    any_modulated: (2,),
}
LEARNT = (semgcn, liu_pre, liu_post)
MODULATED = (modulated_gcn, any_modulated)


# The network around them


def normalised(p, name, h):
    """Batch normalisation in evaluation, over the last axis."""
    sd = np.sqrt(p[f"{name}.running_var"] + 1e-5)
    return (h - p[f"{name}.running_mean"]) / sd * p[f"{name}.weight"] + p[f"{name}.bias"]


def linear(p, name, h):
    """A convolution of extent 1."""
    W = p[f"{name}.weight"]
    return h @ W.reshape(W.shape[:2]).T + p[f"{name}.bias"]


def grouped(p, name, x):
    """SemGCN's non-local layer: every joint looks at every pair of joints, max-pooled."""

    def pool(h):
        return np.stack([h[:, list(pair)].max(axis=1) for pair in GROUPS], axis=1)

    g, theta = pool(linear(p, f"{name}.g.0", x)), linear(p, f"{name}.theta", x)
    phi = pool(linear(p, f"{name}.phi.0", x))
    project = p[f"{name}.concat_project.0.weight"].ravel()
    y = np.zeros_like(theta)
    for i in range(x.shape[1]):
        for k in range(len(GROUPS)):
            f = np.concatenate([theta[:, i], phi[:, k]], axis=-1) @ project
            y[:, i] += np.maximum(f, 0)[:, None] / len(GROUPS) * g[:, k]
    return x + normalised(p, f"{name}.W.1", linear(p, f"{name}.W.0", y))


def embedded(p, name, x):
    """The embedded Gaussian: y_i = sum over j of softmax_j(theta_i . phi_j) g_j."""
    g, theta, phi = (linear(p, f"{name}.{part}", x) for part in ("g", "theta", "phi"))
    y = np.zeros_like(g)
    for i in range(x.shape[1]):
        f = np.stack([(theta[:, i] * phi[:, j]).sum(-1) for j in range(x.shape[1])], axis=-1)
        powers = np.exp(f - f.max(axis=-1, keepdims=True))
        shares = powers / powers.sum(axis=-1, keepdims=True)
        for j in range(x.shape[1]):
            y[:, i] += shares[:, [j]] * g[:, j]
    return x + normalised(p, f"{name}.W.1", linear(p, f"{name}.W.0", y))


def run(p, conv, x, *, blocks, non_local="none", attribute="non_local"):
    """The whole network, in evaluation: frames of keypoints in, poses out."""

    def gconv(name, h):
        parts = ("W", "bias", "e", "M", "adj2")
        return conv({q: p[f"{name}.{q}"] for q in parts if f"{name}.{q}" in p}, h)

    def layer(name, h):
        return np.maximum(normalised(p, f"{name}.bn", gconv(f"{name}.gconv", h)), 0)

    h = layer("gconv_input.0", x)
    names = iter(f"gconv_layers.{n}" for n in range(2 * blocks))
    if non_local == "grouped":
        h = grouped(p, f"gconv_input.1.{attribute}", h)
    for _ in range(blocks):
        name = next(names)
        h = h + layer(f"{name}.gconv2", layer(f"{name}.gconv1", h))
        if non_local == "grouped":
            h = grouped(p, f"{next(names)}.{attribute}", h)
    if non_local == "embedded":
        h = embedded(p, "non_local", h)
    return gconv("gconv_output", h)


def weights(
    conv, rng, *, joints=16, channels=6, blocks=2, non_local="none", attribute="non_local"
):
    """A state dict of theirs, with made-up numbers that are not where training starts."""
    state = {}

    def put(name, *shape):
        state[name] = rng.normal(scale=0.5, size=shape)

    def put_norm(name):
        for part in ("weight", "bias", "running_mean"):
            put(f"{name}.{part}", channels)
        state[f"{name}.running_var"] = rng.uniform(0.5, 2, channels)
        state[f"{name}.num_batches_tracked"] = np.array(7)

    def put_conv(name, before, after):
        stack = [{0: joints, -2: 2 * joints}.get(n, n) for n in SHAPES[conv]]
        put(f"{name}.W", *stack, before, after)
        put(f"{name}.bias", after)
        if conv in LEARNT:
            put(f"{name}.e", 1, int(linked(joints).sum()))
        if conv in MODULATED:
            put(f"{name}.M", joints, after)
            put(f"{name}.adj2", joints, joints)

    def put_layer(name, before):
        put_conv(f"{name}.gconv", before, channels)
        put_norm(f"{name}.bn")

    def put_non_local(name, pooled, extent):
        inner = channels // 2
        for part in (f"g{pooled}", "theta", f"phi{pooled}"):
            put(f"{name}.{part}.weight", inner, channels, *extent)
            put(f"{name}.{part}.bias", inner)
        put(f"{name}.W.0.weight", channels, inner, *extent)
        put(f"{name}.W.0.bias", channels)
        put_norm(f"{name}.W.1")

    def put_grouped(name):
        put_non_local(f"{name}.{attribute}", ".0", (1,))
        put(f"{name}.{attribute}.concat_project.0.weight", 1, channels // 2 * 2, 1, 1)

    put_layer("gconv_input.0", 2)
    if non_local == "grouped":
        put_grouped("gconv_input.1")
    step = 2 if non_local == "grouped" else 1
    for block in range(blocks):
        for half in (1, 2):
            put_layer(f"gconv_layers.{block * step}.gconv{half}", channels)
        if non_local == "grouped":
            put_grouped(f"gconv_layers.{block * step + 1}")
    put_conv("gconv_output", channels, 3)
    if non_local == "embedded":
        put_non_local("non_local", "", (1, 1))
    return state
