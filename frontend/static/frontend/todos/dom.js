/** Building and patching the page. */

const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * An element. Properties with a "-" and `role` are attributes, `on` holds listeners, the rest are properties.
 * @param {string} tag
 * @param {object} [properties]
 * @param {...(Node|string|null)} children
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** A picture of those that the page has. */
export function icon(name, className = "icon") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows only a picture. */
export function iconButton(name, label, click, className = "icon-button") {
  const on = { click };
  return h("button", { type: "button", className, title: label, "aria-label": label, on }, icon(name));
}

/** A person's initial, in a colour that is always theirs. */
export function avatar(name, element = h("span", { className: "avatar", "aria-hidden": "true" })) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  element.style.setProperty("--hue", String(hash));
  element.textContent = [...name][0] ?? "";
  return element;
}

/** What is shown where there is nothing; with a `level`, its title is a heading. */
export function notice({ picture, title, text, action, level = null }) {
  return h(
    "div",
    { className: "notice" },
    picture ? icon(picture, "picture") : null,
    h(level ? `h${level}` : "strong", { className: "notice-title", textContent: title }),
    h("p", { textContent: text }),
    action ? h("button", { type: "button", className: "button", textContent: action.label, on: { click: action.run } }) : null,
  );
}

/**
 * Makes the children of `parent` follow `entries`, each keeping its element, its focus and, by a short
 * movement, the eye.
 * @param {HTMLElement} parent
 * @param {{key: string}[]} entries
 * @param {(entry: any) => HTMLElement} create
 * @param {(element: HTMLElement, entry: any) => void} update
 */
export function patch(parent, entries, create, update) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const tops = new Map([...old.values()].map((child) => [child, child.offsetTop]));
  const wanted = entries.map((entry) => {
    const element = old.get(entry.key) ?? create(entry);
    element.dataset.key = entry.key;
    update(element, entry);
    return element;
  });
  const kept = new Set(wanted);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const element of wanted) {
    if (element === next) next = next.nextElementSibling;
    else if (element.isConnected && parent.moveBefore) parent.moveBefore(element, next);
    else parent.insertBefore(element, next);
  }
  if (focused?.isConnected && focused !== document.activeElement) focused.focus();
  if (tops.size) move(wanted, tops);
}

function move(elements, tops) {
  if (still.matches) return;
  for (const element of elements) {
    const top = tops.get(element);
    const by = top === undefined ? 0 : top - element.offsetTop;
    const from = top === undefined ? { opacity: 0 } : { transform: `translateY(${by}px)` };
    if (top === undefined || by) element.animate([from, {}], { duration: 180, easing: "cubic-bezier(.2,.7,.2,1)" });
  }
}

/** Marks that somebody else has changed an element. */
export function refresh(element) {
  element.classList.remove("fresh");
  void element.offsetWidth; // lets the animation begin anew
  element.classList.add("fresh");
  element.addEventListener("animationend", () => element.classList.remove("fresh"), { once: true });
}

const timers = new Map();

/**
 * Tells people who don't see the screen. Of what is said at once, the last is heard; but not in place of what is
 * said by another region.
 * @param {string} text
 * @param {string} [region] the id of a live region
 */
export function announce(text, region = "announcer") {
  clearTimeout(timers.get(region));
  const announcer = document.getElementById(region);
  announcer.textContent = "";
  timers.set(region, setTimeout(() => (announcer.textContent = text), 60));
}
