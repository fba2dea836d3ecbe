/**
 * The forms of a page of the browsable API, after the object has changed: fields that nobody has touched show its new values, since
 * whoever saves the form writes all of them; what somebody has typed stays, with a note of what is new.
 */

const FORMS = ".tab-content form";

/** @param {Document} fresh the page as the server shows it now */
export function syncForms(fresh) {
  const forms = new Map([...fresh.querySelectorAll(FORMS)].map((form) => [key(form), form]));
  for (const form of document.querySelectorAll(FORMS)) {
    const found = forms.get(key(form));
    if (!found) continue;
    const others = controls(found);
    controls(form).forEach((control, index) => {
      const other = others[index];
      if (other?.name === control.name && other.type === control.type) sync(control, other);
    });
  }
}

function key(form) {
  return form.closest("[id]")?.id ?? form.dataset.method ?? form.method;
}

function controls(form) {
  return [...form.elements].filter(({ name, type }) => name && name !== "csrfmiddlewaretoken" && !["hidden", "submit", "file"].includes(type));
}

function sync(control, other) {
  const value = stored(other);
  if (!isTouched(control)) {
    take(control, other);
    return note(control, null);
  }
  if (value === stored(control)) return;
  if (current(control) === value) return note(control, null);
  note(control, other);
}

/** What the server put into a field. */
function stored(control) {
  if (control.options) return selected(control, "defaultSelected");
  return isBox(control) ? String(control.defaultChecked) : control.defaultValue;
}

/** What is in it now. */
function current(control) {
  if (control.options) return selected(control, "selected");
  return isBox(control) ? String(control.checked) : control.value;
}

function isTouched(control) {
  return current(control) !== stored(control);
}

function isBox({ type }) {
  return type === "checkbox" || type === "radio";
}

function selected({ options, multiple }, property) {
  const values = [...options].filter((option) => option[property]).map((option) => option.value);
  // Of which one is shown if none is said to be.
  return JSON.stringify(values.length || multiple || !options.length ? values : [options[0].value]);
}

/** Shows what a fresh field has. */
function take(control, other) {
  if (control.options) {
    control.replaceChildren(...[...other.options].map((option) => document.importNode(option, true)));
  } else if (isBox(control)) {
    control.checked = control.defaultChecked = other.defaultChecked;
  } else {
    if (control.value !== other.defaultValue) control.value = other.defaultValue;
    control.defaultValue = other.defaultValue;
  }
}

/** Says beside a field what it has on the server, or nothing more. */
function note(control, other) {
  const next = control.nextElementSibling;
  const former = next?.classList.contains("live-conflict") ? next : null;
  if (!other) return former?.remove();
  const text = shown(other);
  const paragraph = former ?? document.createElement("p");
  paragraph.className = "live-conflict";
  paragraph.setAttribute("role", "status");
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "btn btn-default btn-xs", textContent: "Take that" });
  button.addEventListener("click", () => {
    take(control, other);
    paragraph.remove();
    control.focus();
  });
  paragraph.replaceChildren(`Meanwhile it is ${text}; here is still what you have entered. `, button);
  if (!former) control.after(paragraph);
}

function shown(control) {
  if (control.options) return `“${[...control.selectedOptions].map((option) => option.textContent.trim()).join(", ")}”`;
  if (isBox(control)) return control.defaultChecked ? "ticked" : "not ticked";
  return control.defaultValue.includes("\n") ? "something else" : `“${control.defaultValue}”`;
}
