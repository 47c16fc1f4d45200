// The component: keeps one `lens` for each mounted painter and updates it when Python or the user changes something.

// The old picture stays until the new one is decoded. What is not on the shelf yet is told when it comes.
async function load(lens, which) {
  const name = lens.data.pictures[which];
  const kept = lens.bitmaps[which];
  if (kept.name === name) return;
  if (name === null) {
    lens.bitmaps[which] = { name, bitmap: null };
    return;
  }
  const entry = document.vlmlensShelf?.get(name);
  if (!entry) return;
  const bitmap = await decode(entry.bytes);
  if (lens.data.pictures[which] !== name) return; // a newer one has come meanwhile
  lens.bitmaps[which] = { name, bitmap };
  repaint(lens);
}

function loadAll(lens) {
  for (const which of Object.keys(lens.bitmaps)) load(lens, which);
}

function update(lens, data) {
  const before = lens.data;
  lens.data = data;
  if (!data.tools.includes(lens.tool)) lens.tool = data.tools[0];
  if (before?.version !== data.version) {
    clearTimeout(lens.timer);
    Object.assign(lens, { mark: data.start.region, to: data.start.to, object: null, stroke: null, told: "" });
    if (lens.mark?.kind === "brush") lens.radius = clamp(lens.mark.radius, 0.01, 0.2);
  }
  if (lens.object >= data.objects.length) lens.object = null;
  loadAll(lens);
}

function listenToControls(lens, on) {
  const { el } = lens;
  on(el.tools, "click", (event) => (lens.tool = event.target.dataset.tool ?? lens.tool));
  on(el.radius, "input", () => setRadius(lens, Number(el.radius.value) / 100));
  on(el.compare, "click", () => (lens.comparing = !lens.comparing));
  on(el.ask, "click", () => (lens.help = !lens.help));
  on(el.clear, "click", () => {
    setMark(lens, null);
    tell(lens);
  });
}

function create(root) {
  const find = (name) => root.querySelector(name);
  const lens = {
    root,
    canvas: find("canvas.picture"),
    el: {
      tools: find(".tools"), width: find(".width"), radius: find(".radius"), wide: find(".width output"), clear: find(".clear"),
      compare: find(".compare"), ask: find(".ask"), help: find(".help"), badge: find(".badge"), yours: find(".yours"),
      goes: find(".goes"), hint: find(".hint"), said: find(".said"),
    },
    data: null, bitmaps: { shown: { name: "", bitmap: null }, before: { name: "", bitmap: null } },
    tool: "box", radius: 0.05, mark: null, to: null, object: null, stroke: null, arrows: "region",
    over: null, atHandle: false, held: false, comparing: false, sees: "shown", help: false,
    told: "", timer: null, frame: null, stop: new AbortController(),
  };
  const on = listening(lens, root);
  listenToPointer(lens, on);
  listenToKeys(lens, on);
  listenToControls(lens, on);
  on(document, "vlmlens-shelved", () => loadAll(lens));
  lens.stop.signal.addEventListener("abort", () => clearTimeout(lens.timer));
  return lens;
}
