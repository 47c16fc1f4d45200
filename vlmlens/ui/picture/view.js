// What the eye gets: one frame of the picture, its legend and its controls, from the state of a `lens`.

const BESIDE = 840; // from this width on the controls stand beside the picture
const PANEL = 300;
const ATTENTION = "of the attention"; // the unit that is told in percent

function headsInWords({ heads, scene }) {
  if (scene.maps.heads === 1) return "";
  if (heads.length === 0) return `, mean of ${scene.maps.heads} heads`;
  return heads.length === 1 ? `, head ${heads[0]}` : `, mean of heads ${heads.join(", ")}`;
}

// What the map shows now: a token's own attention while it is pointed at or pinned, the answer's otherwise.
function whatIsShown(lens) {
  const { maps, tokens, signed } = lens.scene;
  if (!maps) return null;
  const label = maps.labels[lens.slice];
  const looking = [lens.token, lens.pinned].find((at) => at !== null && maps.rows.includes(at)) ?? null;
  const one = lens.scale === "layer";
  const values = looking === null ? maps.ofHeads(lens.slice, lens.heads) : maps.ofToken(lens.slice, looking);
  const ofSign = signed && looking === null;
  const attention = looking !== null || maps.unit === ATTENTION;
  const most = () => (looking === null ? maps.maxOfHeads(lens.heads) : maps.maxOfToken(looking));
  const word = looking === null ? null : inQuotes(tokens[looking].text);
  return {
    values: values.every(Number.isNaN) ? null : values,
    max: one ? extreme(values) : most(),
    looking, signed: ofSign, percent: attention && !ofSign,
    unit: word ? `${ATTENTION} of ${word}` : attention && ofSign ? "" : maps.unit,
    wordAt: (cell) => (word ? "" : maps.wordAt(lens.slice, cell)),
    title: word ? `where ${word} looks, ${label}` : `${label}${headsInWords(lens)}`,
  };
}

// The cells to outline: the one under the pointer or the keys, else those of the token pointed at or pinned.
function outlined(lens) {
  if (lens.cell !== null) return [lens.cell];
  const at = [lens.token, lens.pinned].find((t) => t !== null && lens.scene.tokens[t].cells.length);
  return at === undefined ? [] : lens.scene.tokens[at].cells;
}

function fit(lens) {
  const { root, canvas, scene } = lens;
  const width = root.clientWidth;
  const wide = scene.maps !== null && width >= BESIDE;
  const room = wide ? width - PANEL - 24 : width;
  const shown = Math.max(80, Math.floor(Math.min(room, (scene.height * scene.size[0]) / scene.size[1])));
  const tall = Math.max(1, Math.round((shown * scene.size[1]) / scene.size[0]));
  const ratio = window.devicePixelRatio || 1;
  root.classList.toggle("wide", wide);
  root.style.setProperty("--stage", `${shown}px`);
  const name = `${shown}x${tall}@${ratio} ${scene.ids.boxes} ${scene.maps?.hasWords}`;
  if (name === lens.fitted) return;
  lens.fitted = name;
  Object.assign(canvas.style, { width: `${shown}px`, height: `${tall}px` });
  canvas.width = Math.round(shown * ratio);
  canvas.height = Math.round(tall * ratio);
  lens.ratio = ratio;
  lens.rects = snap(scene.boxes, scene.size, canvas.width, canvas.height);
  lens.roomy = roomyCells(lens);
  lens.cover = scene.seesAll ? null : hatch(lens.rects, canvas.width, canvas.height, ratio);
}

function paintPicture(lens) {
  const { canvas, scene, rects, ratio, shown } = lens;
  const context = canvas.getContext("2d");
  const plain = lens.bitmaps.crisp === null || lens.pixels;
  const bitmap = plain ? lens.bitmaps.picture : lens.bitmaps.crisp;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (bitmap) {
    // Enlarged pixels are shown as pixels: blurring them would show what no one sent.
    context.imageSmoothingEnabled = !(lens.pixels && scene.ids.crisp) && canvas.width < 3 * bitmap.width;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  }
  if (lens.cover) context.drawImage(lens.cover, 0, 0);
  if (lens.on && shown?.values) paintMap(context, rects, scene.order, shown.values, shown.max, shown.signed, lens.opacity);
  if (scene.region.length) paintMarked(context, rects, scene.region, ratio);
  if (lens.mask.size) paintBrushed(context, rects, lens.mask, ratio);
  if (lens.stroke?.kind === "box") paintBox(lens, context);
  if (lens.on && shown) paintWords(lens, context);
  const cells = outlined(lens);
  if (cells.length) paintCursor(context, rects, cells, ratio);
}

function paintBox({ stroke, canvas, scene, ratio }, context) {
  const scale = canvas.width / scene.size[0];
  const [x0, y0, x1, y1] = [...stroke.from, ...stroke.to].map((v) => v * scale);
  const path = new Path2D();
  path.rect(x0, y0, x1 - x0, y1 - y0);
  strokePath(context, path, "#000", 1.5 * ratio);
  strokePath(context, path, "#fff", 1.5 * ratio, [4 * ratio, 4 * ratio]);
}

function paintLegend(lens) {
  const { el, shown, scene } = lens;
  const empty = shown && !shown.values;
  el.caption.textContent = !shown ? "" : empty ? `${shown.title}: not recorded here` : lens.on ? shown.title : `${shown.title} (hidden)`;
  el.scaleKey.hidden = !shown?.values;
  if (shown?.values) {
    el.low.textContent = shown.signed ? amount(-shown.max, shown) : "0";
    el.high.textContent = amount(shown.max, shown);
    el.unit.textContent = shown.percent ? "" : shown.unit;
    paintScale(el.bar, shown.signed, lens.opacity);
  }
  el.unseen.hidden = scene.seesAll;
  el.marked.hidden = scene.region.length === 0;
  el.yours.hidden = lens.mask.size === 0;
  el.yours.lastElementChild.textContent = `your region, ${lens.mask.size} of ${scene.cells} cells`;
}

function paintHeads(lens) {
  const { maps, signed, thumbnail } = lens.scene;
  if (!maps || maps.heads === 1) return;
  const name = `${lens.slice}|${lens.drawn}`;
  for (const button of lens.el.sheet.children) {
    const head = button.dataset.head === "mean" ? null : Number(button.dataset.head);
    button.setAttribute("aria-pressed", String(head === null ? lens.heads.length === 0 : lens.heads.includes(head)));
    if (lens.thumbs === name) continue;
    const values = maps.ofHeads(lens.slice, head === null ? [] : [head]);
    const total = values.reduce((sum, v) => sum + v, 0);
    const tells = maps.unit === ATTENTION && !signed && !Number.isNaN(total);
    const share = tells ? `, ${digits(100 * total)} % of its attention is on the picture` : "";
    const label = `${head === null ? "mean of all heads" : `head ${head}`}${share}`;
    button.setAttribute("aria-label", label);
    button.title = label;
    paintThumbnail(button.firstElementChild, thumbnail, values, extreme(values), signed);
  }
  lens.thumbs = name;
}

function setRange(input, value, spoken) {
  input.value = value;
  input.style.setProperty("--at", `${(100 * (value - input.min)) / Math.max(1, input.max - input.min)}%`);
  input.setAttribute("aria-valuetext", spoken);
}

function paintControls(lens) {
  const { el, scene } = lens;
  const slices = scene.maps?.labels ?? [];
  el.panel.hidden = !scene.maps && scene.seesAll && scene.region.length === 0 && lens.mask.size === 0;
  el.layers.hidden = slices.length < 2;
  el.headsRow.hidden = (scene.maps?.heads ?? 1) === 1;
  el.looks.hidden = el.onoff.parentElement.hidden = !scene.maps;
  el.scales.hidden = slices.length < 2;
  el.slice.max = Math.max(0, slices.length - 1);
  const spoken = slices.length ? `${slices[lens.slice]} \u00b7 ${lens.slice + 1} / ${slices.length}` : "";
  el.sliceText.textContent = spoken;
  setRange(el.slice, lens.slice, spoken);
  setRange(el.opacity, Math.round(100 * lens.opacity), `${Math.round(100 * lens.opacity)} %`);
  el.onoff.checked = lens.on;
  el.pixels.checked = lens.pixels;
  el.pixels.parentElement.hidden = !scene.ids.crisp;
  el.help.hidden = !lens.help;
  el.ask.setAttribute("aria-expanded", String(lens.help));
  el.toolbar.hidden = scene.tools.length < 2 && !scene.maps && !scene.ids.crisp;
  el.clear.hidden = el.tools.hidden = scene.tools.length < 2;
  el.clear.disabled = lens.mask.size === 0;
  for (const button of el.tools.children) {
    button.hidden = !scene.tools.includes(button.dataset.tool);
    button.setAttribute("aria-pressed", String(button.dataset.tool === lens.tool));
  }
  for (const button of el.scales.children) button.setAttribute("aria-pressed", String(button.dataset.scale === lens.scale));
}

function describe(lens) {
  const { root, scene, shown, canvas } = lens;
  const parts = [`Picture, ${scene.size[0]} by ${scene.size[1]} pixels, ${scene.cells} cells.`];
  if (shown?.values) {
    const best = hottest(shown.values);
    const [value, word] = cellInWords(lens, best);
    parts.push(`${shown.title}. Hottest cell ${best}: ${[value, word].filter(Boolean).join(", ")}.`);
  }
  if (lens.mask.size) parts.push(`Your region: ${lens.mask.size} cells.`);
  canvas.setAttribute("aria-label", parts.join(" "));
  const cell = lens.byKey ? lens.cell : null;
  const words = cell === null ? [] : [...cellInWords(lens, cell), lens.mask.has(cell) ? "marked" : ""];
  const said = words.filter(Boolean).join(", ");
  if (lens.el.said.textContent !== said) lens.el.said.textContent = said;
  root.dataset.slice = lens.slice;
  root.dataset.head = lens.heads.length ? lens.heads.join(",") : "mean";
  root.dataset.region = region(lens).join(",");
  root.dataset.tool = lens.tool;
  root.dataset.map = lens.on ? "on" : "off";
  root.classList.toggle("token", shown?.looking != null);
}

function paint(lens) {
  lens.frame = null;
  if (!lens.root.isConnected || lens.root.clientWidth === 0) return;
  lens.shown = whatIsShown(lens);
  fit(lens);
  paintControls(lens);
  paintLegend(lens);
  paintPicture(lens);
  paintHeads(lens);
  paintStrip(lens);
  placeTip(lens);
  describe(lens);
  if (lens.bitmaps.of === lens.scene.ids.picture + lens.scene.ids.crisp) lens.root.dataset.ready = "1";
}

function repaint(lens) {
  lens.frame ??= requestAnimationFrame(() => paint(lens));
}
