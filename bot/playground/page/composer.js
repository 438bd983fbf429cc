// A message box: Enter sends, Shift+Enter breaks, arrow up brings back what was sent last.

/** Sends by `send(text)`, which resolves to whether it went. `put` writes into the box. */
export function composer(form, box, send) {
  let last = "";
  const fit = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
  };
  const submit = async () => {
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    fit();
    last = text;
    if (!(await send(text)) && !box.value) box.value = text;
    fit();
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  box.addEventListener("input", fit);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
    if (event.key === "ArrowUp" && !box.value && last) { box.value = last; fit(); event.preventDefault(); }
  });
  return { put: (text) => { box.value = text; fit(); box.focus(); } };
}
