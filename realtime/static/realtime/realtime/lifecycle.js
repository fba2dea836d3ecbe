/** What becomes of the page itself: network, sleep, background, the browser's back and forward. */

/** A hidden page lets its connection go: browsers allow six to a host. It resumes when it is seen. */
const HIDDEN_DELAY = 60_000;

/**
 * @param {object} on
 * @param {() => void} on.online look whether the connection is well
 * @param {() => void} on.offline it is broken, whatever it seems
 * @param {() => void} on.away nobody looks: let it go
 * @param {() => void} on.back somebody does
 */
export function watchPage({ online, offline, away, back }) {
  let timer = 0;
  addEventListener("online", online);
  addEventListener("offline", offline);
  addEventListener("pagehide", away);
  addEventListener("pageshow", (event) => event.persisted && back());
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(away, HIDDEN_DELAY);
    else back();
  });
}
