"""State-space realization of kernels, with the error it makes.

A direct FIR filter pays for every channel and tap. Kernels are low-dimensional in space and in
time, so the same sum can be computed by a recursion of a few dozen numbers,

    x[t] = A x[t - 1] + B u[t] - tail u[t - taps],    y[t] = C x[t],    channels = expansion y,

where u counts the spikes of each presynaptic population. `tail` is what is left of a spike after
its last tap, A^taps B; taking it out again makes the recursion the FIR filter beyond the last tap
too (truncated IIR filters, Wang and Smith 1997). The tap at index 0 is C B: no feed-through.

How it is found, in the order of the code:

1. `Problem`: every channel is scaled to its own peak, leading and trailing zeros are stripped per
   population, and the channels are factorized jointly over populations (SVD).
2. `PoleSource`: the poles of order n come from the right singular vectors of the Hankel matrix of
   the lags (Kung 1978; Beliczynski, Kale and Cain 1992): the smallest n that does is found by
   bisection, since one SVD serves every order. Large matrices are never formed: a randomized SVD
   needs only products with them, which FFTs give.
   As `tail` makes everything beyond the last tap irrelevant, the Hankel matrix holds the taps
   alone and no zeros after them; kernels that are cut off cost no more than those that decay.
3. `fit_order`: the recursion is run and C fitted to its states by regularized least squares.
4. `realize`: several sharings of the tolerance between order and latents, one set of poles for
   each population or one for all; the cheapest step whose measured error meets the tolerance wins.

`realize_ringing` does the same for kernels behind a known filter, whose endless response would
need many states more if it were found from its taps.

`separate` is for many populations, too many for inputs of their own: their kernels become weights
of a few time courses, and only these are realized.

References
----------
Kung (1978), 12th Asilomar Conference on Circuits, Systems and Computers, 705-714.
Beliczynski, Kale and Cain (1992), IEEE Trans. Signal Process. 40(3), 532-542.
Wang and Smith (1997), IEEE Workshop on Applications of Signal Processing to Audio and Acoustics.
Halko, Martinsson and Tropp (2011), SIAM Review 53(2), 217-288.
"""

from __future__ import annotations

from ..errors import ToleranceError
from .design import Orders, orders, realize
from .realization import Realization, impulse_responses, simulate
from .ringing import Ringing, realize_ringing
from .separable import Factors, Separated, separate

__all__ = [
    "Factors",
    "Orders",
    "Realization",
    "Ringing",
    "Separated",
    "ToleranceError",
    "impulse_responses",
    "orders",
    "realize",
    "realize_ringing",
    "separate",
    "simulate",
]
