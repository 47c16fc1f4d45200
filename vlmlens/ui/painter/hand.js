// What the hand does on the picture: pointer and keys. Each changes `lens` and asks for a repaint.

const KEPT_BACK = 150; // ms that keys and sliders wait before they tell Python
const SLACK = 0.6; // pixels of the page that a simplified stroke may be off
const MOST_POINTS = 500; // of a stroke, which may have to fit into a link

function pointOf({ canvas }, event) {
  const frame = canvas.getBoundingClientRect();
  return inside([(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height]);
}

const scaleOf = ({ canvas, data }) => canvas.clientWidth / data.size[0];

function tell(lens) {
  clearTimeout(lens.timer);
  const points = (mark) => mark.points.map((p) => p.map(rounded));
  const region = lens.mark && { ...lens.mark, points: points(lens.mark), radius: rounded(lens.mark.radius) };
  const told = { version: lens.data.version, region, to: lens.to && lens.to.map(rounded) };
  if (JSON.stringify(told) === lens.told) return;
  lens.told = JSON.stringify(told);
  lens.send("mark", told);
}

function tellSoon(lens) {
  clearTimeout(lens.timer);
  lens.timer = setTimeout(() => tell(lens), KEPT_BACK);
}

function setMark(lens, mark) {
  Object.assign(lens, { mark, to: null, object: null });
}

// Where the handle stands: on the region until it is dragged away.
function handle({ mark, to, data }) {
  return data.target && mark ? to ?? middle(mark, data.size) : null;
}

function ghostOf({ mark, to, data }) {
  if (!data.target || !mark || !to) return null;
  const [x, y] = middle(mark, data.size);
  return shifted(mark, to[0] - x, to[1] - y);
}

function onHandle(lens, point, touch) {
  const at = handle(lens);
  if (!at) return false;
  const [dx, dy] = inPixels([point[0] - at[0], point[1] - at[1]], lens.data.size).map((v) => v * scaleOf(lens));
  return Math.hypot(dx, dy) <= (touch ? 24 : 14);
}

function begin(lens, point, touch) {
  const { tool, data, mark, radius } = lens;
  if (onHandle(lens, point, touch)) {
    const at = handle(lens);
    return { kind: "target", off: [at[0] - point[0], at[1] - point[1]], to: lens.to };
  }
  if (tool === "object") return { kind: "object", object: objectAt(data.objects, point) };
  if (tool === "box") return { kind: "box", from: point, mark: boxOf(point, point) };
  const back = tool === "brush" && mark?.kind === "brush" ? retraced(mark, point, data.size) : null;
  const points = [...(back ?? []), point];
  return { kind: tool, mark: { kind: tool, points, radius: tool === "brush" ? (back ? mark.radius : radius) : 0 } };
}

function extend(lens, event) {
  const { stroke } = lens;
  if (stroke.kind === "target") stroke.to = inside(pointOf(lens, event).map((v, axis) => v + stroke.off[axis]));
  else if (stroke.kind === "box") stroke.mark = boxOf(stroke.from, pointOf(lens, event));
  else if (stroke.mark) {
    const events = event.getCoalescedEvents?.() ?? []; // a fast hand skips points between two events
    for (const e of events.length ? events : [event]) stroke.mark.points.push(pointOf(lens, e));
  }
}

function finish(lens, event) {
  const { stroke, data } = lens;
  lens.stroke = null;
  if (stroke.kind === "target") lens.to = stroke.to;
  else if (stroke.kind === "object") {
    if (stroke.object !== null && objectAt(data.objects, pointOf(lens, event)) === stroke.object) takeObject(lens, stroke.object);
  } else {
    const { mark } = stroke;
    if (mark.kind !== "box") mark.points = shortened(mark.points, lens);
    if (isSlip(mark, data.size, scaleOf(lens))) return;
    setMark(lens, mark);
  }
  tell(lens);
}

function shortened(points, lens) {
  let slack = SLACK / scaleOf(lens), kept;
  do kept = simplified(points, lens.data.size, slack);
  while (kept.length > MOST_POINTS && (slack *= 2));
  return kept;
}

function takeObject(lens, at) {
  const [left, top, right, bottom] = lens.data.objects[at].box;
  setMark(lens, boxOf(inside([left, top]), inside([right, bottom])));
  lens.object = at;
}

function hover(lens, event) {
  const point = pointOf(lens, event);
  lens.over = lens.tool === "object" ? objectAt(lens.data.objects, point) : null;
  lens.atHandle = onHandle(lens, point, event.pointerType === "touch");
}

function listenToPointer(lens, on) {
  const { canvas } = lens;
  on(canvas, "pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    lens.stroke = begin(lens, pointOf(lens, event), event.pointerType === "touch");
    lens.arrows = lens.stroke.kind === "target" ? "target" : "region";
  });
  on(canvas, "pointermove", (event) => {
    if (!event.isPrimary) return; // a second finger
    if (lens.stroke) extend(lens, event);
    else hover(lens, event);
  });
  on(canvas, "pointerup", (event) => {
    if (!event.isPrimary || !lens.stroke) return;
    finish(lens, event);
    hover(lens, event);
  });
  on(canvas, "pointercancel", () => (lens.stroke = null));
  on(canvas, "pointerleave", () => Object.assign(lens, { over: null, atHandle: false }));
  on(canvas, "blur", () => (lens.held = false));
  // A finger on the handle drags it, also where the page would scroll.
  canvas.addEventListener("touchstart", (event) => {
    const finger = event.touches[0];
    if (event.cancelable && onHandle(lens, pointOf(lens, finger), true)) event.preventDefault();
  }, { passive: false, signal: lens.stop.signal });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function moveByKey(lens, arrow, pixels) {
  const { data, mark } = lens;
  if (!mark) return;
  const step = arrow.map((v, axis) => (v * pixels) / data.size[axis]);
  if (data.target && lens.arrows === "target") {
    lens.to = inside(handle(lens).map((v, axis) => v + step[axis]));
  } else {
    lens.mark = nudged(mark, ...step, data.size);
    lens.object = null;
  }
  tellSoon(lens);
}

function markByKey(lens) {
  const { data, tool } = lens;
  if (tool === "object") takeObject(lens, lens.object === null ? 0 : (lens.object + 1) % data.objects.length);
  else if (!lens.mark) setMark(lens, boxOf([0.375, 0.375], [0.625, 0.625]));
  tellSoon(lens);
}

function resizeByKey(lens, step) {
  const { mark, tool, data } = lens;
  if (mark?.kind === "box" && tool !== "brush") {
    lens.mark = grown(mark, step, data.size);
    lens.object = null;
    tellSoon(lens);
  } else setRadius(lens, lens.radius + step / 100);
}

function setRadius(lens, radius) {
  lens.radius = clamp(radius, 0.01, 0.2);
  if (lens.mark?.kind !== "brush") return;
  lens.mark = { ...lens.mark, radius: lens.radius };
  tellSoon(lens);
}

function letGo(lens) {
  if (lens.help) lens.help = false;
  else if (lens.stroke) lens.stroke = null;
  else if (lens.mark) {
    setMark(lens, null);
    tell(lens);
  }
}

function press(lens, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const arrow = ARROWS[event.key] ?? ARROWS[event.code];
  if (arrow) moveByKey(lens, arrow, event.shiftKey ? 10 : 1);
  else if (event.key === "Enter") markByKey(lens);
  else if (event.key === "[" || event.key === "]") resizeByKey(lens, event.key === "]" ? 1 : -1);
  else if (event.key === "t") lens.arrows = lens.arrows === "target" ? "region" : "target";
  else if (event.key === " ") lens.held = lens.data.pictures.before !== null;
  else return false;
  return true;
}

function listenToKeys(lens, on) {
  on(lens.root, "keydown", (event) => {
    let taken = event.target === lens.canvas && press(lens, event);
    if (event.key === "?") {
      lens.help = !lens.help;
      taken = true;
    }
    if (event.key === "Escape") {
      letGo(lens);
      taken = true;
    }
    if (!taken) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has single-letter shortcuts of its own
  });
  on(lens.root, "keyup", (event) => {
    if (event.key === " ") lens.held = false;
  });
}
