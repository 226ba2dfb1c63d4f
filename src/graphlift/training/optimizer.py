"""What takes the steps of training: Adam, or Muon for the matrices of a network.

By torch's functions, not its classes of the same names: the first optimiser of a process, whatever
it is, imports torch's compiler, which nothing here uses, for seconds. The functions step to the
same bit.
"""

from collections.abc import Set
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from graphlift.training.muon import muon_step

Moments = dict[str, Tensor]

HEAD_RATE = 0.1
"""Rate of heads beside Muon, of its own. Adam moves a weight by the rate, where Muon moves the
weights of a matrix by a fifth of it in the root mean square: this is half of that."""


@dataclass(eq=False)
class Optimizer:
    """Adam, or AdamW where weights decay; Muon for those parameters that are matrices.

    Args:
        parameters: What is trained.
        lr: The learning rate of the next step; a step of Muon is as long as AdamW's usually are.
        weight_decay: Share of each parameter that a step takes away, times the learning rate.
        matrices: Parameters for Muon, and their shapes as stacks of matrices.
        heads: Parameters for Adam at :data:`HEAD_RATE` times the learning rate
            (:func:`graphlift.training.muon.heads_of`).
        moments: By parameter, by its number, from its first gradient on: ``step``, how many it has
            taken; ``exp_avg``, the mean gradient; ``exp_avg_sq``, that of the squares, for Adam.

    Source: Kingma and Ba, "Adam: A method for stochastic optimization", ICLR 2015; Loshchilov and
    Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    parameters: list[nn.Parameter]
    lr: float
    weight_decay: float = 0.0
    matrices: dict[nn.Parameter, torch.Size] = field(default_factory=dict)
    heads: Set[nn.Parameter] = frozenset()
    moments: dict[int, Moments] = field(default_factory=dict)

    @torch.no_grad()
    def step(self) -> None:
        """Take one step; parameters without a gradient stay where they are."""
        others: list[tuple[nn.Parameter, Moments]] = []
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is None:
                continue
            if index not in self.moments:
                self.moments[index] = self._first_moments(parameter)
            if parameter in self.matrices:
                shape = self.matrices[parameter]
                muon_step(parameter, self.moments[index], shape, self.lr, self.weight_decay)
            else:
                others.append((parameter, self.moments[index]))
        of_heads = [each for each in others if each[0] in self.heads]
        if of_heads:
            others = [each for each in others if each[0] not in self.heads]
            self._adam(of_heads, HEAD_RATE * self.lr)
        self._adam(others, self.lr)

    def _adam(self, others: list[tuple[nn.Parameter, Moments]], lr: float) -> None:
        function = adamw if self.weight_decay else adam
        function(
            [parameter for parameter, _ in others],
            [parameter.grad for parameter, _ in others if parameter.grad is not None],
            [moments["exp_avg"] for _, moments in others],
            [moments["exp_avg_sq"] for _, moments in others],
            max_exp_avg_sqs=[],  # of AMSGrad
            state_steps=[moments["step"] for _, moments in others],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=lr,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def _first_moments(self, parameter: nn.Parameter) -> Moments:
        names = ("exp_avg",) if parameter in self.matrices else ("exp_avg", "exp_avg_sq")
        step = torch.zeros((), dtype=torch.float32, device=parameter.device)
        return {"step": step} | {name: torch.zeros_like(parameter) for name in names}

    def put(self, moments: dict[int, Moments]) -> None:
        """Go on with the moments of an earlier run, on the parameters' devices."""
        self.moments = {
            index: {name: each.to(self.parameters[index].device) for name, each in of.items()}
            for index, of in moments.items()
        }
