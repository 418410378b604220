// The console's own script. Everything works without it; it makes things faster and says what happened.
// State is read from the DOM (data-*), never from inline script. Budget: 8 kB compressed.
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const on = (type, handler, options) => document.addEventListener(type, handler, options);

  // ---------------------------------------------------------------- live region
  // One polite region for the whole page. It is emptied first, so that the same words are said twice.
  let quiet;
  const announce = (text) => {
    const region = one("#live");
    if (!region || !text) return;
    region.textContent = "";
    clearTimeout(quiet);
    quiet = setTimeout(() => { region.textContent = text; }, 60);
  };

  // ---------------------------------------------------------------------- times
  // The server writes UTC; here it becomes the person's zone, relative when near, exact on hover.
  const zone = root.dataset.zone || undefined;
  const formatter = (options) => {
    try {
      return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
    } catch {
      return new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", ...options });
    }
  };
  const clock = { hour: "2-digit", minute: "2-digit" };
  const exact = formatter({ dateStyle: "full", timeStyle: "long" });
  const near = formatter({ day: "numeric", month: "short", ...clock });
  const far = formatter({ day: "numeric", month: "short", year: "numeric" });
  const minute = formatter(clock);
  const second = formatter({ ...clock, second: "2-digit" });
  const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const year = (date) => formatter({ year: "numeric" }).format(date);

  const words = (date, as) => {
    const seconds = (date - Date.now()) / 1000;
    const distance = Math.abs(seconds);
    if (as === "clock") return second.format(date);
    if (as === "day") return far.format(date);
    if (as === "exact") return `${far.format(date)}, ${minute.format(date)}`;
    if (as === "second") return `${far.format(date)}, ${second.format(date)}`;
    if (distance < 45) return seconds > 0 ? "in a moment" : "just now";
    if (distance < 3600) return ago.format(Math.round(seconds / 60), "minute");
    if (distance < 86400) return ago.format(Math.round(seconds / 3600), "hour");
    if (distance < 6 * 86400) return ago.format(Math.round(seconds / 86400), "day");
    return year(date) === year(new Date()) ? near.format(date) : far.format(date);
  };
  const tellTimes = (from = document) => {
    for (const element of all("time[data-as]", from)) {
      const date = new Date(element.dateTime);
      if (Number.isNaN(date.getTime())) continue;
      const text = words(date, element.dataset.as);
      if (element.textContent !== text) element.textContent = text;
      if (!element.title) element.title = exact.format(date);
    }
  };
  setInterval(tellTimes, 30000);

  // ----------------------------------------------------------------------- copy
  // <button data-copy="#id"> copies an element's text; data-copy-text copies the words themselves.
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "vh" });
    (one("dialog[open]") || document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("the browser refused");
  };
  on("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-text]");
    if (!button) return;
    const source = button.dataset.copy && one(button.dataset.copy);
    const label = one("[data-label]", button);
    const before = label?.textContent;
    try {
      await copy(button.dataset.copyText ?? source?.value ?? source?.textContent.trim() ?? "");
      if (label) label.textContent = "Copied";
      announce("Copied");
    } catch {
      if (source) getSelection().selectAllChildren(source);
      if (label) label.textContent = "Press Ctrl+C";
      announce("Copying was refused. The text is selected; press Control C.");
    }
    if (label) setTimeout(() => { label.textContent = before; }, 2000);
    button.focus();
  });

  // -------------------------------------------------------------------- dialogs
  // commandfor works by itself in current browsers; this serves the others.
  if (!("commandForElement" in HTMLButtonElement.prototype)) {
    on("click", (event) => {
      const button = event.target.closest("button[commandfor]");
      const target = button && document.getElementById(button.getAttribute("commandfor"));
      if (!(target instanceof HTMLDialogElement)) return;
      const command = button.getAttribute("command");
      if (command === "show-modal" && !target.open) target.showModal();
      if (command === "close" || command === "request-close") target.close();
    });
  }
  // A click beside a dialog closes it; inside it the target is one of its children.
  on("click", (event) => {
    if (event.target instanceof HTMLDialogElement && event.target.matches(".dialog[open]")) {
      const box = event.target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right
        && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside) event.target.close();
    }
  });
  // The button of a step that asks for a name stays off until the name is typed. The server checks it again.
  const checkName = (input) => {
    const button = one("[data-needs-name]", input.form);
    if (button) button.disabled = input.value.trim() !== input.dataset.confirm;
  };
  on("input", (event) => { if (event.target.matches("[data-confirm]")) checkName(event.target); });

  // -------------------------------------------------------------------- palette
  const palette = one("#palette");
  const query = palette && one("input", palette);
  const hits = () => all("a", one("#palette-hits"));
  const openPalette = () => {
    if (!palette || palette.open) return;
    all(":popover-open").forEach((open) => open.hidePopover());
    palette.showModal();
    query.select();
    if (!hits().length) query.dispatchEvent(new Event("input", { bubbles: true }));
  };
  on("click", (event) => {
    if (palette && event.target.closest("[data-find]")) {
      event.preventDefault();
      openPalette();
    }
  });
  palette?.addEventListener("keydown", (event) => {
    const list = hits();
    const at = list.indexOf(document.activeElement);
    if (event.key === "ArrowDown") (list[at + 1] || list[0])?.focus();
    else if (event.key === "ArrowUp") (at > 0 ? list[at - 1] : query).focus();
    else if (event.key === "Enter" && event.target === query) list[0]?.click();
    else if (event.key.length === 1 && at >= 0 && !event.ctrlKey && !event.metaKey) return query.focus();
    else return;
    event.preventDefault();
  });

  // ------------------------------------------------------------------ shortcuts
  // Single keys are off when the person switched them off, while typing, and with any modifier.
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
  const step = (direction) => {
    const links = all("[data-keys] .row-link");
    if (!links.length) return;
    const focused = links.indexOf(document.activeElement);
    const at = focused < 0 ? links.findIndex((link) => link.closest("[aria-current]")) : focused;
    const next = links[Math.max(0, Math.min(links.length - 1, at + direction))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  on("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (root.dataset.shortcuts !== "on" || typing(event.target) || one("dialog[open]")) return;
    if (event.key === "/" && palette) openPalette();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "Escape") one("[data-escape]")?.click();
    else return;
    if (event.key !== "Escape") event.preventDefault();
  });

  // --------------------------------------------------------------------- toasts
  // Ten seconds, counted only while nobody points at it or stands in it; one with a fault stays.
  const startToast = (toast) => {
    if (toast.dataset.started) return;
    toast.dataset.started = "yes";
    const button = one("[data-dismiss]", toast);
    if (button) {
      button.hidden = false;
      button.addEventListener("click", () => toast.remove());
    }
    if (toast.dataset.stay !== undefined) return;
    let left = 10;
    const timer = setInterval(() => {
      if (!toast.isConnected) return clearInterval(timer);
      if (document.hidden || toast.matches(":hover, :focus-within")) return;
      left -= 1;
      if (left <= 0) toast.remove();
    }, 1000);
  };

  // -------------------------------------------------------------- double submit
  // A form is sent once. Coming back through history gives the buttons back.
  on("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    const button = event.submitter;
    // After this turn: a disabled button would be left out of what is sent.
    setTimeout(() => {
      if (!button) return;
      button.setAttribute("aria-busy", "true");
      button.setAttribute("aria-disabled", "true");
    });
  });
  const release = (from = document) => {
    for (const form of all("form[data-sent]", from)) delete form.dataset.sent;
    for (const button of all("[aria-busy]", from)) {
      button.removeAttribute("aria-busy");
      button.removeAttribute("aria-disabled");
    }
  };
  addEventListener("pageshow", (event) => { if (event.persisted) release(); });

  // A filter is sent when it is chosen; the button beside it is for those without script.
  on("change", (event) => { if (event.target.matches("select[data-auto]")) event.target.form.requestSubmit(); });

  // ------------------------------------------------------------ a text with line numbers
  // The numbers stand beside the text, which is as long as it has lines; a link to a line puts the cursor there.
  const number = (area) => {
    const list = area.previousElementSibling;
    const lines = area.value.split("\n").length;
    area.rows = lines;
    while (list.children.length > lines) list.lastChild.remove();
    while (list.children.length < lines) list.append(Object.assign(document.createElement("li"), { textContent: list.children.length + 1 }));
  };
  on("input", (event) => { if (event.target.matches("[data-lines]")) number(event.target); });
  on("click", (event) => {
    const line = event.target.closest("[data-line]")?.dataset.line;
    const area = line && one("[data-lines]");
    if (!area) return;
    event.preventDefault();
    const before = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const end = area.value.indexOf("\n", before);
    area.focus({ preventScroll: true });
    area.setSelectionRange(before, end < 0 ? area.value.length : end);
    area.previousElementSibling.children[line - 1]?.scrollIntoView({ block: "center" });
  });

  // ------------------------------------------------------------ a call beside the rules
  // The call of a form with data-keep stays in this tab until its person signs out: the next page that is another's, or
  // nobody's, forgets it, also where the browser pays no heed to Clear-Site-Data. It is decided anew when it is found
  // again and when the rules changed, but not before its arguments are filled in where they are not known (data-hold).
  const who = root.dataset.person;
  const place = (form) => `call ${who} ${form.dataset.keep}`;
  try {
    const others = (key) => key.startsWith("call ") && !(who && key.startsWith(`call ${who} `));
    if (who !== undefined) Object.keys(sessionStorage).filter(others).forEach((key) => sessionStorage.removeItem(key));
  } catch { /* Then nothing is kept. */ }
  const keep = (form) => {
    const call = Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "csrf"));
    try { sessionStorage.setItem(place(form), JSON.stringify(call)); } catch { /* It is kept as long as the page. */ }
  };
  const decide = (form) => {
    if (form.dataset.hold === undefined && form.checkValidity()) form.requestSubmit();
  };
  const takeUp = (form) => {
    if (form.dataset.taken) return;
    form.dataset.taken = "yes";
    if (form.elements.tool.value) return keep(form);
    let call = {};
    try { call = JSON.parse(sessionStorage.getItem(place(form))) ?? {}; } catch { /* Then there is none. */ }
    for (const [name, value] of Object.entries(call)) {
      if (form.elements[name]) form.elements[name].value = value;
    }
    if (call.tool) decide(form);
  };
  on("input", (event) => {
    const form = event.target.closest("form[data-keep]");
    if (!form) return;
    delete form.dataset.hold;
    keep(form);
  });
  on("edited", () => all("form[data-keep]").forEach(decide));

  // ------------------------------------------------------- after load and swaps
  const dress = (from = document) => {
    tellTimes(from);
    all(".toast", from).forEach(startToast);
    all("[data-confirm]", from).forEach(checkName);
    all("[data-script]", from).forEach((element) => { element.hidden = false; });
    all("[data-noscript]", from).forEach((element) => { element.hidden = true; });
    all("[data-lines]", from).forEach(number);
    all("form[data-keep]", from).forEach(takeUp);
  };
  on("htmx:after:swap", () => {
    dress();
    const summary = one(".summary:not([data-seen])");
    if (summary) {
      summary.dataset.seen = "yes";
      summary.focus();
    }
    const news = all("[data-announce]:not([data-told])");
    for (const element of news) element.dataset.told = "yes";
    announce(news.map((element) => element.dataset.announce).join(" "));
  });
  // ----------------------------------------------------------- told piece by piece
  // A button with data-live has its form answered in pieces. Where a page comes instead, as when the person was signed
  // out meanwhile, the form is sent as it would be without script, and that page is shown whole.
  const live = (event) => {
    const source = event.detail?.ctx?.sourceElement;
    return source?.matches?.("[data-live]") ? source : null;
  };
  on("htmx:before:request", (event) => {
    const button = live(event);
    button?.setAttribute("aria-busy", "true");
    button?.setAttribute("aria-disabled", "true");
  });
  on("htmx:before:swap", (event) => {
    const button = live(event);
    const kind = event.detail?.ctx?.response?.raw?.headers.get("Content-Type") ?? "";
    if (!button || kind.includes("text/event-stream")) return;
    event.preventDefault();
    const form = button.form;
    form.action = button.getAttribute("hx-post");
    form.submit();
  });
  on("htmx:finally:request", () => release());
  on("htmx:error", () => announce("That did not work. The page still shows what was there before."));
  dress();
  one(".summary")?.focus();
  announce(all(".toast p").map((element) => element.textContent).join(" "));
})();
