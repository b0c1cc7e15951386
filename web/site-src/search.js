// The search: every word has to be in a section; a section whose title has it comes first. Nothing is asked of a server.
(() => {
  const field = document.querySelector("#search");
  const list = document.querySelector("#found");
  const up = document.body.dataset.up;
  /** So many are listed. */
  const most = 12;
  const index = window.searchIndex.map(([address, title, text]) => ({ address, title, text, low: `${title} ${text}`.toLowerCase(), lowTitle: title.toLowerCase() }));

  function find(words) {
    const scored = [];
    for (const entry of index) {
      if (!words.every((word) => entry.low.includes(word))) continue;
      const inTitle = words.filter((word) => entry.lowTitle.includes(word)).length;
      const starts = words.some((word) => entry.lowTitle.startsWith(word)) ? 1 : 0;
      scored.push({ entry, score: 2 * inTitle + starts - entry.low.length / 1e5 });
    }
    return scored.sort((a, b) => b.score - a.score).slice(0, most).map(({ entry }) => entry);
  }

  function show() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.replaceChildren();
    list.hidden = words.length === 0;
    if (words.length === 0) return;
    for (const { address, title, text } of find(words)) {
      const link = document.createElement("a");
      link.href = `${up}/${address}`;
      link.textContent = title;
      const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 30);
      const part = document.createElement("span");
      part.textContent = text.slice(at, at + 140);
      link.append(part);
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    if (!list.firstChild) list.textContent = "Nothing was found.";
  }

  field.addEventListener("input", show);
  field.addEventListener("focus", show);
  document.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "/" && document.activeElement === document.body) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape") {
      list.hidden = true;
    } else if (event.key === "Enter" && document.activeElement === field) links[0]?.click();
    else if (!list.hidden && event.key === "ArrowDown" && (at !== -1 || document.activeElement === field)) {
      event.preventDefault();
      links[at + 1]?.focus();
    } else if (!list.hidden && event.key === "ArrowUp" && at !== -1) {
      event.preventDefault();
      (links[at - 1] ?? field).focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[role=search]")) list.hidden = true;
  });
})();
