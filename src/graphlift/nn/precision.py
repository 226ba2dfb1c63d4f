"""How precisely products of matrices are taken in training."""

import torch


def rounds_products(device: torch.device) -> bool:
    """Whether factors of products, and products, are rounded to bfloat16 here.

    They are where torch's precision of float32 products is ``medium`` and the processor multiplies
    bfloat16 faster. By itself torch heeds that setting on processors with AMX alone; others with
    AVX-512 have such products, too. Sums are in float32.
    """
    if device.type != "cpu" or torch.get_float32_matmul_precision() != "medium":
        return False
    able = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # not public
    return able is not None and bool(able())
