// Rows that change places: dragged at their grip, or moved with the arrow keys while it has the focus.

function listenToGrips(list, settle, signal) {
  let held = null;

  const place = (y) => {
    const group = [...list.children].filter((row) => row.dataset.group === held.dataset.group && row !== held);
    const after = group.filter((row) => {
      const box = row.getBoundingClientRect();
      return y > box.top + box.height / 2;
    }).at(-1);
    const wanted = after ? after.nextElementSibling : group[0];
    if (!group.length || wanted === held) return;
    list.insertBefore(held, wanted ?? null);
  };

  const on = (kind, handler) => list.addEventListener(kind, handler, { signal });
  on("pointerdown", (event) => {
    const grip = event.target.closest(".grip");
    if (!grip) return;
    event.preventDefault();
    grip.focus();
    held = grip.closest(".step");
    held.classList.add("held");
    list.setPointerCapture(event.pointerId);
  });
  on("pointermove", (event) => {
    if (held) place(event.clientY);
  });
  const release = () => {
    if (!held) return;
    held.classList.remove("held");
    held = null;
    settle();
  };
  on("pointerup", release);
  on("pointercancel", release);
  on("keydown", (event) => {
    const grip = event.target.closest(".grip");
    if (!grip || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const row = grip.closest(".step");
    const other = event.key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
    if (!other || other.dataset.group !== row.dataset.group) return;
    if (event.key === "ArrowUp") other.before(row);
    else other.after(row);
    grip.focus();
    settle();
  });
}
