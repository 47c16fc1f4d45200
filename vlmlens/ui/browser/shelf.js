// Pictures laid out for the other components: name -> bytes, on the document, which all scripts share.
// Each element lays out one picture and takes it away with its next one; `data` is the name, then the bytes.

const SHELVED = "vlmlens-shelved"; // told on the document when a picture has come
const NAME = 16; // characters

const laid = new WeakMap(); // element -> what it takes away

export default function ({ data, parentElement }) {
  const shelf = (document.vlmlensShelf ??= new Map()); // name -> { bytes, holders }
  const name = new TextDecoder().decode(data.subarray(0, NAME));
  const before = laid.get(parentElement);
  const take = () => {
    const entry = shelf.get(name);
    if (entry && --entry.holders === 0) shelf.delete(name);
  };
  if (before?.name !== name) {
    const entry = shelf.get(name) ?? { bytes: data.slice(NAME), holders: 0 };
    entry.holders += 1;
    shelf.set(name, entry);
    before?.take();
    laid.set(parentElement, { name, take });
    document.dispatchEvent(new CustomEvent(SHELVED, { detail: name }));
  }
  return () => {
    laid.get(parentElement)?.take();
    laid.delete(parentElement);
  };
}
