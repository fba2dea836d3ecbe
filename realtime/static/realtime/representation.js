/** What a page of the browsable API shows of an answer: taken over from a fresh page, with what has changed marked. */

const ANSWER = ".response-info pre";
const PAGES = ".content-main > nav";

/** @param {Document} fresh the page as the server shows it now */
export function showRepresentation(fresh) {
  const former = document.querySelector(ANSWER);
  const found = fresh.querySelector(ANSWER);
  if (former && found) {
    const lines = former.textContent.split("\n");
    const next = document.adoptNode(found);
    if (next.textContent !== former.textContent) {
      mark(next, lines);
      former.replaceWith(next);
      // REST framework's own highlighting, of what has none yet.
      globalThis.prettyPrint?.();
    }
  }
  replacePages(fresh);
}

function replacePages(fresh) {
  const former = document.querySelector(PAGES);
  const found = fresh.querySelector(PAGES);
  if (former && found) former.replaceWith(document.adoptNode(found));
  else if (former) former.remove();
  else if (found) document.querySelector(".content-main .request-info")?.before(document.adoptNode(found));
}

/** Marks the lines of the body that were not there before. Each is whole: no tag of the answer goes over several. */
function mark(pre, before) {
  const texts = pre.textContent.split("\n");
  const lines = pre.innerHTML.split("\n");
  const body = texts.indexOf("");
  if (body < 0 || texts.length !== lines.length) return;
  const known = new Map();
  for (const line of before) known.set(line, (known.get(line) ?? 0) + 1);
  pre.innerHTML = lines
    .map((line, index) => {
      const count = known.get(texts[index]) ?? 0;
      known.set(texts[index], count - 1);
      return count > 0 || index <= body + 1 ? line : `<mark class="live-changed">${line}</mark>`;
    })
    .join("\n");
}
