// The strip of tokens under the picture: chips for words, one small grid for each run of image tokens.

const MANY = 800; // beyond this a grid says less than a number
const ROW = 48; // tokens a row where the boxes do not tell where a row ends

function runs(tokens) {
  const out = [];
  tokens.forEach((token, at) => {
    const open = out.at(-1);
    if (token.segment === "image" && open?.image) open.tokens.push(at);
    else out.push({ image: token.segment === "image", tokens: [at] });
  });
  return out;
}

function buildStrip(lens) {
  const { tokens, imageTokens } = lens.scene;
  lens.minis = [];
  const parts = runs(tokens).map((run) => {
    if (!run.image) return chip(lens, run.tokens[0]);
    if (imageTokens > MANY) return summary(run.tokens.length);
    return mini(lens, run.tokens);
  });
  lens.el.tokens.replaceChildren(...parts);
  lens.el.segments.replaceChildren(...Object.keys(SEGMENTS).filter((s) => tokens.some((t) => t.segment === s)).map(segmentKey));
  lens.el.strip.hidden = tokens.length === 0;
  rove(lens, lens.el.tokens.querySelector("button.looking") ?? lens.el.tokens.querySelector("button"));
}

function segmentKey(segment) {
  const key = element("span", segment);
  key.style.setProperty("--segment", SEGMENTS[segment]);
  key.append(element("i", ""), segment);
  return key;
}

function chip(lens, at) {
  const { text, segment } = lens.scene.tokens[at];
  const looking = lens.scene.maps?.rows.includes(at) ?? false;
  const node = element("button", `chip ${segment}${looking ? " looking" : ""}`, plain(text));
  node.type = "button";
  node.dataset.token = at;
  node.tabIndex = -1;
  node.style.setProperty("--segment", SEGMENTS[segment]);
  node.title = `token ${at}, ${segment}${looking ? ": point to see where it looks, click to keep it" : ""}`;
  if (looking) node.setAttribute("aria-pressed", "false");
  return node;
}

function summary(count) {
  const node = element("span", "chip image", `image \u00d7 ${count}`);
  node.style.setProperty("--segment", SEGMENTS.image);
  return node;
}

function mini(lens, tokens) {
  const canvas = element("canvas", "mini");
  const step = tokens.length <= 100 ? 9 : tokens.length <= 400 ? 7 : 6;
  const { places, columns, rows } = flow(lens.scene, tokens);
  Object.assign(canvas.style, { width: `${columns * step}px`, height: `${rows * step}px` });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${tokens.length} image tokens`);
  lens.minis.push({ canvas, tokens, places, columns, rows, step });
  return canvas;
}

// Tokens fill rows as their boxes do; a token with no place (a row's end, say) stays on the row it follows.
function flow({ tokens, boxes }, run) {
  const places = [];
  let x = -1, y = 0, top = null, columns = 1;
  for (const at of run) {
    const cell = tokens[at].cells[0];
    const height = cell === undefined ? 0 : boxes[4 * cell + 3] - boxes[4 * cell + 1];
    const below = cell !== undefined && top !== null && Math.abs(boxes[4 * cell + 1] - top) > height / 2;
    if (below || x + 1 >= ROW) [x, y] = [-1, y + 1];
    if (cell !== undefined) top = boxes[4 * cell + 1];
    places.push([++x, y]);
    columns = Math.max(columns, x + 1);
  }
  return { places, columns, rows: y + 1 };
}

function paintMini(lens, { canvas, tokens, places, columns, rows, step }) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = columns * step * ratio;
  canvas.height = rows * step * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const { scene, shown } = lens;
  tokens.forEach((at, k) => {
    const [x, y] = places[k].map((n) => n * step);
    const { cells } = scene.tokens[at];
    context.globalAlpha = cells.length ? 1 : 0.25;
    context.fillStyle = "#E69F00";
    if (cells.length && shown?.values) {
      const mean = cells.reduce((sum, cell) => sum + shown.values[cell], 0) / cells.length;
      context.fillStyle = `rgb(${TABLES[shown.signed][shade(mean, shown.max, shown.signed)].colour})`;
    }
    context.fillRect(x, y, step - 1, step - 1);
    context.globalAlpha = 1;
    const lit = at === lens.token || at === lens.pinned || cells.includes(lens.cell);
    if (!lit) return;
    for (const [colour, width] of [["#000", 3], ["#fff", 1.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(x + 0.5, y + 0.5, step - 2, step - 2);
    }
  });
}

function paintStrip(lens) {
  for (const run of lens.minis) paintMini(lens, run);
  for (const node of lens.el.tokens.querySelectorAll("button.chip")) {
    const at = Number(node.dataset.token);
    node.classList.toggle("on", at === lens.token || lens.scene.tokens[at].cells.includes(lens.cell));
    if (node.hasAttribute("aria-pressed")) node.setAttribute("aria-pressed", String(at === lens.pinned));
  }
}

// One stop for the tab key; arrows go on from there.
function rove(lens, node) {
  lens.el.tokens.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
  node?.setAttribute("tabindex", "0");
}

function tokenUnder(lens, event) {
  const node = event.target.closest?.("[data-token]");
  if (node) return Number(node.dataset.token);
  const run = lens.minis.find(({ canvas }) => canvas === event.target);
  if (!run) return null;
  const frame = run.canvas.getBoundingClientRect();
  const edge = run.canvas.clientLeft + parseFloat(getComputedStyle(run.canvas).paddingLeft);
  const x = Math.floor((event.clientX - frame.left - edge) / run.step);
  const y = Math.floor((event.clientY - frame.top) / run.step);
  const k = run.places.findIndex(([px, py]) => px === x && py === y);
  return k < 0 ? null : run.tokens[k];
}

function listenToStrip(lens, on) {
  const { tokens } = lens.el;
  const useful = (at) => (at !== null && (lens.scene.tokens[at].cells.length || lens.scene.maps?.rows.includes(at)) ? at : null);
  on(tokens, "pointermove", (event) => (lens.token = tokenUnder(lens, event)));
  on(tokens, "pointerleave", () => (lens.token = null));
  on(tokens, "click", (event) => {
    const at = useful(tokenUnder(lens, event));
    if (at !== null) lens.pinned = lens.pinned === at ? null : at;
  });
  on(tokens, "focusin", (event) => {
    if (!event.target.matches(":focus-visible")) return; // a click focuses too, and must be able to unpin
    lens.token = tokenUnder(lens, event);
    rove(lens, event.target);
  });
  on(tokens, "focusout", () => (lens.token = null));
  on(tokens, "keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const chips = [...tokens.querySelectorAll("button.chip")];
    chips[chips.indexOf(event.target) + step]?.focus();
    event.preventDefault();
  });
}
