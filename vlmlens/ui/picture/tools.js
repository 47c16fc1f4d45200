// What the hand does on the picture: pointer, brush, box and keys. Each changes `lens` and asks for a repaint.

function cellAt(lens, x, y) {
  const { boxes, order } = lens.scene;
  for (let k = order.length - 1; k >= 0; k--) { // smallest first, as painted on top
    const i = order[k];
    if (x >= boxes[4 * i] && x < boxes[4 * i + 2] && y >= boxes[4 * i + 1] && y < boxes[4 * i + 3]) return i;
  }
  return null;
}

function centre(boxes, i) {
  return [(boxes[4 * i] + boxes[4 * i + 2]) / 2, (boxes[4 * i + 1] + boxes[4 * i + 3]) / 2];
}

function pointOf(lens, event) {
  const frame = lens.canvas.getBoundingClientRect();
  const [width, height] = lens.scene.size;
  return [((event.clientX - frame.left) / frame.width) * width, ((event.clientY - frame.top) / frame.height) * height];
}

function startStroke(lens, event) {
  const at = pointOf(lens, event);
  const before = new Set(lens.mask);
  if (lens.tool === "brush") {
    const erase = lens.mask.has(cellAt(lens, ...at));
    lens.stroke = { kind: "brush", erase, before, last: at };
    brushTo(lens, at);
  } else if (lens.tool === "box") {
    lens.stroke = { kind: "box", before, from: at, to: at, add: event.shiftKey };
  }
}

function moveStroke(lens, event) {
  if (lens.stroke.kind === "box") return boxTo(lens, pointOf(lens, event));
  // A fast hand skips cells between two events; the browser keeps the points in between.
  const events = event.getCoalescedEvents?.() ?? [];
  for (const e of events.length ? events : [event]) brushTo(lens, pointOf(lens, e));
}

function brushTo(lens, to) {
  const { stroke, scene } = lens;
  const [dx, dy] = [to[0] - stroke.last[0], to[1] - stroke.last[1]];
  const i = scene.order.at(-1) ?? 0;
  const pace = Math.max(1e-6, Math.min(scene.boxes[4 * i + 2] - scene.boxes[4 * i], scene.boxes[4 * i + 3] - scene.boxes[4 * i + 1]) / 4);
  const steps = Math.max(1, Math.ceil(Math.hypot(dx, dy) / pace));
  for (let s = 1; s <= steps; s++) {
    const cell = cellAt(lens, stroke.last[0] + (dx * s) / steps, stroke.last[1] + (dy * s) / steps);
    if (cell === null) continue;
    if (stroke.erase) lens.mask.delete(cell);
    else lens.mask.add(cell);
  }
  stroke.last = to;
}

function boxTo(lens, to) {
  const { stroke, scene } = lens;
  stroke.to = to;
  const [left, right] = [stroke.from[0], to[0]].sort((a, b) => a - b);
  const [top, bottom] = [stroke.from[1], to[1]].sort((a, b) => a - b);
  lens.mask = new Set(stroke.add ? stroke.before : []);
  for (let i = 0; i < scene.cells; i++) {
    const [x, y] = centre(scene.boxes, i);
    if (x >= left && x <= right && y >= top && y <= bottom) lens.mask.add(i);
  }
}

function endStroke(lens) {
  const { kind, before, from, to } = lens.stroke;
  lens.stroke = null;
  const frame = lens.canvas.clientWidth / lens.scene.size[0];
  const slip = kind === "box" && Math.hypot(to[0] - from[0], to[1] - from[1]) * frame < 4; // a click, not a box
  if (slip) lens.mask = before;
  report(lens);
}

function cancelStroke(lens) {
  if (!lens.stroke) return;
  lens.mask = lens.stroke.before;
  lens.stroke = null;
}

function region(lens) {
  return [...lens.mask].sort((a, b) => a - b);
}

// The picture's id travels along, so that Python never takes a region drawn on one picture for one on the next.
function report(lens) {
  const cells = region(lens);
  if (String(cells) === lens.reported) return;
  lens.reported = String(cells);
  lens.send("region", { picture: lens.scene.ids.picture, cells });
}

function listenToPointer(lens, on) {
  const { canvas } = lens;
  const hover = (event) => point(lens, cellAt(lens, ...pointOf(lens, event)));
  on(canvas, "pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    canvas.focus({ preventScroll: true });
    hover(event);
    if (lens.tool !== "hover") {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      startStroke(lens, event);
    }
  });
  on(canvas, "pointermove", (event) => {
    if (!event.isPrimary) return; // a second finger
    hover(event);
    if (lens.stroke) moveStroke(lens, event);
  });
  on(canvas, "pointerup", (event) => event.isPrimary && lens.stroke && endStroke(lens));
  on(canvas, "pointercancel", () => cancelStroke(lens));
  on(canvas, "pointerleave", (event) => {
    if (!lens.byKey && event.pointerType === "mouse") leave(lens); // a lifted finger leaves the value to read
  });
  on(canvas, "blur", () => leave(lens));
}

// The nearest cell on that side; going astray sideways counts double.
function neighbour(lens, dx, dy) {
  const { boxes, cells } = lens.scene;
  const [x, y] = centre(boxes, lens.cell);
  let best = lens.cell, least = Infinity;
  for (let i = 0; i < cells; i++) {
    const [cx, cy] = centre(boxes, i);
    const along = (cx - x) * dx + (cy - y) * dy;
    const aside = Math.abs((cx - x) * dy) + Math.abs((cy - y) * dx);
    if (along > 1e-6 && along + 2 * aside < least) [best, least] = [i, along + 2 * aside];
  }
  return best;
}

function walk(lens, dx, dy) {
  const start = lens.shown?.values ? hottest(lens.shown.values) : 0;
  point(lens, lens.cell === null ? start : neighbour(lens, dx, dy), true);
}

function toggleCell(lens) {
  if (lens.cell === null || lens.tool === "hover") return;
  if (!lens.mask.delete(lens.cell)) lens.mask.add(lens.cell);
  report(lens);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pressOnPicture(lens, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey) walk(lens, ...arrow);
  else if (arrow && arrow[0]) setSlice(lens, lens.slice + arrow[0]);
  else if (arrow) stepHead(lens, arrow[1]);
  else if (event.key === " ") lens.on = !lens.on;
  else if (event.key === "Enter" || event.key === "x") toggleCell(lens);
  else return false;
  return true;
}

function listenToKeys(lens, on) {
  on(lens.root, "keydown", (event) => {
    let taken = event.target === lens.canvas && pressOnPicture(lens, event);
    if (event.key === "?") taken = toggleHelp(lens);
    if (event.key === "Escape") taken = letGo(lens);
    if (!taken) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has single-letter shortcuts of its own
  });
}

function letGo(lens) {
  lens.help = false;
  lens.pinned = lens.token = null;
  point(lens, null);
  cancelStroke(lens);
  return true;
}

function toggleHelp(lens) {
  lens.help = !lens.help;
  return true;
}
