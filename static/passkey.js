// Passkeys for forms. Markup:
//   <form method="post" action="/login/passkey" data-passkey="get" data-options="/login/passkey/options">
//     <input type="hidden" name="csrf" value="…"><input type="hidden" name="credential">
//     <button data-script hidden>Use a passkey</button> <p class="err" data-passkey-error hidden></p>
//   </form>
// data-passkey is "create" or "get". The form's fields are sent to data-options, which answers
// {"publicKey": {…}} as webauthn-rs writes it, or an error with {"detail": "…"}. The signed answer goes into
// the field `credential` as JSON, and the form is sent as any other. With data-passkey-suggest the browser also offers
// passkeys among the suggestions of the page's field with autocomplete="username webauthn", without being asked.
(() => {
  "use strict";
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withBytes = (list) => (list || []).map((item) => ({ ...item, id: bytes(item.id) }));

  const ask = async (kind, options, how = {}) => {
    const key = options.publicKey;
    if (kind === "create") {
      return navigator.credentials.create({ publicKey: {
        ...key,
        challenge: bytes(key.challenge),
        user: { ...key.user, id: bytes(key.user.id) },
        excludeCredentials: withBytes(key.excludeCredentials),
      } });
    }
    return navigator.credentials.get({ ...how, publicKey: {
      ...key,
      challenge: bytes(key.challenge),
      allowCredentials: withBytes(key.allowCredentials),
    } });
  };

  const plain = (credential) => {
    const answer = credential.response;
    const response = { clientDataJSON: text(answer.clientDataJSON) };
    if (answer.attestationObject) {
      response.attestationObject = text(answer.attestationObject);
      response.transports = answer.getTransports?.() ?? [];
    } else {
      response.authenticatorData = text(answer.authenticatorData);
      response.signature = text(answer.signature);
      response.userHandle = answer.userHandle ? text(answer.userHandle) : null;
    }
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      extensions: credential.getClientExtensionResults(),
      response,
    };
  };

  // What happened, why, what to do; by the names the standard gives (WebAuthn level 3, section 5.1).
  const explain = (fault) => ({
    NotAllowedError: "The passkey was not used: the request was closed or took too long. Try again.",
    InvalidStateError: "This device already holds a passkey for your account. Use another device, or sign in with it.",
    SecurityError: "Passkeys need the address this installation was set up with, over https or on localhost.",
    NotSupportedError: "This device offers no kind of passkey we accept. Use another device.",
  })[fault.name] || fault.message;

  const options = async (form) => {
    const reply = await fetch(form.dataset.options, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    });
    const answer = await reply.json();
    if (!reply.ok) throw new Error(answer.detail || "The server did not start the check. Try again.");
    return answer;
  };

  // A question is good for ten minutes, so it is asked anew before. Whatever goes wrong here is not worth a word: the
  // field and the button are there.
  const PATIENCE = 9 * 60 * 1000;
  let waiting;
  // The server keeps one question at a time: the button's must come last, or its answer would be to another.
  let asking;
  let isAsked = false;
  const suggest = async (form) => {
    if (isAsked) return;
    waiting = new AbortController();
    const { signal } = waiting;
    const again = setTimeout(() => { waiting.abort(); suggest(form); }, PATIENCE);
    signal.addEventListener("abort", () => clearTimeout(again));
    try {
      asking = options(form);
      const found = await ask("get", await asking, { mediation: "conditional", signal });
      form.elements.credential.value = JSON.stringify(plain(found));
      form.requestSubmit();
    } catch { /* see above */ }
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-passkey]") || form.elements.credential.value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const notice = form.querySelector("[data-passkey-error]");
    const button = event.submitter;
    notice.hidden = true;
    button?.setAttribute("aria-busy", "true");
    isAsked = true;
    waiting?.abort();
    await asking?.catch(() => {});
    try {
      form.elements.credential.value = JSON.stringify(plain(await ask(form.dataset.passkey, await options(form))));
      form.requestSubmit(button);
    } catch (fault) {
      notice.textContent = explain(fault);
      notice.hidden = false;
      button?.removeAttribute("aria-busy");
    }
  }, true);

  // A page that comes back through history must not send the old answer again.
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-passkey]")) form.elements.credential.value = "";
  });
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const able = "PublicKeyCredential" in window;
    for (const element of form.querySelectorAll("[data-script]")) element.hidden = !able;
    if (able && "passkeySuggest" in form.dataset) {
      PublicKeyCredential.isConditionalMediationAvailable?.().then((can) => { if (can) suggest(form); });
    }
  }
})();
