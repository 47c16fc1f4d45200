// What the tooltip says of a cell, and where it stands.

function tokensOf({ scene }, cell) {
  return scene.tokens.flatMap((token, at) => (token.cells.includes(cell) ? [at] : []));
}

// Left, top, width and height of the smallest rectangle around some cells.
function around(rects, cells) {
  const side = (at, add) => [...cells].map((i) => rects[4 * i + at] + (add ? rects[4 * i + at + 2] : 0));
  const [x, y] = [0, 1].map((at) => Math.min(...side(at, false)));
  const [right, bottom] = [0, 1].map((at) => Math.max(...side(at, true)));
  return [x, y, right - x, bottom - y];
}

function withUnit(value, shown) {
  return `${amount(value, shown)} ${shown.unit}`.trim();
}

// The value, the word there, and the rest: its rank and its token.
function cellInWords(lens, cell) {
  const { scene, shown } = lens;
  const where = tokensOf(lens, cell);
  const token = where.length ? `token${where.length > 1 ? "s" : ""} ${where.join(", ")}` : `cell ${cell}`;
  const word = shown?.wordAt(cell) ? inQuotes(shown.wordAt(cell)) : "";
  const value = shown?.values?.[cell] ?? NaN;
  if (Number.isNaN(value)) return [token, word, ""];
  const rank = 1 + shown.values.filter((v) => v > value).length;
  const most = shown.percent ? "hottest" : "highest";
  return [
    withUnit(value, shown),
    word,
    `${rank === 1 ? most : `${ordinal(rank)} ${most}`} of ${scene.cells} \u00b7 ${token}`,
  ];
}

function placeTip(lens) {
  const { tip, stage } = lens.el;
  const cells = lens.stroke ? [] : outlined(lens);
  tip.hidden = !cells.length;
  if (!cells.length) return;
  const told = cells.length > 1 ? [`${cells.length} cells seen as one`, "", ""] : cellInWords(lens, cells[0]);
  told.forEach((text, line) => {
    tip.children[line].textContent = text;
    tip.children[line].hidden = !text;
  });
  const [x, y, w, h] = around(lens.rects, cells).map((v) => v / lens.ratio);
  const right = x + w + 8 + tip.offsetWidth <= stage.clientWidth;
  const left = right ? x + w + 8 : x - 8 - tip.offsetWidth;
  const fits = right || left >= 0;
  const top = fits ? y + h / 2 - tip.offsetHeight / 2 : y - tip.offsetHeight - 8 < 0 ? y + h + 8 : y - tip.offsetHeight - 8;
  tip.style.left = `${Math.max(0, Math.min(fits ? left : x, stage.clientWidth - tip.offsetWidth))}px`;
  tip.style.top = `${Math.max(0, Math.min(top, lens.canvas.clientHeight - tip.offsetHeight))}px`;
}
