"""Several modules in one process, each after a reset: none computes what another one should."""

import pytest

import nestlfp
from nestlfp.build.modules import compile_module
from nestlfp.nodes.model import Model
from networks import assert_signal_is_convolution, exponential_kernels, installed, replayed, reset

pytestmark = pytest.mark.compile

SUM = """model {{ model }}:
    state:
        y real = 0

    parameters:
        gain real = 1

    input:
        spike_in <- spike

    update:
        y += gain * spike_in * 1 s
"""
SPIKES = {"E": [1.0, 4.0, 4.5], "I": [2.0, 7.0]}
A = exponential_kernels(), {"method": "fir"}
B = exponential_kernels(leads=(3, 7)), {"method": "state-space", "tolerance": 1e-6}
C = exponential_kernels(leads=(3, 7)), {"method": "fir"}


def test_kernel_sets_in_turn(nest):
    for kernels, options in (A, B, A, C, B, A):
        reset(nest)
        bank = installed(kernels, **options)
        parrots = replayed(nest, SPIKES.values())
        populations = dict(zip(SPIKES, parrots, strict=True))
        recorder = nestlfp.FieldRecorder(bank, populations, interval=0.1)
        nest.Simulate(30.0)
        heard = {name: [time + 1.0 for time in times] for name, times in SPIKES.items()}
        rtol = 1e-12 if options["method"] == "fir" else 1e-5
        assert_signal_is_convolution(recorder.signals(), kernels, heard, 30.0, rtol=rtol)


def test_models_of_one_name_in_turn(nest, tmp_path):
    """NEST issue 3802: what a module leaves behind must not answer for its namesake."""
    for gain in (1, 10, 1):
        template = tmp_path / f"{gain}.nestml.jinja"
        template.write_text(SUM.replace("gain *", f"{gain} * gain *"))
        model = Model("nestlfp_sum", template, ports=1)
        nest.ResetKernel()
        nest.Install(str(compile_module([model])))
        node = nest.Create(model.name)
        source = nest.Create("spike_generator", params={"spike_times": [1.0]})
        nest.Connect(source, node)
        nest.Simulate(3.0)
        assert node.y == pytest.approx(gain)
