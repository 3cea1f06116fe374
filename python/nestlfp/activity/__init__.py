"""Activity from elsewhere: signals of recorded spikes, whatever program wrote them."""

from ..errors import ActivityError
from .recorded import convolve

__all__ = ["ActivityError", "convolve"]
