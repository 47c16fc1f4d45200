// What Python sent: one block of bytes, opened once and read where it lies.
// Layout: header length (uint32, little endian), header (JSON), then the sections the header lists.

let halves = null;

// Every float16 as a number; Float16Array is too young to rely on.
function halfTable() {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let code = 0; code < 65536; code++) {
    const exponent = (code >> 10) & 31, fraction = code & 1023;
    let size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    if (exponent === 31) size = fraction ? NaN : Infinity;
    halves[code] = code >> 15 ? -size : size;
  }
  return halves;
}

// The header names every section by its digest: two blocks with the same header are the same.
function headerOf(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { text: new TextDecoder().decode(bytes.subarray(4, 4 + length)), body: bytes.subarray(4 + length) };
}

function openScene({ text, body }) {
  const header = JSON.parse(text);
  const part = (name) => {
    const at = header.sections[name];
    return at ? body.slice(at.start, at.start + at.length) : null; // a copy, so that it starts on a whole number
  };
  const id = (name) => header.sections[name]?.id ?? "";
  const boxes = new Float32Array(part("boxes").buffer);
  const image = header.tokens.filter((token) => token.segment === "image").length;
  return {
    ...header,
    boxes,
    cells: boxes.length / 4,
    order: byArea(boxes),
    thumbnail: thumbnailGrid(boxes, header.size),
    seesAll: seesAll(boxes, header.size),
    imageTokens: image,
    ids: { picture: id("picture"), crisp: id("crisp"), boxes: id("boxes") },
    pictures: { picture: part("picture"), crisp: part("crisp") },
    maps: header.maps ? openMaps(header.maps, part, boxes.length / 4) : null,
  };
}

function thumbnailGrid(boxes, size) {
  const scale = 44 / Math.max(...size);
  return raster(boxes, size, Math.max(8, Math.round(size[0] * scale)), Math.max(8, Math.round(size[1] * scale)));
}

// Whether no spot is left out; where it is not known which spots are, nothing is said to be.
function seesAll(boxes, size) {
  if (boxes.length === 0) return true;
  const { owner } = raster(boxes, size, 128, 128);
  return owner.filter((cell) => cell < 0).length < 0.005 * owner.length;
}

function openMaps({ labels, heads, rows, unit, vocabulary }, part, cells) {
  const kept = new Map(); // averages and maxima already worked out
  const once = (name, make) => kept.get(name) ?? kept.set(name, make()).get(name);
  const table = (name) => ({
    codes: new Uint16Array(part(name).buffer),
    scales: new Float32Array(part(`${name}_scales`).buffer),
  });
  const heat = table("values");
  const words = vocabulary ? new Uint16Array(part("words").buffer) : null;
  const looks = rows.length ? table("looks") : null;

  const add = ({ codes, scales }, row, weight, sum) => {
    const half = halfTable(), factor = scales[row] * weight, start = row * cells;
    for (let i = 0; i < cells; i++) sum[i] += half[codes[start + i]] * factor;
    return sum;
  };
  const all = Array.from({ length: heads }, (_, h) => h);
  const ofHeads = (slice, picked) => once(`${slice}:${picked}`, () => {
    const chosen = picked.length ? picked : all;
    const sum = new Float32Array(cells);
    for (const h of chosen) add(heat, slice * heads + h, 1 / chosen.length, sum);
    return sum;
  });
  const ofToken = (slice, token) => once(`${slice}@${token}`, () =>
    add(looks, slice * rows.length + rows.indexOf(token), 1, new Float32Array(cells)));
  const most = (name, values) => once(`most ${name}`, () => Math.max(...labels.map((_, s) => extreme(values(s)))));
  return {
    labels, heads, rows, unit, ofHeads, ofToken,
    hasWords: words !== null,
    wordAt: (slice, cell) => (words ? vocabulary[words[slice * cells + cell]] : ""),
    maxOfHeads: (picked) => most(picked.join(), (slice) => ofHeads(slice, picked)),
    maxOfToken: (token) => most(`@${token}`, (slice) => ofToken(slice, token)),
  };
}
