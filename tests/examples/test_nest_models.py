"""NEST's own scripts with the lines of "nest_models.md", as a reader would add them.

Networks and times are smaller; NEST, the scripts and the lines are the real ones.
"""

import ast
import importlib
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import environments
import nestlfp
from nestlfp.testing import convolved

pytestmark = pytest.mark.compile

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "nest_models"))
scripts = importlib.import_module("scripts")
sys.path.pop(0)

MODELS = scripts.models()
EXAMPLES = scripts.examples_of_nest()
PAGE = scripts.PAGE.read_text(encoding="utf-8")
BRUNEL = {"order = 2500": "order = 100"}
TIME = {"simtime = 1000.0  # Simulation time in ms": "simtime = 200.0"}
SMALLER = {  # lines of NEST's files, and what is run here
    "brunel_alpha_nest": {"brunel_alpha_nest.py": BRUNEL | TIME},
    "hh_coba": {
        "brette_et_al_2007/hh_coba.py": {
            '"simtime": 1000.0,  # simulated time [ms]': '"simtime": 150.0,',
            '"NE": 3200,  # number of excitatory neurons': '"NE": 800,',
            '"NI": 800,  # number of inhibitory neurons': '"NI": 200,',
            '"epsilon": 0.02,  # connection probability': '"epsilon": 0.08,',
            '"Nrec": 500,  # number of neurons per population to record from': '"Nrec": 100,',
        }
    },
    "test_3d_gauss": {},
    "EI_clustered_network": {
        "EI_clustered_network/sim_params.py": {
            '"warmup": 1000.0,': '"warmup": 100.0,',
            '"simtime": 10000.0,': '"simtime": 100.0,',
        },
        "EI_clustered_network/network_params.py": {'"N_E": 4000,': '"N_E": 400,',
                                                   '"N_I": 1000,': '"N_I": 100,'},
    },
    "microcircuit": {
        "microcircuit/__main__.py": {
            "scaling_factor = 0.2": "scaling_factor = 0.05\n"
            "sim_dict.update(t_presim=100.0, t_sim=100.0)",
            'net_dict["K_scaling"] = scaling_factor': "net_dict.update(K_scaling=0.1,"
            ' bg_input_type="poisson")',
            "net.evaluate(raster_plot_interval, firing_rates_interval)": "pass",
        }
    },
    "cuba_stdp": {
        "brette_et_al_2007/cuba_stdp.py": {
            "import numpy as np": "import numpy as np\nnp.random.seed(1)",
            "simtime = 2000.0  # simulated time [ms]": "simtime = 450.0",
            "NE = 9000  # number of excitatory neurons": "NE = 400",
            "NI = 2250  # number of inhibitory neurons": "NI = 100",
            "Nrec = 500  # number of neurons per population to record from": "Nrec = 100",
        }
    },
    "brunel_exp_multisynapse_nest": {
        "brunel_exp_multisynapse_nest.py": BRUNEL | TIME
        | {
            "nr_ports = 100  # number of receptor types": "nr_ports = 4",
            "tau_syn = [0.1 + 0.01 * i for i in range(nr_ports)]": "tau_syn = [0.3, 0.6, 0.9, 1.2]",
        }
    },
}  # fmt: skip
HEAR = """
heard, ids = nest.Create("spike_recorder"), {}
for name, nodes in populations.items():
    parts = nodes if isinstance(nodes, list) else [nodes]
    ids[name] = [node for part in parts for node in part.tolist()]
    for part in parts:
        nest.Connect(part, heard, syn_spec={"delay": nest.max_delay})
"""
KEEP = """
import numpy
numpy.savez(
    "spikes.npz", **heard.events, **ids, end=nest.biological_time, min_delay=nest.min_delay
)
"""
KEEP_KERNELS = """
kernels.save("kernels.nc", overwrite=True)
"""
KEEP_STRENGTHS = """
recorder.strengths().to_netcdf("strengths.nc")
"""
AS_ON_THE_PAGE = {"brunel_alpha_nest", "hh_coba", "test_3d_gauss"}
"""Scripts whose synapses are the same in the smaller network."""
OF_NESTLFP = re.compile(
    r"nestlfp|network\.|description|kernels|recorder|cells|depths|column|rates|learning"
)


def run(name, folder, *, recorded):
    """What a script prints, with the page's lines or without those of nestlfp."""
    model = MODELS[name]
    additions = [
        scripts.Addition(file, line, f"{new}\n", instead=True)
        for file, lines in SMALLER[name].items()
        for line, new in lines.items()
    ]
    for addition in model.additions:
        statements = [
            ast.unparse(each)
            for each in ast.parse(addition.code.replace("Simulate(1000.0)", "Simulate(200.0)")).body
        ]
        if not recorded:
            statements = [each for each in statements if not OF_NESTLFP.search(each)]
            if addition.instead:
                statements = [addition.line]
        at = [i for i, each in enumerate(statements) if each.startswith("populations =")]
        if at:
            statements.insert(at[0] + 1, HEAR)
        if addition is model.additions[-1]:
            statements.append(KEEP)
            statements += [KEEP_KERNELS] * recorded
            statements += [KEEP_STRENGTHS] * (recorded and "Plasticity" in str(model.additions))
        additions.append(replace(addition, code="\n".join([*statements, ""])))
    return scripts.run(replace(model, additions=tuple(additions)), EXAMPLES, folder)


def synapses(text):
    """What tables say of one synapse, such as "6 nS exp(5 ms) to 0 mV"."""
    return set(re.findall(r"-?[\d.]+ [pn][AS] \w+\([^)]+\)(?: to \S+ mV)?", text))


def expected(folder, heard, names):
    """The LFP at all steps by numpy.convolve, each spike with the strength of its time."""
    kernels = nestlfp.KernelSet.load(folder / "kernels.nc").lowpass(1.0)
    n_steps = round(float(heard["end"]) / kernels.dt)
    pieces = [({}, -np.inf)]
    if (folder / "strengths.nc").is_file():
        strengths = xr.load_dataarray(folder / "strengths.nc")
        pieces = [
            (
                {
                    (pre, post): float((now / strengths[0]).sel(pre=pre, post=post))
                    for pre in strengths["pre"].values
                    for post in strengths["post"].values
                },
                float(now["time"]) - float(heard["min_delay"]),
            )
            for now in strengths
        ]
        pieces[0] = (pieces[0][0], -np.inf)
        assert len(pieces) > 2
        assert pieces[-1][0]["E", "E"] != pytest.approx(1.0, abs=1e-3)
    total = 0.0
    ends = [since for _, since in pieces[1:]] + [np.inf]
    half = kernels.dt / 2
    for (factors, since), until in zip(pieces, ends, strict=True):
        inside = (heard["times"] > since + half) & (heard["times"] <= until + half)
        spikes = {
            name: heard["times"][inside & np.isin(heard["senders"], heard[name])] for name in names
        }
        total = total + convolved(kernels.scale(factors), "LFP", spikes, n_steps)
    return total, kernels.dt


@pytest.mark.parametrize("name", MODELS)
def test_models(name, tmp_path):
    script = EXAMPLES / MODELS[name].script
    if name == "microcircuit":
        pytest.importorskip("microcircuit")
    elif not script.is_file():
        pytest.skip(f"this NEST has no examples: there is no {script}")
    run(name, tmp_path / "alone", recorded=False)
    printed = run(name, tmp_path / "recorded", recorded=True)
    alone, heard = (np.load(tmp_path / folder / "spikes.npz") for folder in ("alone", "recorded"))
    for key in ("times", "senders", "min_delay", "end"):
        np.testing.assert_array_equal(heard[key], alone[key])
    assert "Network read from NEST" in printed
    if name in AS_ON_THE_PAGE:
        (table,) = re.findall(
            rf"^## {MODELS[name].title}$.*?```text\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE
        )[:1]
        assert synapses(table) == synapses(printed) != set()
    kernels = nestlfp.KernelSet.load(tmp_path / "recorded" / "kernels.nc")
    for pre in kernels.pre:
        assert np.isin(heard["senders"], heard[pre]).sum() > 5
    lfp = nestlfp.signals.load(tmp_path / "recorded" / "lfp.nc")["LFP"]
    whole, dt = expected(tmp_path / "recorded", heard, kernels.pre)
    at = np.rint(lfp["time"].values / dt).astype(int)
    assert at.size > 100
    assert np.isfinite(lfp).all()
    assert (lfp.std("time") > 0).all()
    assert abs(lfp.values - whole[:, at - 1]).max() <= 1e-12 * abs(whole).max()


def test_every_model_is_run_here():
    assert list(MODELS) == list(SMALLER)
    assert len(MODELS) == 7


def test_the_command(tmp_path):
    if not (EXAMPLES / "spatial").is_dir():
        pytest.skip(f"this NEST has no examples: there is no {EXAMPLES / 'spatial'}")
    command = ROOT / "examples" / "nest_models" / "run.py"
    environments.run(f"python {command} --model test_3d_gauss --out {tmp_path}")
    assert "E → E" in (tmp_path / "test_3d_gauss" / "printed.txt").read_text(encoding="utf-8")
    assert (tmp_path / "nest_models.png").stat().st_size > 10_000


def test_a_script_that_is_another():
    model = MODELS["brunel_alpha_nest"]
    with pytest.raises(scripts.ScriptError, match=r"has the line 'nest.ResetKernel\(\)' 2 times"):
        scripts.with_addition("nest.ResetKernel()\n" * 2, model.additions[0])


def test_no_examples(tmp_path):
    with pytest.raises(scripts.ScriptError, match=r"has no brunel_alpha_nest\.py: name the folder"):
        scripts.run(MODELS["brunel_alpha_nest"], tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_lines_are_as_far_to_the_right_as_those_that_they_follow():
    after = scripts.Addition("a.py", "b()", "c()\n\nd()\n")
    assert scripts.with_addition("if a:\n    b()\n", after) == (
        "if a:\n    b()\n    c()\n\n    d()\n"
    )
    instead = replace(after, instead=True)
    assert scripts.with_addition("    b()\ne()\n", instead) == "    c()\n\n    d()\ne()\n"
