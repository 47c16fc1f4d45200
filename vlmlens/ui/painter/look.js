// What the eye gets: one frame of the picture, its marks and its controls, from the state of a `lens`.

function fit(lens) {
  const { root, canvas, data } = lens;
  const [width, height] = data.size;
  const shown = Math.max(40, Math.floor(Math.min(root.clientWidth, (data.height * width) / height)));
  const tall = Math.max(1, Math.round((shown * height) / width));
  const ratio = window.devicePixelRatio || 1;
  const name = `${shown}x${tall}@${ratio}`;
  if (name === lens.fitted) return; // setting a canvas's size empties it
  Object.assign(lens, { fitted: name, ratio });
  Object.assign(canvas.style, { width: `${shown}px`, height: `${tall}px` });
  canvas.width = Math.round(shown * ratio);
  canvas.height = Math.round(tall * ratio);
}

// A brush is as wide as it is: its edge is what a wider stroke leaves around it, painted aside.
function paintMark(lens, context, mark, { fill, dash = [] }) {
  const { canvas, ratio, data } = lens;
  const path = pathOf(mark, canvas.width, canvas.height);
  if (mark.kind !== "brush") {
    context.fillStyle = fill;
    context.fill(path, mark.kind === "lasso" ? "evenodd" : "nonzero"); // as Region.mask counts it
    strokePath(context, path, "rgba(255,255,255,.9)", 5 * ratio);
    strokePath(context, path, VERMILION, 2.5 * ratio, dash.map((v) => v * ratio));
    return;
  }
  const width = (2 * mark.radius * short(data.size) * canvas.width) / data.size[0];
  const aside = new OffscreenCanvas(canvas.width, canvas.height);
  const pen = aside.getContext("2d");
  Object.assign(pen, { lineCap: "round", lineJoin: "round" });
  const draw = (wide, colour, mode) => {
    Object.assign(pen, { lineWidth: Math.max(1, wide), strokeStyle: colour, globalCompositeOperation: mode });
    pen.stroke(path);
  };
  draw(width + 2.5 * ratio, "rgba(255,255,255,.9)", "source-over");
  draw(width, VERMILION, "source-over");
  draw(width - 4 * ratio, "#000", "destination-out");
  draw(width - 4 * ratio, fill, "source-over");
  context.globalAlpha = dash.length ? 0.7 : 1;
  context.drawImage(aside, 0, 0);
  context.globalAlpha = 1;
}

function paintObjects({ data, over, canvas, ratio }, context) {
  data.objects.forEach(({ box: [left, top, right, bottom] }, i) => {
    const path = pathOf({ kind: "box", points: [[left, top], [right, bottom]] }, canvas.width, canvas.height);
    strokePath(context, path, "rgba(0,0,0,.75)", (i === over ? 3.5 : 1.5) * ratio);
    strokePath(context, path, "#fff", (i === over ? 2 : 1.5) * ratio, i === over ? [] : [4 * ratio, 4 * ratio]);
  });
}

function paintHandle(lens, context, at, from) {
  const { canvas, ratio } = lens;
  const place = (point) => [point[0] * canvas.width, point[1] * canvas.height];
  const [x, y] = place(at);
  const way = new Path2D();
  way.moveTo(...place(from));
  way.lineTo(x, y);
  strokePath(context, way, "rgba(255,255,255,.9)", 4 * ratio);
  strokePath(context, way, VERMILION, 2 * ratio);
  const ring = new Path2D();
  ring.arc(x, y, 11 * ratio, 0, 2 * Math.PI);
  context.fillStyle = lens.atHandle || lens.stroke?.kind === "target" ? "#fff" : "rgba(255,255,255,.85)";
  context.fill(ring);
  strokePath(context, ring, VERMILION, 2.5 * ratio);
  const cross = new Path2D(); // four arrows: it can be moved
  for (const [dx, dy] of Object.values(ARROWS)) {
    const tip = [x + 7 * dx * ratio, y + 7 * dy * ratio];
    cross.moveTo(x, y);
    cross.lineTo(...tip);
    for (const side of [-1, 1]) {
      cross.moveTo(...tip);
      cross.lineTo(tip[0] - 2.5 * ratio * (dx + side * dy), tip[1] - 2.5 * ratio * (dy + side * dx));
    }
  }
  strokePath(context, cross, "#7a3600", 1.5 * ratio);
}

function paintPicture(lens, seen) {
  const { canvas, bitmaps, data, stroke } = lens;
  const context = canvas.getContext("2d");
  const bitmap = (lens.sees === "before" ? bitmaps.before : bitmaps.shown).bitmap;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (bitmap) {
    context.imageSmoothingEnabled = canvas.width < 3 * bitmap.width; // enlarged pixels are shown as pixels
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  }
  if (lens.tool === "object") paintObjects(lens, context);
  const ghost = ghostOf(seen);
  if (ghost) paintMark(lens, context, ghost, { fill: "rgba(213,94,0,.12)", dash: [6, 5] });
  if (seen.mark) paintMark(lens, context, seen.mark, { fill: "rgba(213,94,0,.28)" });
  const at = stroke?.mark ? null : handle(seen);
  if (at) paintHandle(lens, context, at, middle(seen.mark, data.size));
}

function regionInWords({ mark, object, data }) {
  const [left, top, right, bottom] = bounds(mark, data.size);
  const [x, y] = inPixels([left, top], data.size).map(Math.round);
  const [width, height] = inPixels([right - left, bottom - top], data.size).map((v) => Math.max(1, Math.round(v)));
  const what = object === null ? mark.kind : data.objects[object].name;
  return `your region: ${what}, ${width} \u00d7 ${height} pixels at ${x}, ${y}`;
}

function hintInWords({ mark, to, tool, data }) {
  if (data.target && mark) return to ? "" : "Drag the ring to where the region shall go.";
  if (mark) return "";
  return tool === "object" ? "Click a thing to take it." : "Drag on the picture to mark a region.";
}

function paintControls(lens, seen) {
  const { el, data, tool } = lens;
  el.tools.hidden = data.tools.length < 2;
  for (const button of el.tools.children) {
    button.hidden = !data.tools.includes(button.dataset.tool);
    button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  }
  const wide = `${Math.max(1, Math.round(2 * lens.radius * short(data.size)))} px`;
  el.width.hidden = tool !== "brush";
  el.radius.value = Math.round(100 * lens.radius);
  el.radius.style.setProperty("--at", `${(100 * (el.radius.value - 1)) / 19}%`);
  el.radius.setAttribute("aria-valuetext", wide);
  el.wide.textContent = wide;
  el.clear.disabled = !lens.mark;
  el.compare.hidden = data.pictures.before === null;
  el.compare.setAttribute("aria-pressed", String(lens.sees === "before"));
  el.badge.hidden = lens.sees !== "before";
  el.help.hidden = !lens.help;
  el.ask.setAttribute("aria-expanded", String(lens.help));
  el.yours.hidden = !seen.mark;
  el.yours.lastElementChild.textContent = seen.mark ? regionInWords(seen) : "";
  el.goes.hidden = !ghostOf(seen);
  el.goes.lastElementChild.textContent = seen.to ? `goes to ${inPixels(seen.to, data.size).map(Math.round).join(", ")}` : "";
  el.hint.textContent = hintInWords(seen);
}

function describe(lens) {
  const { root, canvas, data, el, mark, to } = lens;
  const words = [mark ? regionInWords(lens) : "nothing marked", ghostOf(lens) ? el.goes.textContent.trim() : ""].filter(Boolean);
  const seen = lens.sees === "before" ? "Picture before the change" : "Picture";
  canvas.setAttribute("aria-label", `${seen}, ${data.size[0]} by ${data.size[1]} pixels; ${words.join("; ")}.`);
  const said = lens.stroke ? el.said.textContent : words.join("; ");
  if (el.said.textContent !== said) el.said.textContent = said;
  Object.assign(root.dataset, { tool: lens.tool, sees: lens.sees, mark: mark?.kind ?? "", to: to ? to.map(rounded).join() : "" });
  root.classList.toggle("handle", lens.atHandle);
  root.classList.toggle("dragging", lens.stroke?.kind === "target");
  root.classList.toggle("object", lens.over !== null);
}

function paint(lens) {
  lens.frame = null;
  const { root, stroke, data, bitmaps } = lens;
  if (!root.isConnected || root.clientWidth === 0) return;
  lens.sees = data.pictures.before !== null && (lens.held || lens.comparing) ? "before" : "shown";
  // What is being drawn takes the place of what was there, until it is let go or given up.
  const drawn = stroke?.mark ? { mark: stroke.mark, to: null, object: null } : stroke?.kind === "target" ? { to: stroke.to } : {};
  const seen = { ...lens, ...drawn };
  fit(lens);
  paintControls(lens, seen);
  paintPicture(lens, seen);
  describe(lens);
  root.dataset.ready = Object.keys(bitmaps).every((which) => bitmaps[which].name === data.pictures[which]) ? "1" : "0";
}

function repaint(lens) {
  lens.frame ??= requestAnimationFrame(() => paint(lens));
}
