"""What objects show in a notebook: well-formed, escaped, without colours of its own."""

from html.parser import HTMLParser

import numpy as np
import pytest

import nestlfp
from nestlfp.display import card, folded, table
from networks import exponential_kernels, installed, random_network, reset

HOSTILE = "<script>alert('x')</script>&amp;\"><img src=x onerror=alert(1)>"
VOID = {"img", "br", "hr", "input", "meta", "link", "use", "path", "ellipse", "line"}


class Page(HTMLParser):
    """Tags, in balance, their attributes, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def rows(page):
    return [text for text in page.text if text.strip()]


def one(name="E", channel="c"):
    return nestlfp.KernelSet.from_arrays(
        {"LFP": [[[[0.0, -2.5, 1.0]]]]},
        pre=[name],
        post=[name],
        dt=0.5,
        units={"LFP": "mV"},
        channels={"LFP": [channel]},
        positions={"LFP": [[0.0, 0.0, -300.0]]},
        provenance={"tool": name, "version": "1"},
    )


def test_a_card_has_facts_and_folded_tables():
    inner = card("inner", [])
    page = Page(
        card(
            "What",
            [("one", 1), ("nothing", ""), ("none", None)],
            table("rows", ["a", "b"], [[1, HOSTILE]]),
            folded("more", inner),
        )
    )
    assert rows(page) == ["What", "one", "1", "rows", "a", "b", "1", HOSTILE, "more", "inner"]
    assert page.tags.count("details") == 2
    assert [name for name, _ in page.attributes].count("open") == 1
    assert "script" not in page.tags
    styles = "".join(value for name, value in page.attributes if name == "style")
    assert ": white" not in styles
    assert "#" not in styles
    assert "color: inherit" in styles


def test_long_values_are_cut():
    assert len("".join(Page(card("x", [("y", "z" * 10_000)])).text)) < 300


@pytest.mark.parametrize("name", ["E", HOSTILE])
def test_kernels(name):
    kernels = one(name, channel=name)
    page = Page(kernels._repr_html_())
    shown = rows(page)
    assert shown[0] == "KernelSet"
    assert "-2.5" in shown
    assert "-300 … -300 µm" in shown
    assert name in shown
    assert "script" not in page.tags


def test_kernels_of_neurons():
    rng = np.random.default_rng(0)
    kernels = nestlfp.NeuronKernels.from_arrays(
        {"E": {"LFP": rng.normal(size=(20, 3, 10))}},
        dt=0.5,
        units={"LFP": "mV"},
        modes=2,
        rates={"E": 2.0},
    )
    shown = rows(Page(kernels._repr_html_()))
    assert shown[0] == "NeuronKernels"
    at = shown.index("neurons")
    assert shown[at + 2 : at + 6] == ["E", "2", "20", "40"]
    assert f"{float(kernels.left_out()['LFP'].max()):.2g}" in shown
    assert f"{float(kernels.left_out()['LFP'].max()):.2g} (channel" in repr(kernels)
    pathways = nestlfp.NeuronKernels.by_pathway(one())
    assert "of the recorder" in rows(Page(pathways._repr_html_()))


@pytest.mark.parametrize("method", ["fir", "state-space"])
@pytest.mark.parametrize("by", [(), "post", ("pre", "post")])
def test_banks(method, by):
    bank = nestlfp.FilterBank(exponential_kernels(), method=method, by=by)
    shown = rows(Page(bank._repr_html_()))
    for what, value in (line.strip().split(": ", 1) for line in repr(bank).splitlines()[1:]):
        assert shown[shown.index(what) + 1] == value
    for name in bank.kernels.signals:
        worst = f"{float(bank.error[name].max()):.2g}"
        at = len(shown) - shown[::-1].index(name) - 1
        assert shown[at + 3] == worst


def test_recorders(nest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kernels = exponential_kernels()
    reset(nest, dt=kernels.dt)
    bank = installed(kernels)
    network = random_network(nest)
    recorder = nestlfp.FieldRecorder(bank, network.populations, interval=0.1, name="probe")
    assert "none taken out of NEST" in repr(recorder)
    nest.Simulate(20.0)
    n = recorder.signals().sizes["time"]
    assert f"{n} taken out of NEST" in repr(recorder)
    assert repr(recorder).startswith("FieldRecorder 'probe'")
    nestlfp.simulate(20.0, to="s.zarr", progress=False)
    shown = rows(Page(recorder._repr_html_()))
    assert shown[:3] == ["FieldRecorder", "name", "probe"]
    for name, nodes in network.populations.items():
        if nodes is not None:
            assert shown[shown.index(name) + 1] == str(len(nodes))
    assert any(text.endswith(" in s.zarr") for text in shown)
    nest.ResetKernel()
    assert "probe" in recorder._repr_html_()  # NEST is not asked
