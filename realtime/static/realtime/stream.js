// Shows the stream of this page's own address. It is read by fetch, since an EventSource can't listen
// to events of every type, and goes on where it was after a break.

const MAX_ROWS = 500;
const rows = document.getElementById("stream-events");
const state = document.getElementById("stream-state");
const position = document.getElementById("stream-position");
const empty = document.getElementById("stream-empty");

let lastEventId = rows.dataset.lastEventId;
let retry = 2000;

function show(text, kind) {
  state.textContent = text;
  state.className = `label label-${kind}`;
}

function addRow(event) {
  const row = rows.insertRow(0);
  for (const text of [event.id, event.type, event.data]) row.insertCell().textContent = text;
  row.classList.toggle("protocol", /^(stream-|keep-alive)/.test(event.type));
  if (rows.rows.length > MAX_ROWS) rows.deleteRow(MAX_ROWS);
  empty.hidden = true;
}

function receive(block) {
  const event = { id: "", type: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "id") event.id = lastEventId = value;
    else if (field === "event") event.type = value;
    else if (field === "data") event.data += value;
    else if (field === "retry") retry = Number(value);
  }
  position.textContent = lastEventId;
  if (event.type === "stream-open") show("open", "success");
  if (event.type !== "keep-alive" && block.includes("event:")) addRow(event);
}

async function read() {
  const address = new URL(location.href);
  address.searchParams.delete("lastEventId");
  const headers = { Accept: "text/event-stream", "Last-Event-ID": lastEventId };
  const answer = await fetch(address, { headers, cache: "no-store" });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    blocks.forEach(receive);
  }
}

async function follow() {
  for (;;) {
    try {
      await read();
      show("reconnecting", "warning");
    } catch (error) {
      show(error.message, "danger");
    }
    await new Promise((resolve) => setTimeout(resolve, retry));
  }
}

follow();
