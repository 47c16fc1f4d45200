// Words that the map has at its cells, written where there is room.

const ROOMY = [34, 16]; // least width and height of a cell with a word, in pixels of the page
const TYPE = [10, 12]; // smallest and largest type

function plain(text) {
  return text.trim().replaceAll("\n", "\u21b5") || "\u2423";
}

function inQuotes(text) {
  return `\u201c${plain(text)}\u201d`;
}

// Cells that are large enough and that no smaller one covers in the middle.
function roomyCells({ scene, rects, ratio }) {
  if (!scene.maps?.hasWords) return [];
  const large = scene.order.filter((i) => ROOMY.every((least, axis) => rects[4 * i + 2 + axis] >= least * ratio));
  return large.filter((i) => cellAt({ scene }, ...centre(scene.boxes, i)) === i);
}

// The type shrinks first; what is too long for the smallest loses its end.
function fitWord(context, word, room, ratio, family) {
  const [least, most] = TYPE.map((size) => size * ratio);
  const type = (size) => (context.font = `600 ${size}px ${family}`);
  type(most);
  const size = Math.min(most, (most * room) / context.measureText(word).width);
  type(Math.max(least, size));
  if (size >= least) return word;
  let kept = [...word];
  while (kept.length > 1 && context.measureText(`${kept.join("")}\u2026`).width > room) kept.pop();
  return `${kept.join("").trimEnd()}\u2026`;
}

// White with a dark edge, as subtitles are: legible on every colour of the map and of the picture.
function paintWords({ root, roomy, rects, ratio, shown }, context) {
  if (!roomy.length) return;
  const family = getComputedStyle(root).fontFamily;
  Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 3 * ratio });
  Object.assign(context, { strokeStyle: "rgba(0,0,0,.8)", fillStyle: "#fff" });
  for (const i of roomy) {
    const word = shown.wordAt(i);
    if (!word) continue;
    const [x, y, w, h] = rects.subarray(4 * i, 4 * i + 4);
    const fitted = fitWord(context, plain(word), w - 6 * ratio, ratio, family);
    context.strokeText(fitted, x + w / 2, y + h / 2);
    context.fillText(fitted, x + w / 2, y + h / 2);
  }
}
