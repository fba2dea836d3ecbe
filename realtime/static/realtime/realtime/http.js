/** Requests to the REST API: credentials, errors, and the header that says where to subscribe. */

const TIMEOUT = 30_000;

/** What the API answered instead of what was asked for; `status` is 0 if it answered nothing. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {any} data the answer's JSON: Django REST framework's errors
   * @param {number|null} retryAfter seconds
   * @param {string|null} etag of the object that `data` shows as it is now
   */
  constructor(status, data = null, retryAfter = null, etag = null) {
    super(describe(status, data));
    this.name = "ApiError";
    this.status = status;
    this.data = data;
    this.retryAfter = retryAfter;
    this.etag = etag;
  }

  /** Whether the same request may work later. */
  get temporary() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }

  /** @param {Response} response */
  static async from(response) {
    const data = await response.json().catch(() => null);
    const retryAfter = Number(response.headers.get("Retry-After")) || null;
    return new ApiError(response.status, data, retryAfter, response.headers.get("ETag"));
  }
}

function describe(status, data) {
  if (typeof data?.detail === "string") return data.detail;
  const first = data && typeof data === "object" ? Object.values(data).flat()[0] : null;
  if (typeof first === "string") return first;
  if (status === 0) return "The server can't be reached.";
  return status >= 500 ? "The server has a problem." : `The server refused (${status}).`;
}

/**
 * @typedef {object} Answer
 * @property {Response} response
 * @property {any} data
 * @property {string} method
 * @property {string|undefined} mutation the write's
 * @property {number} sent when the request was sent, in milliseconds of `performance.now()`
 * @property {number} received when its headers had come
 */

export class Http {
  /**
   * @param {object} options
   * @param {string} options.base the API's URL
   * @param {typeof fetch} options.fetch
   * @param {string|null} options.token sent as `Authorization: Token …`; without it the session is used
   * @param {RequestCredentials} options.credentials
   * @param {() => string} options.csrf
   */
  constructor({ base, fetch, token, credentials, csrf }) {
    this.base = new URL(base.endsWith("/") ? base : `${base}/`, document.baseURI);
    this.fetch = fetch;
    this.token = token;
    this.credentials = credentials;
    this.csrf = csrf;
    /** The mutation ids of this page's own writes. @type {Set<string>} */
    this.mutations = new Set();
    /** Told of each answer, for whoever wants to know. @type {(answer: Answer) => void} */
    this.observe = () => {};
  }

  /** The URL of a resource, with `params` as its query. */
  url(path, params = {}) {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(params)) {
      if (value !== undefined && value !== null) url.searchParams.set(name, value);
    }
    return url.href;
  }

  /** The headers that say who asks. */
  headers() {
    return this.token ? { Authorization: `Token ${this.token}` } : {};
  }

  /** @returns {Promise<{data: any, response: Response}>} */
  get(url, headers = {}) {
    return this.#request(url, { method: "GET", headers, signal: AbortSignal.timeout(TIMEOUT) });
  }

  /** A form that is posted, and changes nothing. @returns {Promise<{data: any, response: Response}>} */
  post(url, fields) {
    const body = new URLSearchParams(fields);
    return this.#request(url, { method: "POST", body, signal: AbortSignal.timeout(TIMEOUT) });
  }

  /**
   * A write. It is sent even if the page is left meanwhile.
   * @param {string} method
   * @param {string} url
   * @param {object} [body]
   * @param {string} [mutation] comes back in the events that this write causes
   * @param {object} [more] headers
   * @returns {Promise<{data: any, response: Response}>}
   */
  write(method, url, body, mutation = mutationId(), more = {}) {
    this.mutations.add(mutation);
    const headers = { "X-Mutation-ID": mutation, ...more };
    if (!this.token) headers["X-CSRFToken"] = this.csrf();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const signal = AbortSignal.timeout(TIMEOUT);
    return this.#request(url, { method, headers, body: JSON.stringify(body), keepalive: true, signal });
  }

  async #request(url, { headers, ...options }) {
    let response;
    const sent = performance.now();
    try {
      response = await this.fetch(url, {
        credentials: this.credentials,
        cache: "no-store",
        headers: { Accept: "application/json", ...this.headers(), ...headers },
        ...options,
      });
    } catch {
      throw new ApiError(0);
    }
    const received = performance.now();
    if (!response.ok) throw await ApiError.from(response);
    let data;
    try {
      data = response.status === 204 ? null : await response.json();
    } catch {
      throw new ApiError(0); // cut off in the middle
    }
    const mutation = headers?.["X-Mutation-ID"];
    this.observe({ response, data, method: options.method, mutation, sent, received });
    return { data, response };
  }
}

/** A name for a write. (crypto.randomUUID exists only on HTTPS and localhost.) */
export function mutationId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (number) => number.toString(36)).join("-");
}

const LINK = /<([^>]*)>((?:\s*;\s*[^=;,\s]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^",;\s]*))?)*)/g;
const PARAMETER = /;\s*([^=;,\s]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*))/g;

/**
 * Where to hear of the changes that a response does not show yet, from its `Link` header (RFC 8288).
 * @param {Response} response
 * @returns {{url: string, channels: string[], position: string}|null}
 */
export function streamLink(response) {
  for (const [, target, parameters] of (response.headers.get("Link") ?? "").matchAll(LINK)) {
    const values = new Map();
    for (const [, name, quoted, plain] of parameters.matchAll(PARAMETER)) {
      values.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain);
    }
    if (!values.get("rel")?.split(/\s+/).includes("stream")) continue;
    const url = new URL(target, response.url || document.baseURI);
    const channels = url.searchParams.getAll("channel");
    url.search = "";
    return { url: url.href, channels, position: values.get("last-event-id") ?? "" };
  }
  return null;
}

/** The token against cross-site request forgery: the cookie is never stale, the tag always there. */
export function csrfToken() {
  const cookie = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie);
  return cookie?.[1] ?? document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}
