"""A diagram is read from the modules: it equals the table where that is true, and gives it away where not."""

from dataclasses import replace

import pytest
import torch

from vlmlens.lab.diagram import declared, diagram
from vlmlens.lab.fusion import WIRINGS, Fusion, Look
from vlmlens.lab.model import LabModel
from vlmlens.lab.text import encode


@pytest.fixture(scope="module")
def found():
    return {name: diagram(LabModel(name)) for name in WIRINGS}


@pytest.mark.parametrize("name", WIRINGS)
def test_the_edges_are_those_that_the_registry_declares(found, name):
    assert sorted(found[name].edges, key=str) == sorted(declared(WIRINGS[name]), key=str)
    assert found[name].layers == len(WIRINGS[name].layers)
    assert found[name].lanes.get("latents", 0) == WIRINGS[name].latents


@pytest.mark.parametrize("name", WIRINGS)
def test_sizes_are_those_of_the_modules(found, name):
    sizes = found[name].lanes
    for attention in found[name].attentions:
        assert attention.rows == (sum(sizes[part] for part in attention.queries) or 1)
        for group in attention.groups:
            assert group.positions == sum(sizes[part] for part in group.keys)
        assert attention.heads * attention.head_width == found[name].width * (2 if len(attention.groups) > 1 else 1)


def test_a_wrong_row_of_the_table_is_noticed(monkeypatch):
    """The registry lies about a wiring whose modules are what they were."""
    model = LabModel("txt2img")
    lying = replace(WIRINGS["txt2img"], layers=WIRINGS["img2txt"].layers)
    model.fusion.wiring = lying
    assert set(diagram(model).edges) == set(declared(WIRINGS["txt2img"]))
    assert set(diagram(model).edges) != set(declared(lying))


def test_a_module_that_looks_elsewhere_is_noticed():
    model = LabModel("img2txt")
    model.fusion.layers[1][0].look = Look("image", "both")
    assert set(diagram(model).edges) - set(declared(WIRINGS["img2txt"])) == {(1, "image", "image")}


def test_a_forward_pass_that_swaps_its_streams_is_noticed():
    """Neither the table nor the bricks say what this fusion does: only the pass does."""

    class Swapped(Fusion):
        def forward(self, image, question, mask):
            for layer in self.links():
                for link in layer:
                    link.look = Look(link.look.keys, link.look.queries)
            return super().forward(image, question, mask)

    model = LabModel("txt2img")
    model.fusion.__class__ = Swapped
    turned = {(layer, "question", "image") for layer in (1, 3)}
    assert turned <= set(diagram(model).edges)


def test_gates_are_read_from_the_model():
    model = LabModel("gated")
    assert [a.gates for a in diagram(model).attentions if a.gates] == [(0.0, 0.0)] * 2
    attention = model.fusion.layers[1][0].attention.out_proj.parametrizations.weight[0]
    attention.alpha.data.fill_(0.5)
    opened = next(a for a in diagram(model).attentions if a.gates)
    assert opened.gates == pytest.approx((torch.tensor(0.5).tanh().item(), 0.0))
    assert f"through a gate of {opened.gates[0]:.2f}" in diagram(model).sentence()


@pytest.mark.parametrize("name", ["late", "contrastive"])
def test_late_wirings_pool_each_stream_with_heads_of_its_own(found, name):
    assert [group.keys for group in found[name].readout.groups] == [("image",), ("question",)]


def test_the_model_itself_is_left_alone():
    model = LabModel("qformer").requires_grad_(False).eval()
    pixels, ids = torch.randint(0, 255, (1, 48, 48, 3), dtype=torch.uint8), encode(["what color is the star"])
    before = model(pixels, ids)
    diagram(model)
    assert torch.equal(model(pixels, ids), before)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_other_sizes_are_told():
    found = diagram(LabModel("perceiver", 16, 4), "how many red circles are there?", patches=9)
    assert dict(found.lanes) == {"image": 9, "question": 6, "latents": 4}
    assert found.width == 16
    assert set(found.edges) == set(declared(WIRINGS["perceiver"]))
