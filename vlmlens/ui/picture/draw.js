// Colours, numbers, geometry and canvas painting: functions of what they are given, with no state of their own.

const INFERNO = ["000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4"];
const BELOW = ["6baed6", "2b7bba", "08519c"];
const ABOVE = ["fb7050", "d42020", "8e0610"];
const SEGMENTS = { bos: "#CCCCCC", instruction: "#999999", image: "#E69F00", question: "#0072B2", answer: "#009E73", latent: "#F0E442" };

function rgb(hex) {
  return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function between(anchors, t) {
  const at = t * (anchors.length - 1);
  const i = Math.min(Math.floor(at), anchors.length - 2);
  const low = rgb(anchors[i]), high = rgb(anchors[i + 1]);
  return low.map((c, k) => Math.round(c + (high[k] - c) * (at - i)));
}

// 256 colours. Alpha rises from 0 with the value, so that little attention shows the picture and not purple fog.
function colourTable(signed) {
  return Array.from({ length: 256 }, (_, i) => {
    const t = signed ? (i - 128) / 127 : i / 255;
    const size = Math.min(1, Math.abs(t));
    const colour = signed ? between(t < 0 ? BELOW : ABOVE, size) : between(INFERNO, t);
    return { colour, alpha: size, css: `rgba(${colour},${size.toFixed(3)})` };
  });
}

const TABLES = { false: colourTable(false), true: colourTable(true) };

function shade(value, max, signed) {
  if (!(max > 0) || Number.isNaN(value)) return signed ? 128 : 0;
  const code = signed ? 128 + (127 * value) / max : (255 * value) / max;
  return Math.max(0, Math.min(255, Math.round(code)));
}

// Three significant digits and never an exponent: "12.4", "3.10", "0.0213".
function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-6) return "< 0.000001";
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(size)));
  return value.toFixed(Math.min(decimals, 8));
}

function amount(value, { percent, signed }) {
  if (percent) return `${digits(100 * value)} %`;
  if (!signed) return digits(value);
  return value === 0 ? "0" : `${value > 0 ? "+" : "\u2212"}${digits(Math.abs(value))}`;
}

function ordinal(n) {
  const tail = n % 100 > 10 && n % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][n % 10] || "th";
  return `${n}${tail}`;
}

function extreme(values) {
  let most = 0;
  for (const v of values) if (Math.abs(v) > most) most = Math.abs(v);
  return most;
}

function hottest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best] || Number.isNaN(values[best])) best = i;
  return best;
}

// Boxes snapped to whole pixels of a width x height canvas, so that neighbours share an edge without a seam.
function snap(boxes, size, width, height) {
  const out = new Int32Array(boxes.length); // left, top, width, height a cell
  for (let i = 0; i < boxes.length; i += 4) {
    const [l, r] = [boxes[i], boxes[i + 2]].map((x) => Math.round((x / size[0]) * width));
    const [t, b] = [boxes[i + 1], boxes[i + 3]].map((y) => Math.round((y / size[1]) * height));
    out.set([l, t, Math.max(1, r - l), Math.max(1, b - t)], i);
  }
  return out;
}

function byArea(boxes) {
  const area = (i) => (boxes[4 * i + 2] - boxes[4 * i]) * (boxes[4 * i + 3] - boxes[4 * i + 1]);
  return Array.from({ length: boxes.length / 4 }, (_, i) => i).sort((a, b) => area(b) - area(a));
}

// Which cell owns each pixel of a small raster; -1 where none does. Where cells overlap, the smallest wins.
function raster(boxes, size, width, height) {
  const owner = new Int32Array(width * height).fill(-1);
  const rects = snap(boxes, size, width, height);
  for (const i of byArea(boxes)) {
    const [x, y, w, h] = rects.subarray(4 * i, 4 * i + 4);
    for (let row = Math.max(0, y); row < Math.min(height, y + h); row++) {
      owner.fill(i, row * width + Math.max(0, x), row * width + Math.min(width, x + w));
    }
  }
  return { owner, width, height };
}

// A thumbnail is opaque: it has no picture behind it to show through.
function paintThumbnail(canvas, grid, values, max, signed) {
  canvas.width = grid.width;
  canvas.height = grid.height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(grid.width, grid.height);
  grid.owner.forEach((cell, at) => {
    if (cell < 0) return;
    const { colour, alpha } = TABLES[signed][shade(values[cell], max, signed)];
    const mixed = signed ? colour.map((c) => c * alpha + 244 * (1 - alpha)) : colour;
    image.data.set([...mixed, 255], 4 * at);
  });
  context.putImageData(image, 0, 0);
}

function paintMap(context, rects, order, values, max, signed, opacity) {
  const table = TABLES[signed];
  context.globalAlpha = opacity;
  for (const i of order) {
    const code = shade(values[i], max, signed);
    if (table[code].alpha === 0) continue;
    context.fillStyle = table[code].css;
    context.fillRect(rects[4 * i], rects[4 * i + 1], rects[4 * i + 2], rects[4 * i + 3]);
  }
  context.globalAlpha = 1;
}

// A light hatch over everything that no cell covers.
function hatch(rects, width, height, ratio) {
  const tile = new OffscreenCanvas(8 * ratio, 8 * ratio);
  const pen = tile.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = "rgba(255,255,255,.55)";
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = "rgba(70,70,70,.6)";
  for (const shift of [-8, 0, 8]) {
    pen.moveTo(shift, 8);
    pen.lineTo(shift + 8, 0);
  }
  pen.stroke();
  const sheet = new OffscreenCanvas(width, height);
  const context = sheet.getContext("2d");
  context.fillStyle = context.createPattern(tile, "repeat");
  context.fillRect(0, 0, width, height);
  for (let i = 0; i < rects.length; i += 4) context.clearRect(...rects.subarray(i, i + 4));
  return sheet;
}

// The outline of a set of cells: every edge that two of them share cancels out.
function outline(rects, cells) {
  const edges = new Map();
  const flip = (x0, y0, x1, y1) => {
    const name = `${x0},${y0},${x1},${y1}`;
    if (!edges.delete(name)) edges.set(name, [x0, y0, x1, y1]);
  };
  for (const i of cells) {
    const [x, y, w, h] = rects.subarray(4 * i, 4 * i + 4);
    flip(x, y, x + w, y);
    flip(x, y + h, x + w, y + h);
    flip(x, y, x, y + h);
    flip(x + w, y, x + w, y + h);
  }
  const path = new Path2D();
  for (const [x0, y0, x1, y1] of edges.values()) {
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  }
  return path;
}

function paintMarked(context, rects, cells, ratio) {
  const path = outline(rects, cells);
  strokePath(context, path, "#000", 2.5 * ratio);
  strokePath(context, path, "#fff", 2.5 * ratio, [5 * ratio, 5 * ratio]);
}

function paintBrushed(context, rects, cells, ratio) {
  context.fillStyle = "rgba(213,94,0,.28)";
  for (const i of cells) context.fillRect(...rects.subarray(4 * i, 4 * i + 4));
  const path = outline(rects, cells);
  strokePath(context, path, "rgba(255,255,255,.9)", 5 * ratio);
  strokePath(context, path, VERMILION, 2.5 * ratio);
}

function paintCursor(context, rects, cells, ratio) {
  const path = outline(rects, cells);
  strokePath(context, path, "rgba(0,0,0,.85)", 4 * ratio);
  strokePath(context, path, "#fff", 1.75 * ratio);
}

// The bar that explains the colours, over a checker board because the colours are partly transparent.
function paintScale(canvas, signed, opacity) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 6) {
    for (let y = 0; y < canvas.height; y += 6) {
      context.fillStyle = (x + y) % 12 ? "#d8d8d8" : "#ffffff";
      context.fillRect(x, y, 6, 6);
    }
  }
  context.globalAlpha = opacity;
  for (let x = 0; x < canvas.width; x++) {
    const t = x / (canvas.width - 1);
    context.fillStyle = TABLES[signed][Math.round(255 * t)].css;
    context.fillRect(x, 0, 1, canvas.height);
  }
  context.globalAlpha = 1;
}
