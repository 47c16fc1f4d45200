// What the eye gets: the board and its palette, from the state of a `lens`.

const WIDE = 560; // from this width on the palette stands beside the board
const SVG = "http://www.w3.org/2000/svg";

function picture(thing, { look }) {
  const half = look.pixels / 2;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `${-half} ${-half} ${look.pixels} ${look.pixels}`);
  svg.setAttribute("aria-hidden", "true");
  if (thing) svg.append(polygon(thing, look));
  return svg;
}

function polygon({ color, shape, size, dx = 0, dy = 0 }, look) {
  const node = document.createElementNS(SVG, "polygon");
  const radius = look.radius[size];
  node.setAttribute("points", look.corners[shape].map(([x, y]) => `${radius * x + dx},${radius * y + dy}`).join(" "));
  node.setAttribute("fill", look.colors[color]);
  return node;
}

function choice(name, value) {
  const button = element("button", "choice");
  button.type = "button";
  button.dataset[name] = value;
  return button;
}

function build(lens) {
  const { el, data: { look } } = lens;
  const cells = Array.from({ length: look.side ** 2 }, (_, cell) => {
    const button = element("button", "cell");
    button.type = "button";
    button.dataset.cell = cell;
    return button;
  });
  el.cells.replaceChildren(...cells);
  el.shapes.replaceChildren(...Object.keys(look.corners).map((shape) => choice("shape", shape)));
  el.colors.replaceChildren(...Object.entries(look.colors).map(([color, css]) => {
    const button = choice("color", color);
    const dot = element("i", "");
    dot.style.background = css;
    button.append(dot);
    button.setAttribute("aria-label", color);
    button.title = color;
    return button;
  }));
  el.sizes.replaceChildren(...Object.keys(look.radius).map((size) => {
    const button = choice("size", size);
    button.textContent = size;
    return button;
  }));
  lens.root.style.setProperty("--cells", look.side);
  lens.root.style.setProperty("--board", look.background);
}

function place(cell, side) {
  return `row ${Math.floor(cell / side) + 1}, column ${(cell % side) + 1}`;
}

function paintCells(lens) {
  const { el, things, data, drag, cell: selected } = lens;
  [...el.cells.children].forEach((button, cell) => {
    const thing = thingAt(things, cell);
    button.replaceChildren(picture(thing, data));
    button.setAttribute("aria-label", `${place(cell, data.look.side)}: ${thing ? inWords(thing) : "empty"}`);
    button.setAttribute("aria-pressed", String(cell === selected));
    button.tabIndex = cell === selected ? 0 : -1;
    button.classList.toggle("full", thing !== null);
    button.classList.toggle("lifted", Boolean(drag?.dragging) && drag.from === cell);
    button.classList.toggle("aimed", Boolean(drag?.dragging) && drag.to === cell && drag.from !== cell);
  });
}

function paintPalette(lens) {
  const { el, things, data, cell, look } = lens;
  const thing = thingAt(things, cell);
  const full = things.length >= data.look.most;
  const where = place(cell, data.look.side);
  const about = `${where}: ${thing ? inWords(thing) : full ? "empty" : "pick a kind to add"}`;
  const spoken = about[0].toUpperCase() + about.slice(1);
  if (el.about.textContent !== spoken) el.about.textContent = spoken;
  el.count.textContent = `${things.length} of at most ${data.look.most} things.${full ? " Remove one to add another." : ""}`;
  for (const button of el.palette.querySelectorAll(".choice")) {
    const [[name, value]] = Object.entries(button.dataset);
    button.setAttribute("aria-pressed", String((thing || name !== "shape") && look[name] === value));
    if (name !== "shape") continue;
    const drawn = { ...look, shape: value };
    button.replaceChildren(picture(drawn, data));
    button.setAttribute("aria-label", thing ? value : `add ${inWords(drawn)}`);
    button.title = thing ? value : full ? "The board is full" : `add a ${inWords(drawn)}`;
    button.disabled = full && !thing;
  }
}

function paintGhost({ root, el, drag, data }) {
  const dragging = Boolean(drag?.dragging);
  const off = dragging && drag.to === null;
  root.classList.toggle("dragging", dragging);
  root.classList.toggle("off", off && drag.from !== null);
  el.ghost.toggleAttribute("hidden", !dragging);
  if (!dragging) return;
  const side = el.cells.clientWidth / data.look.side;
  const shown = picture(drag.thing, data);
  el.ghost.setAttribute("viewBox", shown.getAttribute("viewBox"));
  el.ghost.replaceChildren(...shown.children);
  Object.assign(el.ghost.style, { width: `${side}px`, height: `${side}px`, transform: `translate(${drag.x - side / 2}px, ${drag.y - side / 2}px)` });
}

function paint(lens) {
  lens.frame = null;
  const { root, el } = lens;
  if (!root.isConnected || root.clientWidth === 0) return;
  root.classList.toggle("wide", root.clientWidth >= WIDE);
  paintCells(lens);
  paintPalette(lens);
  paintGhost(lens);
  el.undo.disabled = lens.past.length === 0;
  el.redo.disabled = lens.future.length === 0;
  el.remove.disabled = thingAt(lens.things, lens.cell) === null;
  el.help.hidden = !lens.help;
  el.ask.setAttribute("aria-expanded", String(lens.help));
}

function repaint(lens) {
  lens.frame ??= requestAnimationFrame(() => paint(lens));
}
