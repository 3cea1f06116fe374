"""Precise spikes: the recorder counts them at the ends of their steps, and so it is offline."""

import numpy as np
import pytest

import nestlfp
from nestlfp import activity
from nestlfp.errors import ActivityError, KernelError, NetworkError
from nestlfp.simulator import Simulator
from nestlfp.simulator.recorders import events_of
from nestlfp.sources import hybrid
from networks import exponential_kernels, installed

DURATION = 200.0


def run(nest, kernels, folder, model="iaf_psc_exp_ps"):
    """A recorder's signals, and NEST's recorders of spikes in memory and in files."""
    nest.set(resolution=kernels.dt, local_num_threads=2, data_path=str(folder))
    bank = installed(kernels)
    neurons = nest.Create(model, 20, params={"I_e": nest.random.uniform(400.0, 600.0)})
    populations = {"E": neurons[:15], "I": neurons[15:]}
    synapses = {"delay": 1.5} | ({"receptor_type": 1} if model == "iaf_tum_2000" else {})
    nest.Connect(populations["E"], neurons, {"rule": "fixed_indegree", "indegree": 3}, synapses)
    devices = {}
    for name, options in {
        "memory": {},
        "steps": {"time_in_steps": True},
        "digits": {"record_to": "ascii", "label": "digits", "precision": 9},
        "file": {"record_to": "ascii", "label": "steps", "time_in_steps": True},
    }.items():
        devices[name] = nest.Create("spike_recorder", params=options)
        nest.Connect(neurons, devices[name], syn_spec={"delay": 1.5})
    recorder = nestlfp.FieldRecorder(bank, populations, interval=kernels.dt)
    nestlfp.simulate(DURATION, progress=False)
    return recorder.signals()["LFP"], populations, devices


def same(found, signal):
    difference = found["LFP"].sel(time=signal["time"], method="nearest") - signal.values
    assert float(abs(difference).max()) < 1e-12 * float(abs(signal).max())


def test_as_the_recorder_counts_them(nest, tmp_path):
    kernels = exponential_kernels(dt=0.1)
    signal, populations, devices = run(nest, kernels, tmp_path)
    assert abs(signal).max() > 0
    events = devices["memory"].events
    ids = {name: nodes.tolist() for name, nodes in populations.items()}
    times = {name: events["times"][np.isin(events["senders"], own)] for name, own in ids.items()}
    with pytest.raises(KernelError, match="rounding='up'"):
        kernels.convolve(times, DURATION)
    same(kernels.convolve(times, DURATION, rounding="up"), signal)

    where = {name: f"{own[0]}:{own[-1]}" for name, own in ids.items()}
    files = str(tmp_path / "digits-*.dat")
    with pytest.raises(ActivityError, match="--round-up"):
        activity.convolve(kernels, files, populations=where)
    made = activity.convolve(kernels, files, populations=where, rounding="up", duration=DURATION)
    same(made, signal)
    made = activity.convolve(
        kernels, str(tmp_path / "steps-*.dat"), populations=where, unit="0.1", duration=DURATION
    )
    same(made, signal)

    def recorded(device, **options):
        spikes = {name: events_of(device, own) for name, own in ids.items()}
        return hybrid.Network.from_nest(populations, spikes, **options)

    def events_of(device, own):
        mine = np.isin(device.events["senders"], own)
        return {key: values[mine] for key, values in device.events.items()}

    with pytest.raises(NetworkError, match="rounding='up'"):
        recorded(devices["memory"])
    one_each = {name: [name] for name in kernels.pre}
    neurons = nestlfp.NeuronKernels(
        kernels, one_each, {name: np.ones((len(own), 1)) for name, own in ids.items()}
    )
    for network in (recorded(devices["memory"], rounding="up"), recorded(devices["steps"])):
        same(neurons.convolve(network.spikes, DURATION), signal)
    precise = {name: (times[name], np.zeros(times[name].size, int)) for name in times}
    same(neurons.convolve(precise, DURATION, rounding="up"), signal)


def test_offsets_of_steps_are_not_added(nest, tmp_path):
    """A time in steps is the end of the spike's step; NEST's offset points back from there.

    Neither sign of it may enter: spikes would be half a step early or late, or in other steps.
    """
    kernels = exponential_kernels(dt=0.1)
    signal, populations, devices = run(nest, kernels, tmp_path)
    in_ms, in_steps = devices["memory"].events, devices["steps"].events
    steps, offsets = np.asarray(in_steps["times"]), np.asarray(in_steps["offsets"])
    assert np.ptp(offsets) > 0.05  # or there would be nothing to mistake
    np.testing.assert_allclose(in_ms["times"], steps * 0.1 - offsets, atol=1e-9)
    np.testing.assert_array_equal(np.ceil(in_ms["times"] / 0.1 - 1e-6), steps)

    senders, times = events_of(devices["steps"], "E", Simulator())
    np.testing.assert_array_equal(times, steps * 0.1)
    np.testing.assert_array_equal(senders, in_steps["senders"])
    np.savez(tmp_path / "steps.npz", **in_steps)
    (tmp_path / "steps.csv").write_text(
        "senders,times,offsets\n"
        + "".join(f"{n},{t},{o}\n" for n, t, o in zip(senders, steps, offsets, strict=True))
    )
    where = {
        name: f"{nodes[0].global_id}:{nodes[-1].global_id}" for name, nodes in populations.items()
    }
    for name in ("steps-*.dat", "steps.npz", "steps.csv"):
        files = str(tmp_path / name)
        same(
            activity.convolve(kernels, files, populations=where, unit="0.1", duration=DURATION),
            signal,
        )


def test_only_the_steps_of_iaf_tum_2000_count(nest, tmp_path):
    """It sends something else in place of the offset, which may be longer than a step."""
    kernels = exponential_kernels(dt=0.1)
    signal, populations, _ = run(nest, kernels, tmp_path, "iaf_tum_2000")
    where = {name: f"{nodes[0].global_id}:{nodes[-1].global_id}" for name, nodes in
             populations.items()}  # fmt: skip
    files = str(tmp_path / "steps-*.dat")
    same(
        activity.convolve(kernels, files, populations=where, unit="0.1", duration=DURATION), signal
    )


def test_samples_are_no_spikes(nest):
    neurons = nest.Create("iaf_psc_exp", 3, params={"I_e": 500.0})
    voltmeter = nest.Create("voltmeter")
    nest.Connect(voltmeter, neurons)
    nest.Simulate(20.0)
    for given in (voltmeter, voltmeter.events):
        with pytest.raises(NetworkError, match="'E' have V_m beside senders and times"):
            hybrid.Network.from_nest({"E": neurons}, {"E": given})
