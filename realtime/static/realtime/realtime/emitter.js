/** An EventTarget whose listeners are plain functions of the event's detail. */
export class Emitter extends EventTarget {
  /**
   * Calls `listener(detail)` at each event of this type.
   * @param {string} type
   * @param {(detail: any) => void} listener
   * @returns {() => void} ends it
   */
  on(type, listener) {
    const handle = (event) => listener(event.detail);
    this.addEventListener(type, handle);
    return () => this.removeEventListener(type, handle);
  }

  /** @param {string} type @param {any} [detail] */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
