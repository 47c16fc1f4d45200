// The component: keeps one `lens` for each mounted board and updates it when Python or the user changes something.

function update(lens, data) {
  const before = lens.data;
  lens.data = data;
  if (before?.version === data.version) return;
  if (JSON.stringify(before?.look) !== JSON.stringify(data.look)) build(lens);
  const things = data.scene.things;
  Object.assign(lens, { things, past: [], future: [], drag: null });
  const first = things.length ? Math.min(...things.map((thing) => thing.cell)) : Math.floor(data.look.side ** 2 / 2);
  select(lens, before ? lens.cell : first);
  lens.look ??= { color: Object.keys(data.look.colors)[0], shape: Object.keys(data.look.corners)[0], size: Object.keys(data.look.radius).at(-1) };
}

function create(root) {
  const find = (name) => root.querySelector(name);
  const lens = {
    root,
    el: {
      cells: find(".cells"), palette: find(".palette"), about: find(".about"), count: find(".count"), shapes: find(".shapes"),
      colors: find(".colors"), sizes: find(".choices.sizes"), undo: find(".undo"), redo: find(".redo"), remove: find(".remove"),
      ask: find(".ask"), help: find(".help"), ghost: find(".ghost"),
    },
    data: null, things: [], past: [], future: [], cell: 0, look: null, drag: null, help: false,
    frame: null, stop: new AbortController(),
  };
  const on = listening(lens, root);
  listenToPointer(lens, on);
  listenToKeys(lens, on);
  listenToControls(lens, on);
  return lens;
}
