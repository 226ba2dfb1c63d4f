"""How precisely products of matrices are taken in training."""

import torch


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 factors are faster here than those of float32.

    A processor without such products emulates them, at a tenth of the speed of float32 or less.
    """
    if device.type != "cpu":
        return True
    able = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # not public
    return able is not None and bool(able())


def rounds_products(device: torch.device) -> bool:
    """Whether factors of products, and products, are rounded to bfloat16 here.

    They are where torch's precision of float32 products is ``medium`` and the processor multiplies
    bfloat16 faster. By itself torch heeds that setting on processors with AMX alone; others with
    AVX-512 have such products, too. Sums are in float32.
    """
    return (
        device.type == "cpu"
        and torch.get_float32_matmul_precision() == "medium"
        and multiplies_bfloat16(device)
    )
