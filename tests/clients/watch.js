/** What the callbacks of Pusher's clients say, in order. Works in Node and in a browser. */

const watched = new Map();

class Watch {
  /** `[where, event, data]`, where "connection", "user", "watchlist" or a channel's name */
  heard = [];

  constructor(pusher) {
    this.pusher = pusher;
    pusher.connection.bind_global((event, data) => event !== "message" && this.#note("connection", event, data));
    pusher.user.bind_global((event, data) => this.#note("user", event, data));
    pusher.user.watchlist.bind_global((event, data) => this.#note("watchlist", event, data));
  }

  subscribe(name) {
    const channel = this.pusher.subscribe(name);
    channel.unbind_global();
    channel.bind_global((event, data) => this.#note(name, event, data));
    return channel;
  }

  members(name) {
    const { members } = this.pusher.channel(name);
    return { me: members.myID, count: members.count, all: members.members };
  }

  #note(where, event, data) {
    this.heard.push([where, event, plain(data)]);
  }
}

/** What can be told to another process. */
function plain(data) {
  try {
    return data === undefined ? null : JSON.parse(JSON.stringify(data));
  } catch {
    return String(data);
  }
}

globalThis.watch = (name, pusher) => void watched.set(name, new Watch(pusher));
globalThis.client = (name) => watched.get(name);
globalThis.disconnectAll = () => {
  for (const { pusher } of watched.values()) pusher.disconnect();
  watched.clear();
};
