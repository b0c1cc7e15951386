// Elements of the result view, without a library: what is drawn anew takes the place of what differs, and nothing else, so
// that focus, folds and what was typed stay.

export type Child = Node | string | false | null | undefined | readonly Child[];

type Handler = (event: never) => void;
/** Attributes; what begins with "on" is called when that happens, and what stands in LIVE is what a person changes. */
export type Attributes = Record<string, string | number | boolean | Handler | null | undefined>;

/** Properties that a person changes, too: they are set, not their attributes. */
const LIVE = ["value", "checked", "indeterminate"] as const;
const EVENTS = ["onclick", "onchange", "oninput", "onkeydown", "ontoggle"] as const;

type Drawn = Element & { key?: string; live?: Record<string, unknown> };
type Settable = Record<string, unknown>;

/** An element of a part of the page that has a name: it stays itself wherever it moves to. */
export function keyed<Own extends Element>(key: string, element: Own): Own {
  (element as Drawn).key = key;
  return element;
}

/** Makes an element. Text becomes text, never markup. */
export function make<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  append(element, children);
  const live: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") (element as unknown as Settable)[name] = value;
    else if ((LIVE as readonly string[]).includes(name)) live[name] = value;
    // What is told to those who do not see it says no, too.
    else if (name.startsWith("aria-") && value !== null && value !== undefined) element.setAttribute(name, String(value));
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  Object.assign(element, live);
  if (Object.keys(live).length > 0) (element as Drawn).live = live;
  return element;
}

function append(parent: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (isList(child)) append(parent, child);
    else if (child) parent.append(child);
  }
}

const isList = (child: Child): child is readonly Child[] => Array.isArray(child);
const keyOf = (node: Node): string | undefined => (node as Drawn).key;

/** Makes the children of an element what they are to be. */
export function draw(parent: Element, children: readonly Child[]): void {
  const drawn = document.createElement("div");
  append(drawn, children);
  redraw(parent, [...drawn.childNodes]);
}

function redraw(parent: Node, wanted: readonly ChildNode[]): void {
  const keys = new Set(wanted.map(keyOf));
  const known = new Map<string, ChildNode>();
  for (const child of [...parent.childNodes]) {
    const key = keyOf(child);
    if (key === undefined) continue;
    if (keys.has(key)) known.set(key, child);
    else child.remove();
  }
  let at = parent.firstChild;
  for (const node of wanted) {
    const key = keyOf(node);
    const same = key !== undefined ? known.get(key) : at && keyOf(at) === undefined ? at : undefined;
    if (!same || same.nodeName !== node.nodeName) {
      parent.insertBefore(node, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else parent.insertBefore(same, at);
    update(same, node);
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

function update(old: ChildNode, now: ChildNode): void {
  if (!(old instanceof Element) || !(now instanceof Element)) {
    if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
    return;
  }
  for (const { name, value } of [...now.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) {
    // Whoever opened something leaves it open.
    if (!now.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const event of EVENTS) (old as unknown as Settable)[event] = (now as unknown as Settable)[event];
  redraw(old, [...now.childNodes]);
  const { live } = now as Drawn;
  for (const [name, value] of Object.entries(live ?? {})) {
    if ((old as unknown as Settable)[name] !== value) (old as unknown as Settable)[name] = value;
  }
}
