// The component: keeps one `lens` for each mounted picture and updates it when Python or the user changes something.

function setSlice(lens, slice) {
  const last = (lens.scene.maps?.labels.length ?? 1) - 1;
  lens.slice = Math.max(0, Math.min(last, slice));
  lens.chosen = true;
}

// Up and down go through: mean, head 0, head 1, ...
function stepHead(lens, step) {
  const heads = lens.scene.maps?.heads ?? 1;
  if (heads === 1) return;
  const at = lens.heads.length === 0 ? -1 : lens.heads[step > 0 ? lens.heads.length - 1 : 0];
  const next = Math.max(-1, Math.min(heads - 1, at + step));
  lens.heads = next < 0 ? [] : [next];
}

function pickHead(lens, head, more) {
  if (head === null) lens.heads = [];
  else if (!more) lens.heads = lens.heads.length === 1 && lens.heads[0] === head ? [] : [head];
  else if (lens.heads.includes(head)) lens.heads = lens.heads.filter((h) => h !== head);
  else lens.heads = [...lens.heads, head].sort((a, b) => a - b);
}

// The old picture stays until the new one is decoded.
async function loadPictures(lens) {
  const { pictures, ids } = lens.scene;
  const of = ids.picture + ids.crisp;
  if (lens.bitmaps.of === of) return;
  lens.root.dataset.ready = "0";
  const [picture, crisp] = await Promise.all([decode(pictures.picture), decode(pictures.crisp)]);
  if (lens.scene.ids.picture + lens.scene.ids.crisp !== of) return; // a newer one has come meanwhile
  lens.bitmaps = { of, picture, crisp };
  repaint(lens);
}

function buildHeads(lens) {
  const heads = lens.scene.maps?.heads ?? 0;
  const { width, height } = lens.scene.thumbnail;
  const buttons = ["mean", ...Array(heads).keys()].map((head) => {
    const button = element("button", "head");
    button.type = "button";
    button.dataset.head = head;
    const canvas = document.createElement("canvas");
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    button.append(canvas, element("span", "", String(head)));
    return button;
  });
  lens.el.sheet.replaceChildren(...buttons);
}

function update(lens, bytes) {
  const block = headerOf(bytes);
  if (block.text === lens.header) return; // a rerun with nothing new
  lens.header = block.text;
  const before = lens.scene;
  const scene = openScene(block);
  if (before && (before.link !== scene.link || lens.cell >= scene.cells)) point(lens, null); // under its old link
  lens.scene = scene;
  lens.drawn += 1;
  const slices = scene.maps?.labels.length ?? 1;
  const other = JSON.stringify(before?.maps?.labels) !== JSON.stringify(scene.maps?.labels);
  const sent = before?.ids.values === scene.ids.values && before?.defaultSlice !== scene.defaultSlice;
  if (other || sent) lens.chosen = false; // other maps, or the page itself turned to another layer
  lens.slice = Math.min(lens.chosen ? lens.slice : scene.defaultSlice, slices - 1);
  lens.heads = lens.heads.filter((h) => h < (scene.maps?.heads ?? 0));
  if (!scene.tools.includes(lens.tool)) lens.tool = scene.tools[0];
  const renamed = (at) => at !== null && before?.tokens[at]?.text !== scene.tokens[at]?.text;
  if (renamed(lens.pinned)) lens.pinned = null;
  if (renamed(lens.token)) lens.token = null;
  if (before && before.ids.picture + before.ids.boxes !== scene.ids.picture + scene.ids.boxes) {
    lens.stroke = null;
    lens.mask = new Set();
    report(lens);
  }
  if (JSON.stringify([before?.maps?.heads, before?.ids.boxes]) !== JSON.stringify([scene.maps?.heads, scene.ids.boxes])) buildHeads(lens);
  if (JSON.stringify([before?.tokens, before?.maps?.rows]) !== JSON.stringify([scene.tokens, scene.maps?.rows])) buildStrip(lens);
  loadPictures(lens);
}

function listenToControls(lens, on) {
  const { el } = lens;
  on(el.slice, "input", () => setSlice(lens, Number(el.slice.value)));
  on(el.opacity, "input", () => (lens.opacity = Number(el.opacity.value) / 100));
  on(el.onoff, "change", () => (lens.on = el.onoff.checked));
  on(el.pixels, "change", () => (lens.pixels = el.pixels.checked));
  on(el.ask, "click", () => toggleHelp(lens));
  on(el.tools, "click", (event) => (lens.tool = event.target.dataset.tool ?? lens.tool));
  on(el.scales, "click", (event) => (lens.scale = event.target.dataset.scale ?? lens.scale));
  on(el.clear, "click", () => {
    lens.mask = new Set();
    report(lens);
  });
  on(el.sheet, "click", (event) => {
    const head = event.target.closest("[data-head]")?.dataset.head;
    if (head !== undefined) pickHead(lens, head === "mean" ? null : Number(head), event.shiftKey);
  });
}

function create(root) {
  const find = (name) => root.querySelector(name);
  const lens = {
    root,
    canvas: find("canvas.picture"),
    el: {
      toolbar: find(".toolbar"), stage: find(".stage"), tip: find(".tip"), help: find(".help"), ask: find(".ask"), tools: find(".tools"),
      clear: find(".clear"), onoff: find(".onoff input"), pixels: find(".pixels input"), panel: find(".panel"),
      caption: find(".caption"), scaleKey: find(".scale"), low: find(".low"), high: find(".high"), unit: find(".unit"),
      bar: find(".bar"), unseen: find(".unseen"), marked: find(".marked"), yours: find(".yours"), layers: find(".layers"),
      slice: find("input.slice"), sliceText: find(".layers output"), headsRow: find(".heads"), sheet: find(".sheet"),
      looks: find(".looks"), opacity: find("input.opacity"), scales: find(".scales"), strip: find(".strip"),
      tokens: find(".tokens"), segments: find(".segments"), said: find(".said"),
    },
    header: null, scene: null, bitmaps: { of: null, picture: null, crisp: null }, minis: [], drawn: 0,
    slice: 0, chosen: false, heads: [], opacity: 0.85, scale: "layer", on: true, pixels: false, help: false,
    tool: "hover", mask: new Set(), stroke: null, reported: "", cell: null, byKey: false, leader: null,
    token: null, pinned: null, frame: null, stop: new AbortController(),
  };
  const on = listening(lens, root);
  listenToPointer(lens, on);
  listenToKeys(lens, on);
  listenToStrip(lens, on);
  listenToLink(lens);
  listenToControls(lens, on);
  return lens;
}
