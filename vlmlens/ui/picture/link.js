// One cursor for all pictures with the same `link`: who moved last leads, and only the leader takes it away again.
// It travels as a place, in fractions of the picture, because the others may have other cells.

const CURSOR = "vlmlens-cursor"; // on the document: every picture may run a copy of this script

function point(lens, cell, byKey = false) {
  const news = cell !== lens.cell || lens.leader !== null;
  Object.assign(lens, { cell, byKey, leader: null });
  if (news) tell(lens);
}

// What happens to a picture that follows is no reason to move the cursor.
function leave(lens) {
  if (lens.leader === null) point(lens, null);
}

function tell(lens) {
  const { link, boxes, size } = lens.scene;
  if (!link) return;
  const place = lens.cell === null ? null : centre(boxes, lens.cell).map((v, axis) => v / size[axis]);
  document.dispatchEvent(new CustomEvent(CURSOR, { detail: { link, place, from: lens } }));
}

function follow(lens, { link, place, from }) {
  if (from === lens || link !== lens.scene.link) return;
  if (place === null && lens.leader !== from) return;
  const cell = place && cellAt(lens, ...place.map((v, axis) => v * lens.scene.size[axis]));
  Object.assign(lens, { cell, byKey: false, leader: place && from });
  repaint(lens);
}

function listenToLink(lens) {
  const { signal } = lens.stop;
  document.addEventListener(CURSOR, (event) => follow(lens, event.detail), { signal });
  signal.addEventListener("abort", () => leave(lens));
}
