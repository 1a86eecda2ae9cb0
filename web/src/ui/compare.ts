/** Two pictures over each other with a line between them that moves; zoom and pan move both. */
import { button, element } from "./dom";

const MOST_ZOOM = 16;

export class Compare {
  readonly root: HTMLDivElement;
  private readonly sheets: HTMLDivElement[];
  private readonly handle: HTMLDivElement;
  private readonly percent: HTMLSpanElement;
  private size = { width: 1, height: 1 };
  private split = 50;
  /** CSS pixels per pixel of the result; null is as large as fits. */
  private zoom: number | null = null;
  private left = 0;
  private top = 0;
  private readonly pointers = new Map<number, PointerEvent>();

  /** `over` lies over the picture. */
  constructor(options: { label: string; tools: boolean; over?: HTMLElement }) {
    const sheet = (): HTMLDivElement => element("div", { class: "sheet" });
    this.sheets = [sheet(), sheet()];
    this.handle = element(
      "div",
      {
        class: "split",
        role: "slider",
        tabindex: "0",
        "aria-label": options.label,
        "aria-valuemin": "0",
        "aria-valuemax": "100",
        "aria-orientation": "horizontal",
      },
      element("span", { class: "grip" }),
    );
    this.percent = element("span", { class: "percent" });
    this.root = element(
      "div",
      { class: "compare" },
      element("div", { class: "plane before" }, this.sheets[0]),
      element("div", { class: "plane after" }, this.sheets[1]),
      element("span", { class: "chip is-before", "aria-hidden": "true" }, "Before"),
      element("span", { class: "chip is-after", "aria-hidden": "true" }, "After"),
      this.handle,
      options.over,
      options.tools ? this.tools() : null,
    );
    this.listen();
    new ResizeObserver(() => this.layout()).observe(this.root);
    this.moveSplit(50);
  }

  /** Shows two elements, stretched to `width` by `height` pixels. */
  show(before: HTMLElement, after: HTMLElement, width: number, height: number): void {
    const isNew = width !== this.size.width || height !== this.size.height;
    this.size = { width, height };
    this.sheets[0]!.replaceChildren(before);
    this.sheets[1]!.replaceChildren(after);
    this.root.style.setProperty("--ratio", String(width / height));
    if (isNew) this.zoom = null;
    this.layout();
  }

  /** While a result is being made, what it lacks shows the picture before. */
  set working(is: boolean) {
    this.root.classList.toggle("is-working", is);
  }

  moveSplit(percent: number): void {
    this.split = Math.min(Math.max(percent, 0), 100);
    this.root.style.setProperty("--split", `${this.split}%`);
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.split)));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.split)} % before`);
  }

  private tools(): HTMLDivElement {
    const tool = (text: string, label: string, press: () => void): HTMLButtonElement => {
      const made = button(text, "tool", press);
      made.setAttribute("aria-label", label);
      made.title = label;
      return made;
    };
    return element(
      "div",
      { class: "tools", role: "group", "aria-label": "Zoom" },
      tool("−", "Zoom out", () => this.zoomBy(1 / 1.5)),
      this.percent,
      tool("+", "Zoom in", () => this.zoomBy(1.5)),
      tool("Fit", "Fit the picture", () => this.zoomTo(null)),
      tool("1:1", "1:1, actual pixels", () => this.zoomTo(1 / devicePixelRatio)),
    );
  }

  private get fit(): number {
    const { clientWidth, clientHeight } = this.root;
    return Math.min(clientWidth / this.size.width, clientHeight / this.size.height);
  }

  private zoomBy(factor: number, x?: number, y?: number): void {
    const wanted = (this.zoom ?? this.fit) * factor;
    this.zoomTo(wanted <= this.fit * 1.001 ? null : wanted, x, y);
  }

  /** Zoom about a point of the element, by default its middle. */
  private zoomTo(zoom: number | null, x?: number, y?: number): void {
    const before = this.zoom ?? this.fit;
    const after = zoom === null ? this.fit : Math.min(Math.max(zoom, this.fit), MOST_ZOOM);
    x ??= this.root.clientWidth / 2;
    y ??= this.root.clientHeight / 2;
    this.left = x - ((x - this.left) / before) * after;
    this.top = y - ((y - this.top) / before) * after;
    this.zoom = after <= this.fit * 1.001 ? null : after;
    this.layout();
  }

  private layout(): void {
    const { clientWidth, clientHeight } = this.root;
    if (!clientWidth) return;
    const scale = this.zoom ?? this.fit;
    const within = (at: number, room: number, size: number): number =>
      size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at));
    this.left = within(this.left, clientWidth, this.size.width * scale);
    this.top = within(this.top, clientHeight, this.size.height * scale);
    for (const sheet of this.sheets) {
      sheet.style.width = `${this.size.width}px`;
      sheet.style.height = `${this.size.height}px`;
      sheet.style.transform = `translate(${this.left}px, ${this.top}px) scale(${scale})`;
    }
    this.root.classList.toggle("is-zoomed", this.zoom !== null);
    this.percent.textContent = `${Math.round(100 * scale * devicePixelRatio)} %`;
  }

  private listen(): void {
    const { root, handle } = this;
    handle.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("pointerdown", (event) => this.press(event));
    root.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"] as const) {
      root.addEventListener(name, (event) => {
        this.pointers.delete(event.pointerId);
        if (!this.pointers.size) root.classList.remove("is-dragging", "is-sliding");
      });
    }
    root.addEventListener("dblclick", (event) => {
      if (isTool(event.target)) return;
      const { x, y } = this.point(event);
      if (this.zoom === null) this.zoomTo(Math.max(1 / devicePixelRatio, 2 * this.fit), x, y);
      else this.zoomTo(null);
    });
    root.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
        event.preventDefault();
        const { x, y } = this.point(event);
        this.zoomBy(Math.exp(-event.deltaY / 200), x, y);
      },
      { passive: false },
    );
  }

  private key(event: KeyboardEvent): void {
    const step = event.shiftKey ? 10 : 2;
    const moves: Record<string, () => void> = {
      ArrowLeft: () => this.moveSplit(this.split - step),
      ArrowDown: () => this.moveSplit(this.split - step),
      ArrowRight: () => this.moveSplit(this.split + step),
      ArrowUp: () => this.moveSplit(this.split + step),
      Home: () => this.moveSplit(0),
      End: () => this.moveSplit(100),
      "+": () => this.zoomBy(1.5),
      "=": () => this.zoomBy(1.5),
      "-": () => this.zoomBy(1 / 1.5),
      "0": () => this.zoomTo(null),
      "1": () => this.zoomTo(1 / devicePixelRatio),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0 || isTool(event.target)) return;
    this.root.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    const slides = this.zoom === null || this.handle.contains(event.target as Node);
    this.root.classList.toggle("is-sliding", slides && this.pointers.size === 1);
    this.root.classList.add("is-dragging");
    if (slides && this.pointers.size === 1) {
      this.slideTo(event);
      this.handle.focus({ preventScroll: true });
    }
  }

  private drag(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (this.pointers.size === 2) this.pinch(before, event);
    else if (this.root.classList.contains("is-sliding")) this.slideTo(event);
    else {
      this.left += event.clientX - before.clientX;
      this.top += event.clientY - before.clientY;
      this.layout();
    }
    this.pointers.set(event.pointerId, event);
  }

  private pinch(before: PointerEvent, now: PointerEvent): void {
    const other = [...this.pointers.values()].find((one) => one.pointerId !== now.pointerId)!;
    const apart = (one: PointerEvent): number =>
      Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const from = this.point(other);
    this.zoomBy(apart(now) / Math.max(1, apart(before)), from.x, from.y);
  }

  private slideTo(event: PointerEvent): void {
    this.moveSplit((100 * this.point(event).x) / this.root.clientWidth);
  }

  private point(event: MouseEvent): { x: number; y: number } {
    const box = this.root.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

function isTool(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".tools, .progress") !== null;
}
