COMMENT
A synapse that injects a current of its own time course, whatever the membrane potential does:
a jump, and an exponential decay,

    I(t) = weight * exp(-t / tau)

as the point neurons `iaf_psc_exp` have it. The weight is the peak (nA); a positive one depolarizes.
NEURON counts membrane currents as positive where they leave the cell, hence the minus sign.
ENDCOMMENT

NEURON {
    POINT_PROCESS ExpSynI
    RANGE tau, i
    NONSPECIFIC_CURRENT i
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    tau = 0.5 (ms) <1e-9, 1e9>
}

ASSIGNED {
    i (nA)
}

STATE {
    current (nA)
}

INITIAL {
    current = 0
}

BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = -current
}

DERIVATIVE decay {
    current' = -current / tau
}

NET_RECEIVE (weight (nA)) {
    current = current + weight
}
