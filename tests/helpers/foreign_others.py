"""More published networks, in NumPy joint by joint, and made-up weights of theirs.

Names, shapes and arithmetic as in ZhimingZo/HGCN, Graformer/GraFormer, garyzhao/SemGCN
(main_linear.py) and vefalun/HTNet. Nothing here knows of the library under test.
"""

import math

import numpy as np
from helpers.foreign_networks import linked, modulated, normalised, whole_self


def softmax_of(mask, e):
    """Entries of a mask row by row hold e, all others nothing, softmax over a row."""
    powers = np.zeros(mask.shape)
    powers[mask] = np.exp(e[0])
    return powers / powers.sum(axis=1, keepdims=True)


def hops(joints):
    """I, A, A² and A³ where they are not zero, A without self-connections."""
    step = (linked(joints) & ~np.eye(joints, dtype=bool)).astype(int)
    return [np.linalg.matrix_power(step, k) > 0 for k in range(4)]


def high_order_conv(p, name, x):
    sums = []
    for k, mask in enumerate(hops(x.shape[1])):
        a = softmax_of(mask, p[f"{name}.e_{k}"])
        out = np.zeros((*x.shape[:2], p[f"{name}.W"].shape[-1]))
        for i in range(x.shape[1]):
            for j in np.flatnonzero(mask[i]):
                out[:, i] += a[i, j] * (x[:, j] @ p[f"{name}.W"][k])
        sums.append(out)
    if out.shape[-1] == 3:
        return sum(sums) + p[f"{name}.bias_2"]
    return np.concatenate(sums, axis=-1) + p[f"{name}.bias"]


def high_order(p, x, blocks):
    def layer(name, h):
        return np.maximum(normalised(p, f"{name}.bn", high_order_conv(p, f"{name}.gconv", h)), 0)

    h = layer("gconv_input.0", x)
    for block in range(blocks):
        name = f"gconv_layers.{block}"
        h = h + layer(f"{name}.gconv2", layer(f"{name}.gconv1", h))
    return high_order_conv(p, "gconv_output", h)


def high_order_weights(rng, *, joints=16, channels=4, blocks=2):
    state = {}

    def put_conv(name, before, after):
        state[f"{name}.W"] = rng.normal(scale=0.5, size=(4, before, after))
        for k, mask in enumerate(hops(joints)):
            state[f"{name}.e_{k}"] = rng.normal(size=(1, mask.sum()))
        state[f"{name}.bias"] = rng.normal(size=4 * after)
        state[f"{name}.bias_2"] = rng.normal(size=after)

    def put_layer(name, before):
        put_conv(f"{name}.gconv", before, channels)
        for part in ("weight", "bias", "running_mean"):
            state[f"{name}.bn.{part}"] = rng.normal(size=4 * channels)
        state[f"{name}.bn.running_var"] = rng.uniform(0.5, 2, 4 * channels)
        state[f"{name}.bn.num_batches_tracked"] = np.array(7)

    put_layer("gconv_input.0", 2)
    for block in range(blocks):
        for half in (1, 2):
            put_layer(f"gconv_layers.{block}.gconv{half}", 4 * channels)
    put_conv("gconv_output", 4 * channels, 3)
    return state


def chebyshev_conv(p, name, x):
    """L of the row-normalised graph, which has degree 1 everywhere: I − D⁻¹(A + I)."""
    graph = linked(x.shape[1]) / linked(x.shape[1]).sum(axis=1, keepdims=True)
    degree = np.diag(graph.sum(axis=1) ** -0.5)
    itself = np.eye(len(graph))
    L = itself - degree @ graph @ degree
    total = np.zeros((*x.shape[:2], p[f"{name}.weight"].shape[-1]))
    for T, W in zip((itself, L, 2 * L @ L - itself), p[f"{name}.weight"][:, 0], strict=True):
        for i in range(x.shape[1]):
            for j in range(x.shape[1]):
                total[:, i] += T[i, j] * (x[:, j] @ W)
    return total + p[f"{name}.bias"]


def graformer(p, x, blocks, heads=4):
    def line(name, v):
        return v @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def norm(name, v):
        apart = v - v.mean(axis=-1, keepdims=True)
        return (
            p[f"{name}.a_2"] * apart / (v.std(axis=-1, ddof=1, keepdims=True) + 1e-6)
            + (p[f"{name}.b_2"])
        )

    def attention(name, v):
        q, k, values = (line(f"{name}.linears.{n}", v) for n in range(3))
        out, each = np.zeros_like(v), v.shape[-1] // heads
        for head in range(heads):
            at = slice(head * each, (head + 1) * each)
            for i in range(v.shape[1]):
                scores = np.stack(
                    [(q[:, i, at] * k[:, j, at]).sum(-1) for j in range(v.shape[1])], axis=-1
                )
                powers = np.exp(scores / np.sqrt(each))
                shares = powers / powers.sum(axis=-1, keepdims=True)
                for j in range(v.shape[1]):
                    out[:, i, at] += shares[:, [j]] * values[:, j, at]
        return line(f"{name}.linears.3", out)

    def learnt(name, v):
        A = p[f"{name}.A_hat"]
        scale = (A.sum(axis=0) + 1e-5) ** -0.5
        a = scale[:, None] * A * scale[None, :]

        def conv(part, v):
            mixed = np.stack(
                [sum(a[i, j] * v[:, j] for j in range(len(a))) for i in range(len(a))], axis=1
            )
            return line(f"{name}.{part}.fc", mixed)

        return conv("gconv2", np.maximum(conv("gconv1", v), 0))

    h = chebyshev_conv(p, "gconv_input", x)
    for block in range(blocks):
        at, layers = f"atten_layers.{block}", f"gconv_layers.{block}"
        h = h + attention(f"{at}.self_attn", norm(f"{at}.sublayer.0.norm", h))
        h = h + learnt(f"{at}.feed_forward", norm(f"{at}.sublayer.1.norm", h))
        out = np.maximum(chebyshev_conv(p, f"{layers}.gconv1.gconv", h), 0)
        h = h + np.maximum(chebyshev_conv(p, f"{layers}.gconv2.gconv", out), 0)
    return chebyshev_conv(p, "gconv_output", h)


def graformer_weights(rng, *, joints=16, channels=8, blocks=2):
    state = {}

    def put_conv(name, before, after):
        state[f"{name}.weight"] = rng.normal(scale=0.2, size=(3, 1, before, after))
        state[f"{name}.bias"] = rng.normal(size=(1, 1, after))

    def put_line(name, before, after):
        state[f"{name}.weight"] = rng.normal(scale=0.3, size=(after, before))
        state[f"{name}.bias"] = rng.normal(size=after)

    put_conv("gconv_input", 2, channels)
    for block in range(blocks):
        at = f"atten_layers.{block}"
        for part in range(4):
            put_line(f"{at}.self_attn.linears.{part}", channels, channels)
        for part in ("sublayer.0.norm.a_2", "sublayer.0.norm.b_2", "sublayer.1.norm.a_2",
                     "sublayer.1.norm.b_2"):  # fmt: skip
            state[f"{at}.{part}"] = rng.normal(size=channels)
        near = rng.uniform(-0.02, 0.05, size=(joints, joints))
        state[f"{at}.feed_forward.A_hat"] = np.eye(joints) + near
        put_line(f"{at}.feed_forward.gconv1.fc", channels, 2 * channels)
        put_line(f"{at}.feed_forward.gconv2.fc", 2 * channels, channels)
        for half in (1, 2):
            put_conv(f"gconv_layers.{block}.gconv{half}.gconv", channels, channels)
    put_conv("gconv_output", channels, 3)
    return state


def martinez(p, x, blocks):
    """Without the hip, which is padded with zeros when it is evaluated."""

    def layer(linear, norm, h):
        out = np.stack([p[f"{linear}.weight"] @ v + p[f"{linear}.bias"] for v in h])
        return np.maximum(normalised(p, norm, out), 0)

    h = layer("w1", "batch_norm1", x.reshape(len(x), -1))
    for block in range(blocks):
        at = f"linear_stages.{block}"
        y = layer(f"{at}.w1", f"{at}.batch_norm1", h)
        h = h + layer(f"{at}.w2", f"{at}.batch_norm2", y)
    others = (h @ p["w2.weight"].T + p["w2.bias"]).reshape(len(x), -1, 3)
    return np.concatenate([np.zeros((len(x), 1, 3)), others], axis=1)


def martinez_weights(rng, *, joints=16, channels=8, blocks=2):
    state = {}

    def put(name, before, after):
        state[f"{name}.weight"] = rng.normal(scale=0.3, size=(after, before))
        state[f"{name}.bias"] = rng.normal(size=after)

    def put_norm(name):
        for part in ("weight", "bias", "running_mean"):
            state[f"{name}.{part}"] = rng.normal(size=channels)
        state[f"{name}.running_var"] = rng.uniform(0.5, 2, channels)
        state[f"{name}.num_batches_tracked"] = np.array(7)

    put("w1", 2 * joints, channels)
    put_norm("batch_norm1")
    for block in range(blocks):
        for half in (1, 2):
            put(f"linear_stages.{block}.w{half}", channels, channels)
            put_norm(f"linear_stages.{block}.batch_norm{half}")
    put("w2", channels, 3 * (joints - 1))
    return state


LIMBS = ((1, 2, 3), (4, 5, 6), (11, 12, 13), (14, 15, 16))
"""Right leg, left leg, left arm, right arm."""


def htnet(p, x, blocks, heads=8):
    def line(name, v):
        return v @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def norm(name, v, eps=1e-5):
        apart = v - v.mean(axis=-1, keepdims=True)
        sd = np.sqrt((apart**2).mean(axis=-1, keepdims=True) + eps)
        return apart / sd * p[f"{name}.weight"] + p[f"{name}.bias"]

    def gelu(v):
        return v * (1 + np.vectorize(math.erf)(v / math.sqrt(2))) / 2

    def mlp(name, v):
        return line(f"{name}.fc2", gelu(line(f"{name}.fc1", v)))

    def conv(name, v):
        a = modulated(whole_self(linked(v.shape[1])), p[f"{name}.adj2"])
        W, out = p[f"{name}.W"], np.zeros((*v.shape[:2], p[f"{name}.bias"].size))
        for i in range(v.shape[1]):
            for j in range(v.shape[1]):
                out[:, i] += a[i, j] * p[f"{name}.M"][j] * (v[:, j] @ W[int(i != j)])
        return out + p[f"{name}.bias"]

    def limbs(name, count, v):
        h = norm(f"{name}.norm_conv{4 - count}", v)
        out, W = h.copy(), p[f"{name}.conv{4 - count}.weight"]
        for limb in LIMBS:
            own = limb[-count:]
            joined = sum(h[:, joint] @ W[:, :, k].T for k, joint in enumerate(own))
            u = gelu(joined + p[f"{name}.conv{4 - count}.bias"])
            at = f"{name}.norm_conv{4 - count}_mlp"
            u = u + mlp(f"{name}.mlp_down_{4 - count}", norm(at, u))
            for joint in own[1:]:
                out[:, joint] = u
        return out

    def attention(name, v):
        q, k, values = np.split(line(f"{name}.qkv", v), 3, axis=-1)
        out, each = np.zeros_like(v), v.shape[-1] // heads
        for head in range(heads):
            at = slice(head * each, (head + 1) * each)
            scores = np.einsum("nic,njc->nij", q[..., at], k[..., at]) / math.sqrt(each)
            shares = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
            out[..., at] = np.einsum("nij,njc->nic", shares, values[..., at])
        return line(f"{name}.proj", out)

    h = line("patch_embed", x) + p["pos_embed"]
    for block in range(blocks):
        at = f"Hiremixer.blocks.{block}"
        first, second, third = np.split(h, 3, axis=-1)
        inner = gelu(conv(f"{at}.lgc.gcn1", norm(f"{at}.lgc.norm_gcn1", first)))
        first = first + norm(f"{at}.lgc.norm_gcn2", conv(f"{at}.lgc.gcn2", inner))
        second = second + first
        second = limbs(f"{at}.ipc", 3, second) + limbs(f"{at}.ipc", 2, second) + second
        third = third + second
        third = third + attention(f"{at}.gbi.attn", norm(f"{at}.gbi.norm_attn", third))
        h = np.concatenate([first, second, third], axis=-1)
        h = h + mlp(f"{at}.mlp", norm(f"{at}.norm_mlp", h, 1e-6))
    return line("fcn", norm("Hiremixer.Temporal_norm", h, 1e-6))


def htnet_weights(rng, *, joints=17, channels=8, blocks=2):
    """The hidden widths of the published 80 channels, 384 and 1024, in proportion."""
    state, C = {"pos_embed": rng.normal(size=(1, joints, 3 * channels))}, channels
    between, full = 24 * C // 5, 64 * C // 5

    def put_line(name, before, after, *kernel):
        state[f"{name}.weight"] = rng.normal(scale=0.2, size=(after, before, *kernel))
        state[f"{name}.bias"] = rng.normal(size=after)

    def put_norm(name, width=C):
        state[f"{name}.weight"] = rng.normal(size=width)
        state[f"{name}.bias"] = rng.normal(size=width)

    def put_mlp(name, width=C):
        put_line(f"{name}.fc1", width, full)
        put_line(f"{name}.fc2", full, width)

    put_line("patch_embed", 2, 3 * C)
    for block in range(blocks):
        at = f"Hiremixer.blocks.{block}"
        for name, before, after in (("gcn1", C, between), ("gcn2", between, C)):
            conv = f"{at}.lgc.{name}"
            state[f"{conv}.W"] = rng.normal(scale=0.2, size=(2, before, after))
            state[f"{conv}.M"] = rng.normal(size=(joints, after))
            state[f"{conv}.adj2"] = rng.normal(scale=0.1, size=(joints, joints))
            state[f"{conv}.bias"] = rng.normal(size=after)
            put_norm(f"{at}.lgc.norm_{name}")
        for k, extent in ((1, 3), (2, 2)):
            put_norm(f"{at}.ipc.norm_conv{k}")
            put_line(f"{at}.ipc.conv{k}", C, C, extent)
            put_norm(f"{at}.ipc.norm_conv{k}_mlp")
            put_mlp(f"{at}.ipc.mlp_down_{k}")
        put_norm(f"{at}.gbi.norm_attn")
        put_line(f"{at}.gbi.attn.qkv", C, 3 * C)
        put_line(f"{at}.gbi.attn.proj", C, C)
        put_norm(f"{at}.norm_mlp", 3 * C)
        put_mlp(f"{at}.mlp", 3 * C)
    put_norm("Hiremixer.Temporal_norm", 3 * C)
    put_line("fcn", 3 * C, 3)
    return state
