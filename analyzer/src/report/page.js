"use strict";
(() => {
  // What was found is text of a dump: it becomes text nodes, never markup.
  const data = JSON.parse(document.getElementById("data").textContent);
  const CLASSES = ["open", "solved", "warning", "note", "allowed"];
  const WORDS = { open: "open error", solved: "solved error", warning: "warning", note: "note", allowed: "allowed" };
  const STEP = 50;
  const GROUPS = 200;
  const AT_ONCE = 1000;
  const list = document.getElementById("groups");
  const status = document.getElementById("status");
  const search = document.getElementById("search");
  const by = document.getElementById("by");
  const state = { classes: new Set(CLASSES), words: [], by: "rule" };
  const number = (n) => n.toLocaleString("en-US");
  const many = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
  // What would steer the direction of text or is not seen at all is shown as a mark.
  const seen = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

  const make = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    for (const child of children.flat()) {
      if (child !== null && child !== undefined) element.append(typeof child === "string" ? seen(child) : child);
    }
    return element;
  };

  const placeOf = (file, line, column) =>
    line ? `${data.files[file]}:${line}:${column}` : data.files[file];
  const docs = (url) =>
    /^https:\/\//.test(url) ? make("a", { href: url, rel: "noopener noreferrer" }, url) : null;

  const facts = (rows) => {
    const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
    return make("dl", { class: "facts" }, ...shown.flatMap(([word, value]) => [
      make("dt", {}, word),
      make("dd", {}, ...[value].flat()),
    ]));
  };

  const aboutRule = (id) => {
    const rule = data.rules[id];
    return facts([["Why", rule.why], ["What to do", rule.help], ["Read more", docs(rule.docs)]]);
  };

  const excerpt = (finding) => {
    const [first, before, marked, after] = finding.shown;
    const pre = make("pre", { tabindex: "0", "aria-label": "Lines of the dump" });
    let line = first;
    let row = null;
    const begin = () => {
      row = make("span", { class: "row" }, make("span", { class: "at" }, String(line)));
      pre.append(row);
      line += 1;
    };
    begin();
    for (const [text, isMarked] of [[before, false], [marked, true], [after, false]]) {
      text.split("\n").forEach((part, index) => {
        if (index > 0) begin();
        if (part) row.append(isMarked ? make("mark", {}, part) : document.createTextNode(seen(part)));
      });
    }
    return pre;
  };

  const change = (finding) => {
    const pre = make("pre", { tabindex: "0", "aria-label": "Before and after the fix" });
    for (const [sign, text] of finding.diff) {
      const kind = sign === "-" ? "row old" : sign === "+" ? "row new" : "row";
      pre.append(make("span", { class: kind }, make("span", { class: "at" }, sign), text));
    }
    return pre;
  };

  const server = (answer) => make("code", {}, answer);

  const one = (finding, withRule) => {
    const rule = data.rules[finding.rule];
    const fix = finding.fix;
    const accept = finding.accept ? make("code", { class: "word" }, `--accept ${finding.accept}`) : null;
    const how = !fix ? finding.class === "open" ? ["none; ", accept, " leaves the statement out"] : null
      : finding.solved ? `${fix.title} (the rewrite does it)`
      : finding.left ? [`${fix.title} (left, as `, make("code", { class: "word" }, "--leave"), " says)"]
      : fix.safety === "review" ? [`${fix.title}, where you accept that: `, accept]
      : fix.title;
    const related = (finding.related || []).map(([file, line, column, id, words]) =>
      make("div", {}, id ? `${words} (${id}) at ` : `${words} at `, make("code", {}, placeOf(file, line, column))));
    if (finding.more) related.push(make("div", {}, `… and ${many(finding.more, "more place")}`));
    return make("article", { class: "finding" },
      make("h4", {},
        withRule ? make("span", { class: `badge ${finding.class}` }, `${finding.rule} ${rule.name}`) : null,
        withRule ? " " : null,
        finding.message),
      make("p", { class: "place" },
        make("code", {}, placeOf(finding.file, finding.line, finding.column)),
        finding.object && state.by !== "object" ? make("span", {}, finding.object) : null,
        finding.accepted ? make("span", {}, "loss accepted") : null),
      finding.diff && finding.solved ? change(finding) : finding.shown ? excerpt(finding) : null,
      facts([
        ["Allowed", finding.allowed === undefined ? null
          : finding.allowed || "by a comment in the dump, without a reason"],
        ["Counted", finding.own ? `as ${finding.class}, by configuration; the rule says ${finding.own}` : null],
        ["Server", finding.server ? server(finding.server) : null],
        [finding.cause ? "Because of" : "See", related.length ? make("div", {}, ...related) : null],
        ["Why", withRule ? rule.why : null],
        ["What to do", finding.help || (withRule ? rule.help : null)],
        ["Fix", how],
        ["Change", finding.diff && !finding.solved && finding.diff.some(([sign]) => sign === "+") ? change(finding) : null],
        ["Lost", fix && fix.lost ? fix.lost : null],
        ["Read more", withRule ? docs(rule.docs) : null],
      ]));
  };

  const haystack = (finding) => {
    if (!finding.text) {
      const rule = data.rules[finding.rule];
      finding.text = [finding.rule, rule.name, finding.object || "", finding.message, finding.server || "",
        placeOf(finding.file, finding.line, finding.column), finding.shown ? finding.shown.slice(1).join("") : ""]
        .join("\n").toLowerCase();
    }
    return finding.text;
  };

  const isShown = (finding) =>
    state.classes.has(finding.class) && state.words.every((word) => haystack(finding).includes(word));

  const keyOf = {
    rule: (finding) => `${finding.class} ${finding.rule}`,
    object: (finding) => finding.object || "no object",
    severity: (finding) => finding.class,
    file: (finding) => data.files[finding.file],
  };

  const groupsOf = (findings) => {
    const groups = new Map();
    for (const finding of findings) {
      const key = keyOf[state.by](finding);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(finding);
    }
    return [...groups.entries()];
  };

  const fill = (body, findings, from, most) => {
    const withRule = state.by !== "rule";
    const until = Math.min(findings.length, from + most);
    for (const finding of findings.slice(from, until)) body.append(one(finding, withRule));
    const left = findings.length - until;
    if (left > 0) {
      const more = make("button", { class: "again", type: "button" },
        `Show ${number(Math.min(left, STEP))} more of ${number(left)}`);
      const note = make("p", { class: "printed again quiet" }, `… and ${number(left)} more`);
      more.addEventListener("click", () => {
        more.remove();
        note.remove();
        const before = body.childElementCount;
        fill(body, findings, until, STEP);
        const next = body.children[before];
        if (next) {
          next.setAttribute("tabindex", "-1");
          next.focus();
        }
      });
      body.append(more, note);
    }
    return until - from;
  };

  const group = ([key, findings]) => {
    const first = findings[0];
    const rule = data.rules[first.rule];
    const heading = state.by === "rule" ? `${first.rule} ${rule.name}`
      : state.by === "severity" ? data.titles[key] : key;
    // The classes in a group of another kind, each with its number.
    const badges = state.by === "rule"
      ? [make("span", { class: `badge ${first.class}` }, WORDS[first.class])]
      : CLASSES.map((name) => [name, findings.filter((finding) => finding.class === name).length])
        .filter(([, count]) => count > 0)
        .map(([name, count]) => make("span", { class: `badge ${name}` }, many(count, WORDS[name])));
    const body = make("div", {});
    const element = make("details", { class: "group" },
      make("summary", {},
        make("h3", {}, heading),
        ...badges,
        make("span", { class: "number" }, many(findings.length, "finding")),
        state.by === "rule" ? make("span", { class: "summary" }, rule.summary) : null),
      body);
    if (state.by === "rule") element.id = `${first.class}-${first.rule}`;
    let filled = false;
    element.fill = (most) => {
      if (filled) return 0;
      filled = true;
      if (state.by === "rule") body.append(make("div", { class: "rule" }, aboutRule(first.rule)));
      return fill(body, findings, 0, most);
    };
    element.addEventListener("toggle", () => { if (element.open) element.fill(STEP); });
    return element;
  };

  // Draws groups from a place on, and a button for what is left of them.
  const drawGroups = (groups, from, open, budget) => {
    let left = budget;
    let index = from;
    for (; index < groups.length && index < from + GROUPS && (left > 0 || budget === 0); index += 1) {
      const element = group(groups[index]);
      list.append(element);
      if (open && left > 0) {
        element.open = true;
        left -= element.fill(Math.min(left, budget));
      }
    }
    const rest = groups.length - index;
    if (rest === 0) return;
    const more = make("button", { type: "button", class: "groups" }, `Show more: ${many(rest, "group")} left`);
    more.addEventListener("click", () => {
      more.remove();
      const before = list.childElementCount;
      drawGroups(groups, index, false, 0);
      const next = list.children[before];
      if (next) next.querySelector("summary").focus();
    });
    list.append(more);
    list.append(make("p", { class: "printed quiet" }, `… and ${many(rest, "more group")}, in the page itself.`));
  };

  const draw = (openAll) => {
    const findings = data.findings.filter(isShown);
    const groups = groupsOf(findings);
    list.replaceChildren();
    if (!findings.length) {
      list.append(make("p", { class: "nothing quiet" },
        data.findings.length ? "No finding matches." : "Nothing was found."));
    }
    // A search that leaves little shows it at once.
    const open = openAll || (state.words.length > 0 && findings.length <= STEP) || groups.length === 1;
    drawGroups(groups, 0, open, openAll ? AT_ONCE : open ? STEP : 0);
    status.textContent = findings.length === data.findings.length
      ? `${many(findings.length, "finding")} in ${many(groups.length, "group")}`
      : `${number(findings.length)} of ${many(data.findings.length, "finding")} in ${many(groups.length, "group")}`;
  };

  const copyButtons = () => {
    for (const block of document.querySelectorAll(".copyable")) {
      const button = make("button", { class: "copy", type: "button" }, "Copy");
      const source = block.querySelector("pre");
      const said = (word) => {
        button.textContent = word;
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      };
      const byHand = () => {
        const range = document.createRange();
        range.selectNodeContents(source);
        const selection = getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        said(document.execCommand("copy") ? "Copied" : "Press Ctrl+C");
      };
      button.addEventListener("click", () => {
        if (!navigator.clipboard) return byHand();
        navigator.clipboard.writeText(source.textContent).then(() => said("Copied"), byHand);
      });
      block.append(button);
    }
  };

  for (const chip of document.querySelectorAll(".chip")) {
    chip.addEventListener("click", () => {
      const name = chip.dataset.name;
      const pressed = !state.classes.has(name);
      if (pressed) state.classes.add(name); else state.classes.delete(name);
      chip.setAttribute("aria-pressed", String(pressed));
      draw(false);
    });
  }
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      draw(false);
    }, 150);
  });
  by.addEventListener("change", () => {
    state.by = by.value;
    draw(false);
  });
  document.getElementById("all").addEventListener("click", () => draw(true));

  // A link to a rule opens its findings.
  const follow = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const find = () => CLASSES.map((kind) => document.getElementById(`${kind}-${name}`)).find(Boolean);
    if (data.rules[name] && !find()) {
      state.classes = new Set(CLASSES);
      state.words = [];
      state.by = by.value = "rule";
      search.value = "";
      for (const chip of document.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", "true");
      draw(false);
    }
    const target = find();
    if (!target) return;
    target.open = true;
    target.fill(STEP);
    target.scrollIntoView();
  };
  addEventListener("hashchange", follow);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not(.group):not([open])")];
    for (const details of closed) details.open = true;
    draw(true);
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
    draw(false);
  });

  document.getElementById("tools").hidden = false;
  copyButtons();
  draw(false);
  follow();
})();
