COMMENT
A synapse that injects a given current, whatever the membrane potential does.

It has the time course and the parameters of NEURON's Exp2Syn, a difference of two exponentials
scaled to a peak of 1, but its weight is the peak of the current (nA) instead of a conductance:

    I(t) = weight * scale * (exp(-t / tau2) - exp(-t / tau1))

A positive weight depolarizes. NEURON counts membrane currents as positive where they leave the
cell, hence the minus sign in front of the current.

The two exponentials are linear and uncoupled, so that a step multiplies each of them by a
constant: this is exact for every dt, and a step costs two multiplications.
ENDCOMMENT

NEURON {
    POINT_PROCESS Exp2SynI
    RANGE tau1, tau2, i
    NONSPECIFIC_CURRENT i
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    tau1 = 0.2 (ms) <1e-9, 1e9>
    tau2 = 1.8 (ms) <1e-9, 1e9>
}

ASSIGNED {
    i (nA)
    scale
}

STATE {
    rising (nA)
    falling (nA)
}

INITIAL {
    LOCAL peak_at
    rising = 0
    falling = 0
    : equal time constants would divide by zero: the limit is an alpha function
    if (tau1 / tau2 > 0.9999) {
        tau1 = 0.9999 * tau2
    }
    peak_at = log(tau2 / tau1) * tau1 * tau2 / (tau2 - tau1)
    scale = 1 / (exp(-peak_at / tau2) - exp(-peak_at / tau1))
}

BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = rising - falling
}

DERIVATIVE decay {
    rising' = -rising / tau1
    falling' = -falling / tau2
}

NET_RECEIVE (weight (nA)) {
    rising = rising + weight * scale
    falling = falling + weight * scale
}
