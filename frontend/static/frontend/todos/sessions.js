/** Items whose text is being edited: by this page's user, which others are told; and by others. */

import { entityTag } from "../../realtime/realtime.js";

/** What the log says about who edits an item, as changes of rows `{id, editors}`. */
const ACTIONS = { editing: "updated", "editing-ended": "updated", deleted: "deleted", left: "left" };

/** Who edits which items of a list: a live collection. */
export function editorsOf(client, list) {
  const params = { todo_list: list, limit: 500 };
  return client.collection("todo-items/editing", { params, model: "todo-item", actions: ACTIONS });
}

/** The names of the others who edit each item. @returns {Map<number, string[]>} */
export function namesOf(editors, user) {
  const others = ({ id }) => id !== user;
  const name = ({ id, info }) => String(info?.name ?? id);
  return new Map(editors.items.map(({ id, editors: all }) => [id, all.filter(others).map(name)]));
}

/** A text that is being edited: what it was, as the user saw it, and by which entity tag the server knows that. */
export class Session {
  #end;

  /**
   * @param {import("../../realtime/realtime.js").Realtime} client
   * @param {import("../../realtime/realtime/editing.js").Editing} editing
   * @param {string} resource
   * @param {import("../../realtime/realtime/rows.js").Shown} entry
   * @param {string} field
   */
  constructor(client, editing, resource, entry, field) {
    this.key = entry.key;
    this.row = entry.row;
    this.match = null;
    const known = Number.isInteger(entry.row.id); // else it has yet to be created
    this.#end = known ? editing.begin(entry.row.id) : () => {};
    if (known) this.#identify(client, `${resource}/${entry.row.id}/`, entry.base, field);
  }

  /** With what the changed text is to be sent. */
  get options() {
    return { match: this.match, keep: true, seen: this.row };
  }

  end() {
    this.#end();
  }

  async #identify(client, path, base, field) {
    this.match = base && (await entityTag(base));
    if (this.match) return;
    const answer = await client.http.get(client.http.url(path)).catch(() => null);
    if (answer?.data[field] === this.row[field]) this.match = answer.response.headers.get("ETag");
  }
}
