/** The dialog that shows who shares a list, invites and removes. It is as live as the lists. */

import { avatar, h, iconButton } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { refusal } from "./toast.js";

/**
 * @param {import("../../realtime/realtime.js").Realtime} client
 * @param {import("../../realtime/realtime.js").Collection} lists
 * @param {object} list
 * @param {string} user id of whoever is looking
 */
export function openSharing(client, lists, list, user) {
  const path = `todo-lists/${list.id}/members/`;
  const owned = String(list.owner.id) === user;
  const people = h("ul", { className: "members", "aria-label": "People in this list" });

  const remove = (member) => {
    client.send("DELETE", `${path}${encodeURIComponent(member.username)}/`).catch(refusal);
  };
  const person = (member, role) => {
    const label = `Remove ${member.username}`;
    return h(
      "li",
      {},
      avatar(member.username),
      h("span", { className: "name", textContent: member.username }),
      role ? h("span", { className: "role", textContent: role }) : null,
      owned && !role ? iconButton("close", label, () => remove(member)) : null,
    );
  };
  const render = () => {
    const now = lists.items.find(({ id }) => id === list.id);
    if (!now) return dialog.close();
    people.replaceChildren(person(now.owner, "Owner"), ...now.members.map((member) => person(member)));
  };

  const children = owned ? [...invitation(client, path), people] : [people];
  const dialog = openDialog(owned ? `Share “${list.name}”` : `People in “${list.name}”`, ...children);
  const off = lists.on("change", render);
  dialog.addEventListener("close", off);
  dialog.querySelector("input")?.focus();
  render();
}

function invitation(client, path) {
  const problem = h("p", { className: "field-error", id: "invite-error", role: "alert" });
  const input = h("input", {
    name: "username",
    required: true,
    maxLength: 150,
    placeholder: "Username",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: false,
    "aria-label": "Username",
    "aria-describedby": "invite-error",
  });
  const submit = async (event) => {
    event.preventDefault();
    const username = input.value.trim();
    if (!username) return;
    try {
      await client.send("POST", path, { username });
      input.value = "";
      say("");
    } catch (error) {
      say(error.message);
    }
  };
  const say = (text) => {
    problem.textContent = text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
  };
  input.addEventListener("input", () => say(""));
  const button = h("button", { type: "submit", className: "button primary", textContent: "Invite" });
  return [h("form", { className: "invite", on: { submit } }, input, button), problem];
}
