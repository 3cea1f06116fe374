"""Names, settings and files of figures."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from drawn import kernel_set
from matplotlib.figure import Figure

from nestlfp import plotting
from nestlfp.errors import MissingExtraError, SignalError
from nestlfp.plotting.style import EXCITATORY, INHIBITORY, colours_of

# ---------------------------------------------------------------------- names
ODD = ["$x^2$", "a_{b}$", "\\frac{1}{2}", "50% #1 & ~^", "<b>&amp;", "L2/3:E"]


def test_odd_names_are_drawn_as_they_are(tmp_path):
    kernels = kernel_set(
        (1, 6, 1, 4), pre=ODD, post=["$\\alpha$"], unit="$V$", channels={"LFP": ["$c$"]}
    )
    with mpl.rc_context({"svg.fonttype": "none"}):
        plotting.save(plotting.kernels(kernels, width=300), tmp_path / "k.svg")
        spikes = {name: [0.1] for name in ODD}
        signals = kernels.convolve(spikes, 10.0, by="pre")
        plotting.save(plotting.signals(signals, spikes=spikes), tmp_path / "s.svg")
    import xml.etree.ElementTree as ET

    for file, pattern in (("k.svg", "{} → $\\alpha$"), ("s.svg", "{}: 100 spikes/s in all")):
        tree = ET.parse(tmp_path / file)
        texts = ["".join(e.itertext()) for e in tree.iter("{http://www.w3.org/2000/svg}text")]
        for name in ODD:
            assert pattern.format(name) in texts
        assert "$c$" in texts
        assert any(text.endswith(" $V$") for text in texts)


def test_usetex_and_other_settings_of_the_user_do_not_matter(tmp_path):
    with mpl.rc_context({"text.usetex": True, "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        plotting.save(plotting.kernels(kernel_set((1, 1, 2, 5), pre=["a_b"])), tmp_path / "k.png")
        assert dict(mpl.rcParams) == before


# ---------------------------------------------------------------------- the figure
def test_draws_into_a_figure_that_is_handed_in(hagen):
    figure = Figure(figsize=(4, 3))
    assert plotting.signals(hagen.convolve({}, 5.0), figure=figure) is figure
    assert figure.get_size_inches().tolist() == [4, 3]
    left, right = Figure(layout="constrained").subfigures(1, 2)
    plotting.kernels(hagen, figure=right)
    assert len(right.axes) == 8
    assert left.axes == []


def test_save(hagen, tmp_path):
    figure = plotting.kernels(hagen)
    plotting.save(figure, tmp_path / "k.png", dpi=50)
    from PIL import Image

    width, height = figure.get_size_inches() * 50
    with Image.open(tmp_path / "k.png") as image:
        assert image.size == (int(width), int(height))
    plotting.save(figure, tmp_path / "k.PDF")
    assert (tmp_path / "k.PDF").read_bytes().startswith(b"%PDF")
    for name in ("k.xyz", "k"):
        with pytest.raises(SignalError, match=r"suffix must be one of .*\.pdf, .*\.png"):
            plotting.save(figure, tmp_path / name)
    with pytest.raises(SignalError, match=r"cannot write figure '.*nowhere"):
        plotting.save(figure, tmp_path / "nowhere" / "k.png")


def test_width_in_millimetres(hagen):
    assert plotting.kernels(hagen).get_figwidth() * 25.4 == pytest.approx(180)
    assert plotting.kernels(hagen, width=85).get_figwidth() * 25.4 == pytest.approx(85)
    for width in (8.5, "85", 85000, True, float("nan")):
        with pytest.raises(SignalError, match="width must be millimetres, from 40 to 1000, found"):
            plotting.kernels(hagen, width=width)
    with pytest.raises(SignalError, match=r"give figure=\.\.\. or width="):
        plotting.kernels(hagen, width=85, figure=Figure())


def test_text_of_a_pdf_can_be_edited(hagen, tmp_path):
    plotting.save(plotting.kernels(hagen), tmp_path / "k.pdf")
    assert (
        b"/TrueType" in (tmp_path / "k.pdf").read_bytes()
        or b"/CIDFontType2" in (tmp_path / "k.pdf").read_bytes()
    )
    assert b"/Type3" not in (tmp_path / "k.pdf").read_bytes()


# ---------------------------------------------------------------------- colours
def lightness(colour):
    """CIE L*, from 0 for black to 100 for white: what is left in grey."""
    rgb = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(y) - 16


def test_e_and_i_have_their_colours_everywhere():
    alone = colours_of(["E", "I"])
    assert alone == {"E": EXCITATORY, "I": INHIBITORY} == colours_of(["I", "E"])
    assert colours_of(["x", "I"])["I"] == INHIBITORY
    assert colours_of(["nodes_ex", "nodes_in"]) == {
        "nodes_ex": EXCITATORY,
        "nodes_in": INHIBITORY,
    }
    assert abs(lightness(EXCITATORY) - lightness(INHIBITORY)) > 15
    layers = [f"L{layer}{kind}" for layer in ("23", "4", "5", "6") for kind in "EI"]
    found = colours_of([*layers, "TC"])
    assert len(set(found.values())) == 9
    for name in layers:
        red, _, blue = mpl.colors.to_rgb(found[name])
        assert (red > blue) == name.endswith("E")
    assert colours_of(["Ii", "Earth", "A"]).keys() == {"Ii", "Earth", "A"}
    assert not set(colours_of(["Ii", "A", "E"]).values()) >= {INHIBITORY}


@pytest.mark.slow
def test_matplotlib_is_only_needed_to_draw(hagen, monkeypatch):
    code = "import nestlfp.plotting, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nestlfp\[plot\]'"):
        plotting.kernels(hagen)
