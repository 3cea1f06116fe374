"""The paper's convolutional network, layer by layer, in PyTorch.

Skaar et al. 2020, Table 6 and Methods: three convolutions over frequency, each with a maximum over
pairs behind it, and two dense layers; 60 064 weights.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

BATCH = 100
RATE = 1e-3  # Adam's


class Network(nn.Module):
    """From spectra, shape (runs, channels, 151), to parameters scaled to 0 ... 1."""

    def __init__(self, channels: int, parameters: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv1d(channels, 20, 12, bias=False), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(20, 20, 4, bias=False), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(20, 20, 4, bias=False), nn.ReLU(), nn.MaxPool1d(2)),
            nn.Flatten(),
            *(nn.Linear(300, 128), nn.ReLU()),
            *(nn.Linear(128, 128), nn.ReLU()),
            nn.Linear(128, parameters, bias=False),
        )

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(spectra)
        return found


@dataclass(frozen=True)
class Scale:
    """What spectra are divided by, and whether their logarithm is taken."""

    mean: np.ndarray
    spread: np.ndarray
    logarithm: bool

    @classmethod
    def of(cls, spectra: np.ndarray, *, logarithm: bool) -> "Scale":
        """From the training set.

        As published, each channel by the mean of its summed spectrum, so that differences in
        amplitude between runs are kept; of logarithms, by their mean and s.d.
        """
        if logarithm:
            level = np.log10(spectra)
            return cls(level.mean((0, 2), keepdims=True), level.std((0, 2), keepdims=True), True)
        total = spectra.sum(axis=2, keepdims=True).mean(axis=0, keepdims=True)
        return cls(np.zeros_like(total), total, False)

    def __call__(self, spectra: np.ndarray) -> torch.Tensor:
        values = np.log10(spectra) if self.logarithm else spectra
        return torch.as_tensor(((values - self.mean) / self.spread).astype(np.float32))


@dataclass(frozen=True)
class Trained:
    """A network with the weights of the lowest loss in the validation set, and the losses."""

    network: Network
    scale: Scale
    losses: np.ndarray  # (epoch, 2): of training and of validation

    def predict(self, spectra: np.ndarray) -> np.ndarray:
        """Scaled parameters, shape (runs, 3)."""
        with torch.no_grad():
            found: np.ndarray = self.network(self.scale(spectra)).numpy()
        return found


def train(
    spectra: np.ndarray,
    targets: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    *,
    epochs: int,
    logarithm: bool,
    seed: int = 1,
    progress: bool = True,
) -> Trained:
    """Train on spectra, shape (runs, channels, 151); keep the best weights for the others."""
    torch.manual_seed(seed)
    scale = Scale.of(spectra, logarithm=logarithm)
    x, y = scale(spectra), torch.as_tensor(targets.astype(np.float32))
    seen_x, seen_y = scale(validation[0]), torch.as_tensor(validation[1].astype(np.float32))
    network, loss = Network(spectra.shape[1], targets.shape[1]), nn.MSELoss()
    adam = torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    best, lowest, losses = copy.deepcopy(network.state_dict()), np.inf, []
    for _ in tqdm(range(epochs), desc="CNN", unit="epoch", disable=None if progress else True):
        order = torch.randperm(len(x))
        total = 0.0
        for batch in order.split(BATCH):
            adam.zero_grad()
            found = loss(network(x[batch]), y[batch])
            found.backward()
            adam.step()
            total += found.item() * len(batch)
        with torch.no_grad():
            losses.append((total / len(x), loss(network(seen_x), seen_y).item()))
        if losses[-1][1] < lowest:
            lowest, best = losses[-1][1], copy.deepcopy(network.state_dict())
    network.load_state_dict(best)
    return Trained(network, scale, np.array(losses))
