"""What training minimises."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphlift.nn.bidirectional import Attributed, attribute_loss
from graphlift.nn.build import Said
from graphlift.nn.mixture import Mixture, mixture_loss
from graphlift.nn.ordinal_depth import Ordered, order_loss
from graphlift.preprocessing import FRONT_JOINTS
from graphlift.skeletons import BODY_28

SIGMA_WEIGHT = 0.01
"""m: weight of a unit of log-likelihood in the loss, against a metre of error."""

FRONT_WEIGHT = 0.05
"""m: weight of a front's error, the length of a difference of unit vectors."""

ATTRIBUTE_WEIGHT = 0.01
"""Of a nat of the limbs' attributes in the loss, against a metre, or a square metre, of error."""

ORDER_WEIGHT = 0.01
"""Of a unit of ordinal loss, against a metre, or a square metre, of error. The two reach different
parts of the network, and both optimisers take steps that do not grow with a gradient: it decides
what share the order has of the loss that is printed, and of a norm that is clipped, and else
nothing."""

_WEIGHTS = torch.tensor(
    [
        {"Nose": 0.5, "LEye": 0.3, "REye": 0.3, "LEar": 0.3, "REar": 0.3}.get(
            name, 0.5 if name[1:] in ("BigToe", "SmallToe", "Heel") else 1.0
        )
        for name in BODY_28.joints
    ]
)
"""How much a joint counts: five points of a rigid head less than five joints."""

_FRONTS = torch.from_numpy(BODY_28.index(*FRONT_JOINTS))


def loss_of(kind: str, predicted: Said, target: Tensor) -> Tensor:
    """Mean squared error, m², or mean distance of joints, m; with sigma, its likelihood too.

    A standard deviation σ = exp(s) is learnt as that of the isotropic density ∝ exp(−2d/σ) / σ³ of
    the distance d (each coordinate's variance is then σ²): 2d/σ + 3s, whose gradient does not
    reach d. Targets of six numbers are those of 28 joints (:func:`body_loss`). Where the network
    says of a pose also where its limbs are, that counts too
    (:func:`graphlift.nn.bidirectional.attribute_loss`), or where it says depths, their order
    (:func:`graphlift.nn.ordinal_depth.order_loss`). Where it says several poses, the loss is their
    likelihood (:func:`graphlift.nn.mixture.mixture_loss`).
    """
    if isinstance(predicted, Mixture):
        return mixture_loss(predicted, target)
    if isinstance(predicted, Attributed):
        of_pose = loss_of(kind, predicted.pose, target)
        return of_pose + ATTRIBUTE_WEIGHT * attribute_loss(predicted, target)
    if isinstance(predicted, Ordered):
        of_pose = loss_of(kind, predicted.pose, target)
        return of_pose + ORDER_WEIGHT * order_loss(predicted, target)
    if target.shape[-1] == 6:
        return body_loss(predicted.flatten(0, -3), target.flatten(0, -3))
    position = predicted[..., :3]
    distance: Tensor = torch.linalg.vector_norm(position - target, dim=-1)
    loss = nn.functional.mse_loss(position, target) if kind == "mse" else distance.mean()
    if predicted.shape[-1] == 3:
        return loss
    log_sigma = predicted[..., 3]
    likelihood = 2 * distance.detach() * torch.exp(-log_sigma) + 3 * log_sigma
    return loss + SIGMA_WEIGHT * likelihood.mean()


def body_loss(
    predicted: Float[Tensor, "batch joint 8"], target: Float[Tensor, "batch joint 6"]
) -> Tensor:
    """Mean distance of 28 joints, m, and of fronts, each with its likelihood.

    Of a joint as in :func:`loss_of`. A front is the mean distance of a vector from a unit vector,
    so that a short one is an unsure one; the scale s of the density ∝ exp(-e / s) / s² of the
    distance e between unit vectors is learnt, whose standard deviation is √3 s in each direction.

    Args:
        predicted: Position, m; logarithm of its standard deviation; then a front, and the
            logarithm of its scale, which count in seven joints alone
            (:data:`graphlift.preprocessing.FRONT_JOINTS`).
        target: Position, m; then the front, NaN where it is not known.
    """
    weights = _WEIGHTS.to(predicted.device)
    distance: Tensor = torch.linalg.vector_norm(predicted[..., :3] - target[..., :3], dim=-1)
    log_sigma = predicted[..., 3]
    likelihood = 2 * distance.detach() * torch.exp(-log_sigma) + 3 * log_sigma
    joints = ((distance + SIGMA_WEIGHT * likelihood) * weights).mean() / weights.mean()

    front, truth = predicted[:, _FRONTS, 4:7], target[:, _FRONTS, 3:]
    known = ~torch.isnan(truth[..., 0])
    truth = torch.where(known[..., None], truth, front.detach())
    apart = torch.linalg.vector_norm(front - truth, dim=-1)
    unit = nn.functional.normalize(front.detach(), dim=-1)
    error = torch.linalg.vector_norm(unit - truth, dim=-1).detach()
    log_front = predicted[:, _FRONTS, 7]
    unsure = error * torch.exp(-log_front) + 2 * log_front
    each = torch.where(known, apart + 0.2 * unsure, 0.0)
    total: Tensor = joints + FRONT_WEIGHT * each.sum() / known.sum().clamp(min=1)
    return total
